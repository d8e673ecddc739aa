"""Embeddings in fewer bytes (paper, section 5.5: 128 bytes instead of 128 floats), and in fewer still.

One byte per component is the model's own byte form. Fewer bytes come in two ways: fewer components (a rotation onto the
directions in which training faces vary most, fitted on other people than those measured), or fewer bits of all of
them, which needs no fitting since the components of unit rows are spread by 1 / sqrt(D).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings
from facespace.embed import dequantise, quantise
from facespace.errors import InputError
from facespace.models import ModelSpec

__all__ = ["CompactForm", "compact_forms", "few_bits", "fit_rotation"]

# Steps of the uniform quantisers that lose least of a normal spread of 1 (Max 1960, table II): bits -> step.
MAX_STEP = {4: 0.3352, 2: 0.9957}

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class CompactForm:
    """A way to store an embedding.

    Attributes:
        name: for people.
        n_bytes: of one embedding.
        apply: unit rows (N, D) -> the unit rows (N, d) that the stored form stands for.
    """

    name: str
    n_bytes: int
    apply: Callable[[Rows], Rows]


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
