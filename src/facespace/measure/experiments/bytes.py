"""An embedding in 128 bytes, and in fewer (paper, section 5.5).

One byte per component is the model's own byte form. Fewer bytes come in two ways: fewer components (a rotation onto the
directions in which training faces vary most, fitted on other people than those measured), or fewer bits of all of
them, which needs no fitting since the components of unit rows are spread by 1 / sqrt(D).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings
from facespace.embed import BYTE_LIMIT, dequantise, quantise
from facespace.errors import InputError
from facespace.measure.context import Context
from facespace.measure.experiment import experiment
from facespace.measure.result import MEASURED, Cell, Column, Result, Table, percent, plain
from facespace.measure.sweep import On, Point, Target, differs, targets
from facespace.metrics import compare_tar
from facespace.models import ModelSpec

# Steps of the uniform quantisers that lose least of a normal spread of 1 (Max 1960, table II): bits -> step.
MAX_STEP = {4: 0.3352, 2: 0.9957}

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class CompactForm:
    """A way to store an embedding."""

    name: str  # for people
    n_bytes: int  # of one embedding
    apply: Callable[[Rows], Rows]  # unit rows (N, D) -> the unit rows (N, d) that the stored form stands for


def fit_rotation(training: Rows, dim: int) -> Rows:
    """The ``dim`` directions, shape (D, dim), that keep most of unit rows (N, D) of training faces.

    Principal directions about the origin and not about the mean, since distances are between directions.

    Raises:
        InputError: rows that are not of unit length, or fewer components than asked for.
    """
    rows = check_embeddings(training, "training").astype(np.float64)
    if not 1 <= dim <= rows.shape[1]:
        raise InputError(f"dim: expected 1 to {rows.shape[1]}, got {dim}")
    _, vectors = np.linalg.eigh(rows.T @ rows)
    return np.asarray(vectors[:, ::-1][:, :dim], np.float32)


def few_bits(rows: Rows, bits: int) -> Rows:
    """Unit rows (N, D) after each component was kept in 2 or 4 bits: 2**bits even steps about zero.

    Raises:
        InputError: another number of bits.
    """
    if bits not in MAX_STEP:
        raise InputError(f"bits: expected 2 or 4, got {bits}")
    step = MAX_STEP[bits] / np.sqrt(rows.shape[1])
    half = 2 ** (bits - 1)
    level = np.clip(np.floor(rows / step), -half, half - 1) + 0.5
    return _unit(level.astype(np.float32))


def compact_forms(spec: ModelSpec, training: Rows) -> list[CompactForm]:
    """Floats, the model's bytes, and forms of a half and a quarter of these.

    Args:
        spec: the model's.
        training: unit rows (N, D) of training faces, for the rotations; never those that are measured.
    """
    dim = spec.dim
    forms = [CompactForm(f"{dim} floats", 4 * dim, lambda rows: rows)]
    if spec.byte_scale > 0:
        forms.append(
            CompactForm(f"{dim} x 1 byte", dim, lambda rows: dequantise(quantise(rows, spec.byte_scale)))
        )
    for part, bits in ((2, 4), (4, 2)):
        kept = dim // part
        forms.append(CompactForm(f"{dim} x {bits} bits", dim // part, partial(few_bits, bits=bits)))
        forms.append(
            CompactForm(f"{kept} of {dim} rotated components x 1 byte", kept, _rotated(training, kept))
        )
    return forms


def _rotated(training: Rows, dim: int) -> Callable[[Rows], Rows]:
    rotation = fit_rotation(training, dim)
    # The largest component of the training faces fills the byte.
    scale = 127.0 / max(float(np.abs(_unit(training @ rotation)).max()), 1e-6)
    return lambda rows: dequantise(quantise(_unit(rows @ rotation), scale))


def _unit(rows: Rows) -> Rows:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)


# Rotations are fitted on about so many training faces.
FITTED_ON = 3000
FAR = 1e-3


@experiment(
    "The 128 floats are used in training; they can be quantised to 128 bytes without loss of accuracy. Smaller "
    "embeddings are possible with a minor loss, for mobile devices. No number is given.",
    needs=("data", "model", "detector", "workers"),
    report={},
)
def run(
    context: Context,
    *,
    on: On = "both",
) -> Result:
    """Accuracy with floats, with one byte a component, and with 64 and 32 bytes an embedding."""
    training = context.training_faces.every(FITTED_ON)
    forms = compact_forms(context.embedder.spec, context.rows(training))
    sets = targets(context, on)
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
