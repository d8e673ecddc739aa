"""`DATA/faces/val` by a model, with a bar: what several commands measure on."""

from pathlib import Path
from typing import TYPE_CHECKING

from facespace.cli.console import data_folder, progress

if TYPE_CHECKING:
    from facespace.embed import Embedder
    from facespace.evaluate.holdout import HoldoutFaces

__all__ = ["embed_val", "val_folder"]


def val_folder(data: Path | None) -> Path:
    """The hold-out faces of the data folder."""
    return data_folder(data) / "faces" / "val"


def embed_val(model: str | Path | None, data: Path | None) -> "tuple[Embedder, HoldoutFaces]":
    """The model, and the hold-out faces embedded by it."""
    from facespace.embed import Embedder
    from facespace.evaluate.holdout import embed_holdout

    embedder = Embedder(model)
    with progress(f"embedding by {embedder.spec.name}") as on_face:
        return embedder, embed_holdout(val_folder(data), embedder, on_face=on_face)
