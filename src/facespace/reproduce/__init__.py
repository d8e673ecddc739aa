"""Every table and figure of the paper, measured again: `reproduce` makes the parts, `write_report` the page.

paper      the paper's printed numbers
parts/     one file for each table or figure; `PARTS` is their order
blocks     what a part's result is made of; part: the unit itself
context    models, pictures and embeddings that parts share; cache: what is kept between runs
runs       trained networks as models; trained: sweeps that train
report     HTML and JSON; markdown: docs/reproduction.md; plots, thumbnails: pictures for both
"""

from facespace.reproduce.context import Options
from facespace.reproduce.markdown import write_markdown
from facespace.reproduce.parts import PARTS
from facespace.reproduce.report import write_report
from facespace.reproduce.run import MadePart, Report, reproduce

__all__ = ["PARTS", "MadePart", "Options", "Report", "reproduce", "write_markdown", "write_report"]
