"""`DATA/faces/val` by a model, with a bar: what several commands measure on."""

from pathlib import Path

from facespace.cli.console import data_folder
from facespace.cli.progress import progress
from facespace.embed import Embedder
from facespace.measure.embedding import embed_faces
from facespace.measure.faces import EmbeddedFaces, open_crops


def val_folder(data: Path | None) -> Path:
    """The hold-out faces of the data folder."""
    return data_folder(data) / "faces" / "val"


def embed_val(model: str | Path | None, data: Path | None) -> tuple[Embedder, EmbeddedFaces]:
    """The model, and the hold-out faces embedded by it."""
    embedder, faces = Embedder(model), open_crops(val_folder(data))
    with progress(f"embedding by {embedder.spec.name}") as on_step:
        return embedder, faces.embedded(embed_faces(faces, embedder, on_step=on_step)[0])
