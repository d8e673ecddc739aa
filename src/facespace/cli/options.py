"""Options that several commands share, with their one help text."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AsJson", "Data", "DetectorFile", "Far", "ModelFile", "PairFar", "Strangers", "Workers"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Strangers = Annotated[
    float, typer.Option(help="Strangers expected within reach of a face: more joins more, and wrongly.")
]
Far = Annotated[float, typer.Option(help="False-accept rate that the threshold stands for, such as 1e-3.")]
PairFar = Annotated[
    float | None, typer.Option(help="False-accept rate of a single pair in place of --strangers.")
]
ModelFile = Annotated[
    str | None, typer.Option("--model", help="Embedder: a built-in name or an ONNX file with a ModelSpec.")
]
DetectorFile = Annotated[
    str | None,
    typer.Option("--detector", help="Detector: a built-in name or an ONNX file (YuNet, SCRFD layouts too)."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads; all cores unless given.")]
Data = Annotated[
    Path | None, typer.Option(help="Folder of the data sets; FACESPACE_DATA in the environment unless given.")
]
