"""What routes take from a request: types with bounds."""

from typing import Annotated, Literal

from fastapi import Path, Query

from facespace.gallery import FPIR, NEAREST
from facespace.models import VERIFY_FAR
from facespace.service.galleries import NAME
from facespace.store import LONGEST_NAME

__all__ = [
    "Cursor",
    "Far",
    "Fpir",
    "GalleryName",
    "Largest",
    "Nearest",
    "PageSize",
    "SubjectName",
    "WhichFaces",
]

GalleryName = Annotated[str, Path(pattern=NAME, description="Name of a gallery.", examples=["team"])]
SubjectName = Annotated[
    str, Path(min_length=1, max_length=LONGEST_NAME, description="Name of a person.", examples=["Ann Lee"])
]
Fpir = Annotated[
    float, Query(gt=0, lt=1, description="Share of unknown people who may be taken for somebody (FPIR).")
]
Far = Annotated[float, Query(gt=0, lt=1, description="False-accept rate of one comparison.")]
Nearest = Annotated[int, Query(ge=1, description="How many of the nearest enrolled faces.")]
WhichFaces = Annotated[
    Literal["all", "largest"], Query(description="Which faces of the picture: all, or the largest alone.")
]
Cursor = Annotated[
    str, Query(max_length=4 * LONGEST_NAME, description="`next` of the page before; empty for the first.")
]
PageSize = Annotated[int, Query(ge=1, description="Entries of a page.")]
Largest: Literal["largest"] = "largest"
DEFAULT_FPIR, DEFAULT_FAR, DEFAULT_NEAREST = FPIR, VERIFY_FAR, NEAREST
