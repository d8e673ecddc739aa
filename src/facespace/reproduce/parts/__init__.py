"""The parts of the report in the paper's order. A new capability adds its part here."""

from facespace.reproduce.part import Part
from facespace.reproduce.parts.architectures import FIGURE4, FIGURE5, TABLE3
from facespace.reproduce.parts.clustering import CLUSTERING
from facespace.reproduce.parts.compact import BYTES
from facespace.reproduce.parts.figure1 import FIGURE1
from facespace.reproduce.parts.figure7 import FIGURE7
from facespace.reproduce.parts.harmonic import FIGURE8, FIGURE9, FIGURE10
from facespace.reproduce.parts.lfw import FIGURE6, LFW
from facespace.reproduce.parts.networks import TABLE1, TABLE2
from facespace.reproduce.parts.placement import ALIGNMENT
from facespace.reproduce.parts.table4 import TABLE4
from facespace.reproduce.parts.trained import RESOLUTION, TABLE5, TABLE6

__all__ = ["PARTS"]

PARTS: tuple[Part, ...] = (
    FIGURE1, TABLE1, TABLE2, ALIGNMENT, FIGURE4, TABLE3, FIGURE5, TABLE4, RESOLUTION, TABLE5, BYTES, TABLE6,
    LFW, FIGURE6, FIGURE7, CLUSTERING, FIGURE8, FIGURE9, FIGURE10,
)  # fmt: skip
