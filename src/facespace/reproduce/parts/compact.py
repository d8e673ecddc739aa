"""Section 5.5: 128 bytes instead of 128 floats, and fewer."""

from facespace.evaluate.sweeps import Sweep, sweep_bytes
from facespace.reproduce.blocks import MEASURED, Cell, Column, Result, Table
from facespace.reproduce.context import Context
from facespace.reproduce.part import OnPicture, Part
from facespace.reproduce.parts.differences import holdout_differs, lfw_differs
from facespace.reproduce.text import percent

__all__ = ["BYTES"]


def make(context: Context, on_picture: OnPicture) -> Result:
    """Every form on both sets."""
    training = context.training_rows(on_picture)
    fitted_on = f"{len(training):,} faces of faces/train"
    sweeps = [
        sweep_bytes(material, rows, context.embedder.spec, training=training, fitted_on=fitted_on)
        for material, rows in (
            (context.holdout, context.holdout_rows(on_picture)),
            (context.lfw(on_picture), context.lfw_rows(on_picture)),
        )
    ]
    columns = (
        Column("stored as"), Column("bytes", "count"), Column("faces/val: VAL at FAR 1e-3", "percent"),
        Column("against floats", "points"), Column("LFW: VAL at FAR 1e-2", "percent"),
        Column("LFW: accuracy", "percent"),
    )  # fmt: skip
    table = Table("Accuracy by the form in which an embedding is stored.", columns, _rows(*sweeps))
    return Result(
        MEASURED, _headline(sweeps[0]), (table,), (*sweeps[0].notes, holdout_differs(context), lfw_differs())
    )


def _rows(val: Sweep, lfw: Sweep) -> tuple[tuple[Cell, ...], ...]:
    floats = val.points[0].score.tar
    rows: list[tuple[Cell, ...]] = []
    for on_val, on_lfw in zip(val.points, lfw.points, strict=True):
        tar = on_val.score.tar
        lost = None if tar is None or floats is None else tar - floats
        accuracy = (on_lfw.score.accuracy or 0.0, on_lfw.score.accuracy_se)
        rows.append((on_val.setting, int(on_val.value or 0), tar, lost, on_lfw.score.tar, accuracy))
    return tuple(rows)


def _headline(val: Sweep) -> str:
    floats = val.points[0]
    best = {
        n: max((p for p in val.points if p.value == n), key=lambda p: p.score.tar or 0.0)
        for n in sorted({p.value or 0 for p in val.points[1:]}, reverse=True)
    }
    forms = ", ".join(f"{percent(p.score.tar)} in {n:.0f} bytes ({p.setting})" for n, p in best.items())
    return f"VAL at FAR 1e-3 on faces/val: {percent(floats.score.tar)} with floats, {forms}."


BYTES = Part(
    "bytes",
    "Section 5.5: an embedding in 128 bytes",
    "The 128 floats are used in training; they can be quantised to 128 bytes without loss of accuracy. "
    "Smaller embeddings are possible "
    "with a minor loss, for mobile devices. No number is given.",
    make,
    ("model", "detector", "data"),
)
