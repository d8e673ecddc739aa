"""`facespace verify`: one person or two?"""

from pathlib import Path
from typing import Annotated, Any

import typer

from facespace.cli.console import say, show, show_json
from facespace.cli.options import AsJson, DetectorFile, Far, ModelFile
from facespace.embed import Embedder
from facespace.errors import ImageError, NoFaceError
from facespace.extract import PhotoFaces, extract_photos
from facespace.faces.detect import Detector
from facespace.models import VERIFY_FAR, common_threshold
from facespace.verify import Verification, choose_face, verify_faces

__all__ = ["verify"]


def verify(
    a: Annotated[Path, typer.Argument(help="First photo.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="Second photo.", show_default=False)],
    face: Annotated[
        int | None,
        typer.Option(min=0, help="Use this face of each photo (0 is the surest) instead of the largest."),
    ] = None,
    any_face: Annotated[bool, typer.Option("--any", help="Take the closest pair of all faces.")] = False,
    far: Far = VERIFY_FAR,
    model: ModelFile = None,
    detector: DetectorFile = None,
    json: AsJson = False,
) -> None:
    """Compare two photos: the same person or not?

    Exit code 0: the same person. 1: different people. 2: an error.

    Example: facespace verify passport.jpg selfie.jpg
    """
    embedder = Embedder(model)
    sides = []
    for found in extract_photos([a, b], Detector(detector), embedder):
        if not isinstance(found, PhotoFaces):
            raise ImageError(found.photo, found.reason)
        if not len(found.faces):
            raise NoFaceError(f"{found.photo}: expected a face, found none; try a larger or sharper picture")
        sides.append(found)
    boxes = [side.faces.boxes_xyxy for side in sides]
    chosen = None if any_face else (choose_face(boxes[0], face), choose_face(boxes[1], face))
    threshold = common_threshold(embedder.spec, embedder.spec, far)
    verdict = verify_faces(
        sides[0].embeddings, sides[1].embeddings, threshold=threshold, far=far, face_idx=chosen
    )
    for side in sides:
        if len(side.faces) > 1 and face is None and not any_face:
            say(
                f"{side.photo}: {len(side.faces)} faces, the largest is used; --face N chooses, --any takes the closest"
            )
    if json:
        show_json(_document(verdict, sides, embedder.spec.label))
    else:
        show(
            f"{'same person' if verdict.same else 'different people'}: distance {verdict.distance:.3f}, "
            f"threshold {threshold:.3f} (about 1 in {round(1 / far):,} pairs of different people are closer)"
        )
    raise typer.Exit(0 if verdict.same else 1)


def _document(verdict: Verification, sides: list[PhotoFaces], model: str) -> dict[str, Any]:
    return {
        "same": verdict.same,
        "distance": verdict.distance,
        "similarity": verdict.similarity,
        "threshold": verdict.threshold,
        "far": verdict.far,
        "model": model,
        "faces": [
            {
                "photo": str(side.photo),
                "box_xyxy": [round(float(v), 2) for v in side.faces.boxes_xyxy[i]],
                "score": float(side.faces.scores[i]),
            }
            for side, i in zip(sides, verdict.face_idx, strict=True)
        ],
    }
