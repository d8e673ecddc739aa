"""VAL and accuracy as pictures get worse: JPEG quality and size (paper, section 5.4, Table 4)."""

from collections.abc import Sequence

from facespace.evaluate.sweeps.degrade import JPEG_QUALITIES, SIDES_PX, Recompress, Resize
from facespace.evaluate.sweeps.material import Material, OnPicture, embed_views
from facespace.evaluate.sweeps.score import Sweep, SweepPoint
from facespace.evaluate.sweeps.views import AS_IT_IS, View
from facespace.extract import FaceEmbedder

__all__ = ["sweep_jpeg", "sweep_placement", "sweep_size"]

PLACEMENT_TEXT = {
    "similarity": "five landmarks onto the template",
    "box": "the detector's box, scale and shift alone",
    "tight": "the detector's box, tight",
}


def sweep_jpeg(
    material: Material,
    embedder: FaceEmbedder,
    qualities: Sequence[int] = JPEG_QUALITIES,
    *,
    workers: int | None = None,
    on_photo: OnPicture | None = None,
) -> Sweep:
    """Compress the pictures again at each quality, and measure.

    Faces are where they were found in the pictures as they are, so that the embedding alone is tried.

    Raises:
        InputError: a quality beyond 1 to 95.
        DataError: a picture cannot be read.
    """
    changes = [Recompress(quality) for quality in qualities]
    views = [AS_IT_IS, *(View(change) for change in changes)]
    rows = embed_views(material, embedder, views, workers=workers, on_photo=on_photo)
    face_px = round(material.face_px)
    points = [SweepPoint("as they are", None, material.score(rows[0]), face_px)]
    for quality, embedded in zip(qualities, rows[1:], strict=True):
        points.append(SweepPoint(f"quality {quality}", quality, material.score(embedded), face_px))
    return _sweep(
        "JPEG quality", material, embedder, points, (_compressed_before(material), _found_once(material))
    )


def sweep_size(
    material: Material,
    embedder: FaceEmbedder,
    sides_px: Sequence[int] = SIDES_PX,
    *,
    workers: int | None = None,
    on_photo: OnPicture | None = None,
) -> Sweep:
    """Resize the pictures to each longest side, and measure; sides beyond their own are marked as upsampled.

    Raises:
        InputError: a side under 8 px.
        DataError: a picture cannot be read.
    """
    changes = [Resize(side) for side in sides_px]
    views = [AS_IT_IS, *(View(change) for change in changes)]
    rows = embed_views(material, embedder, views, workers=workers, on_photo=on_photo)
    points = [
        SweepPoint(
            f"{material.own_px} px, as they are", None, material.score(rows[0]), round(material.face_px)
        )
    ]
    for side, embedded in zip(sides_px, rows[1:], strict=True):
        upsampled = side > material.own_px
        face_px = round(material.face_px * side / material.own_px)
        points.append(
            SweepPoint(
                f"{side} px",
                side,
                material.score(embedded),
                face_px,
                upsampled,
                "upsampled" if upsampled else "",
            )
        )
    return _sweep(
        "picture size", material, embedder, points, (_compressed_before(material), _found_once(material))
    )


def sweep_placement(
    material: Material,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
    on_photo: OnPicture | None = None,
) -> Sweep:
    """Alignment by landmarks against plain crops of the detector's box (paper, section 5.4's end and 5.6).

    Raises:
        DataError: a picture cannot be read.
    """
    views = [View(placement=name) for name in PLACEMENT_TEXT]
    rows = embed_views(material, embedder, views, workers=workers, on_photo=on_photo)
    points = [
        SweepPoint(text, None, material.score(embedded))
        for text, embedded in zip(PLACEMENT_TEXT.values(), rows, strict=True)
    ]
    trained = f"the model was trained on '{embedder.spec.alignment}' crops, and the others are strange to it"
    return _sweep("placement of the face", material, embedder, points, (trained,))


def _sweep(
    varied: str, material: Material, embedder: FaceEmbedder, points: list[SweepPoint], notes: tuple[str, ...]
) -> Sweep:
    n_same, n_diff = material.n_pairs
    return Sweep(
        varied,
        embedder.spec.label,
        material.name,
        n_same,
        n_diff,
        tuple(points),
        tuple(n for n in notes if n),
    )


def _compressed_before(material: Material) -> str:
    if material.jpeg_quality is None:
        return f"{material.name}: the files are not JPEGs"
    return f"{material.name}: the files are JPEGs of quality {material.jpeg_quality} already"


def _found_once(material: Material) -> str:
    if material.places[0].landmarks_xy is None:
        return ""
    return "faces are where they were found in the pictures as they are; the crop is made from the changed picture"
