"""What routes take from a request: types with bounds."""

from typing import Annotated, Literal

from fastapi import Path, Query

from facespace.service.enrolling import FACE_KEY
from facespace.service.galleries import NAME
from facespace.store import LONGEST_NAME

__all__ = [
    "Cursor",
    "Far",
    "Fpir",
    "GalleryName",
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
FaceKey = Annotated[
    str, Path(pattern=FACE_KEY, description="Your key of a face, such as a row's id.", examples=["hr-1042"])
]
Subject = Annotated[
    str | None,
    Query(min_length=1, max_length=LONGEST_NAME, description="Name of a person.", examples=["Ann Lee"]),
]
Quality = Annotated[float, Query(ge=0, le=1, description="Poorer faces are refused.")]
PAGE = 100
