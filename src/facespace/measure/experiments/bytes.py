"""An embedding in 128 bytes, and in fewer (paper, section 5.5)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from facespace.embed import BYTE_LIMIT, quantise
from facespace.measure.compact import CompactForm, compact_forms
from facespace.measure.context import Context
from facespace.measure.experiment import Experiment
from facespace.measure.result import MEASURED, Cell, Column, Result, Table, plain
from facespace.measure.sweep import Point, Target, differs, targets
from facespace.measure.text import percent
from facespace.metrics import compare_tar

__all__ = ["EXPERIMENT", "Options"]

# Rotations are fitted on about so many training faces.
FITTED_ON = 3000
FAR = 1e-3


@dataclass(frozen=True)
class Options:
    """Where stored forms are measured.

    Attributes:
        on: 'val' (DATA/faces/val), 'lfw' (whole pictures of DATA/lfw) or 'both'.
    """

    on: str = "both"


def run(options: Options, context: Context) -> Result:
    """Accuracy with floats, with one byte a component, and with 64 and 32 bytes an embedding."""
    training = context.training_faces.every(FITTED_ON)
    forms = compact_forms(context.embedder.spec, context.rows(training))
    sets = targets(context, options.on)
    rows = {chosen.name: context.rows(chosen.faces) for chosen in sets}
    points = [
        Point(form.name, form.n_bytes, {c.name: c.score(form.apply(rows[c.name])) for c in sets}) for form in forms
    ]  # fmt: skip
    cost = _cost(sets[0], rows[sets[0].name], forms, context.embedder.spec.byte_scale)
    return Result(
        MEASURED,
        _headline(points, sets[0].name, cost),
        (
            Table(
                "Accuracy by the form in which an embedding is stored.", _columns(sets), _rows(points, sets)
            ),
        ),
        (
            f"Rotations were fitted on {len(training.paths):,} faces of {training.name}; bits need no fitting.",
            "Distances are those of the unit rows restored.",
            *differs(sets, context),
        ),
        figures={"points": plain(points), "byte_form": cost},
    )


def _cost(
    chosen: Target, rows: np.ndarray[Any, np.dtype[np.float32]], forms: list[CompactForm], byte_scale: float
) -> dict[str, Any] | None:
    """TAR of the model's byte form less that of its floats, paired over draws of identities."""
    if byte_scale <= 0 or chosen.name == "LFW":
        return None
    compared = compare_tar(forms[1].apply(rows), rows, chosen.faces.labels, far=FAR)
    clipped = float((np.abs(quantise(rows, byte_scale)) == BYTE_LIMIT).mean())
    return {
        "far": FAR, "byte_scale": byte_scale, "tar_floats": compared.second, "tar_bytes": compared.first,
        "change": plain(compared.difference), "verdict": compared.verdict, "clipped": clipped,
    }  # fmt: skip


def _columns(sets: list[Target]) -> tuple[Column, ...]:
    columns = [Column("stored as"), Column("bytes", "count")]
    for chosen in sets:
        if chosen.name == "LFW":
            columns += [Column("LFW: VAL at FAR 1e-2", "percent"), Column("LFW: accuracy", "percent")]
        else:
            columns += [
                Column(f"{chosen.name}: VAL at FAR 1e-3", "percent"),
                Column("against floats", "points"),
            ]
    return tuple(columns)


def _rows(points: list[Point], sets: list[Target]) -> tuple[tuple[Cell, ...], ...]:
    rows: list[tuple[Cell, ...]] = []
    for point in points:
        row: list[Cell] = [point.setting, int(point.value or 0)]
        for chosen in sets:
            score, floats = point.scores[chosen.name], points[0].scores[chosen.name]
            lost = None if score.tar is None or floats.tar is None else score.tar - floats.tar
            row += [score.tar, score.folds if chosen.name == "LFW" else lost]
        rows.append(tuple(row))
    return tuple(rows)


def _headline(points: list[Point], name: str, cost: dict[str, Any] | None) -> str:
    best = {
        n: max((p for p in points if p.value == n), key=lambda p: p.scores[name].tar or 0.0)
        for n in sorted({p.value or 0 for p in points[1:]}, reverse=True)
    }
    forms = ", ".join(
        f"{percent(p.scores[name].tar)} in {n:.0f} bytes ({p.setting})" for n, p in best.items()
    )
    text = f"VAL on {name}: {percent(points[0].scores[name].tar)} with floats, {forms}."
    if cost is None or cost["change"] is None:
        return text
    low, high = (100 * cost["change"][end] for end in ("low", "high"))
    change = 100 * (cost["tar_bytes"] - cost["tar_floats"])
    return (
        f"{text} One byte a component changes it by {change:+.2f} points (95 %: {low:+.2f} to {high:+.2f})."
    )


EXPERIMENT = Experiment(
    paper="The 128 floats are used in training; they can be quantised to 128 bytes without loss of accuracy. Smaller "
    "embeddings are possible with a minor loss, for mobile devices. No number is given.",
    run=run,
    options=Options,
    needs=("data", "model", "detector", "workers"),
    report={},
)
