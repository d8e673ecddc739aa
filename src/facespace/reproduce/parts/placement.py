"""Section 4 and 5.6: alignment by a similarity transform against the plain crop."""

from facespace.evaluate.sweeps import sweep_placement
from facespace.reproduce.blocks import MEASURED, Cell, Column, Result, Table
from facespace.reproduce.context import Context
from facespace.reproduce.part import OnPicture, Part
from facespace.reproduce.parts.differences import lfw_differs
from facespace.reproduce.text import mean_se

__all__ = ["ALIGNMENT"]


def make(context: Context, on_picture: OnPicture) -> Result:
    """LFW's whole pictures, cropped in four ways; faces/val are aligned crops already and cannot be undone."""
    workers = context.options.workers
    sweep = sweep_placement(context.lfw(on_picture), context.embedder, workers=workers, on_photo=on_picture)
    score = context.lfw_centre.score(context.lfw_centre_rows(on_picture))
    rows: list[tuple[Cell, ...]] = [
        (p.setting, p.score.tar, (p.score.accuracy or 0.0, p.score.accuracy_se)) for p in sweep.points
    ]
    rows.append(
        ("one place for all pictures, no detector", score.tar, (score.accuracy or 0.0, score.accuracy_se))
    )
    columns = (Column("crop"), Column("LFW: VAL at FAR 1e-2", "percent"), Column("LFW: accuracy", "percent"))
    aligned, plain = sweep.points[0].score, sweep.points[1].score
    return Result(
        MEASURED,
        f"LFW accuracy: {mean_se(aligned.accuracy, aligned.accuracy_se)} aligned by five landmarks, "
        f"{mean_se(plain.accuracy, plain.accuracy_se)} from the box by scale and shift alone.",
        (Table("LFW by how the face is cropped.", columns, tuple(rows)),),
        (*sweep.notes, lfw_differs()),
    )


ALIGNMENT = Part(
    "alignment",
    "Section 4: alignment against the plain crop",
    "The paper crops tightly, scale and translation only, and found that a similarity transform improves "
    "results slightly; whether it "
    "is worth the trouble it leaves open. No number is given.",
    make,
    ("model", "detector", "data"),
)
