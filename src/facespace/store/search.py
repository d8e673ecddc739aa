"""Search over the templates of one or more models: which may meet, and the nearest of all of them together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.embed import quantise
from facespace.errors import IncompatibleModelsError, ModelError
from facespace.models import FarCurve, ModelSpec, common_threshold, far_curve
from facespace.store.candidates import CandidateIndex
from facespace.store.nearest import distances


@dataclass(frozen=True)
class Pair:
    """The probes' model with one whose templates may meet it.

    Attributes:
        probes: spec of the one.
        stored: spec of the other, as it is stored.
        curve: of comparing the two.
    """

    probes: ModelSpec
    stored: ModelSpec
    curve: FarCurve

    def threshold(self, far: float | None) -> float:
        """The distance at that false-accept rate; nan for None.

        Raises:
            ModelError: the pair is not calibrated there.
        """
        return np.nan if far is None else common_threshold(self.probes, _other(self.probes, self.stored), far)


def _other(spec: ModelSpec, stored: ModelSpec) -> ModelSpec:
    """The probes' own model as the probes' spec describes it, which may be the later one."""
    return spec if stored.sha256 == spec.sha256 else stored


@dataclass(frozen=True)
class Hits:
    """The faces nearest to each of N probes, the nearest first; K for all probes, fewer where the store holds fewer.

    "Nearest" is by ``log_far``: the distances of two pairs of models do not mean the same, the rates at which
    different people come as near do.

    Attributes:
        pairs: the probes' model with each whose templates took part.
        face_id: int64, shape (N, K); a face stands once in a row; -1 at the end of a row where an index that is not
            exact named fewer for this probe, with an infinite distance.
        model_idx: int64, shape (N, K), into ``pairs``: whose template was compared.
        distance: float64, shape (N, K), in [0, 4].
        threshold: float64, shape (N, K), of the pair of models at the FAR asked for; nan without one.
        log_far: float64, shape (N, K), log10 of the false-accept rate that the distance stands for; see
            `facespace.models.FarCurve`, also for where it is measured and where extended.
    """

    pairs: tuple[Pair, ...]
    face_id: NDArray[np.int64]
    model_idx: NDArray[np.int64]
    distance: NDArray[np.float64]
    threshold: NDArray[np.float64]
    log_far: NDArray[np.float64]

    @property
    def models(self) -> tuple[str, ...]:
        """The sha256 of the models whose templates took part."""
        return tuple(pair.stored.sha256 for pair in self.pairs)

    @property
    def same(self) -> NDArray[np.bool_]:
        """Whether each counts as the probe's person: distance <= threshold; shape (N, K)."""
        return self.distance <= self.threshold

    @classmethod
    def empty(cls, n_probes: int) -> "Hits":
        """Nothing found for any probe."""
        whole, real = np.zeros((n_probes, 0), np.int64), np.zeros((n_probes, 0))
        return cls((), whole, whole, real, real, real)


def find_pairs(spec: ModelSpec, stored: Sequence[ModelSpec]) -> tuple[Pair, ...]:
    """Those of the models, in the order they came, that may meet ``spec``'s: its own first, then the newest.

    Raises:
        IncompatibleModelsError: there are some, and none may.
        ModelError: a pair of models is not calibrated, or of different dimensions.
    """
    pairs, refused = [], []
    newest_first = list(reversed(stored))
    for known in sorted(newest_first, key=lambda known: known.sha256 != spec.sha256):
        try:
            curve = far_curve(spec, _other(spec, known))
        except IncompatibleModelsError:
            refused.append(known.label)
            continue
        if known.dim != spec.dim:
            raise ModelError(
                f"{spec.label}: {spec.dim} dimensions, {known.label}: {known.dim}; expected the same"
            )
        pairs.append(Pair(spec, known, curve))
    if refused and not pairs:
        raise IncompatibleModelsError(
            f"probes of {spec.label} cannot be compared with templates of {', '.join(refused)}: neither model "
            "declares compatibility; use the templates' model, or enrol the photos with the new one"
        )
    return tuple(pairs)


def find_nearest(
    probes: NDArray[np.float32],
    byte_scale: float,
    stored: Sequence[tuple[Pair, CandidateIndex]],
    *,
    k: int,
    far: float | None,
) -> Hits:
    """The k nearest of all models together; a face counts in the first index that has it.

    Args:
        probes: float32 unit rows, shape (N, D).
        byte_scale: at which they are compared.
        stored: the templates of each model.
        k: at least 1.
        far: names the thresholds.

    Raises:
        ModelError: a pair of models has no distance at that FAR.
    """
    if not stored:
        return Hits.empty(len(probes))
    vectors = quantise(probes, byte_scale)
    columns: list[tuple[NDArray[Any], ...]] = []
    for i, (pair, index) in enumerate(stored):
        candidates = index.search(vectors, k, before=[before for _, before in stored[:i]])
        distance = distances(vectors, candidates.vectors)
        distance[candidates.face_id < 0] = np.inf
        model_idx, threshold = (np.full(distance.shape, value) for value in (i, pair.threshold(far)))
        columns.append((candidates.face_id, model_idx, distance, threshold, pair.curve.log_far(distance)))
    face_id, model_idx, distance, threshold, log_far = (
        np.concatenate(parts, axis=1) for parts in zip(*columns, strict=True)
    )
    # Two distances of one pair may round to one rate: the distance decides before the face id.
    order = np.lexsort((face_id, distance, log_far), axis=1)[:, :k]
    order = order[:, (np.take_along_axis(face_id, order, axis=1) >= 0).any(axis=0)]
    face_id, model_idx, distance, threshold, log_far = (
        np.take_along_axis(column, order, axis=1)
        for column in (face_id, model_idx, distance, threshold, log_far)
    )
    return Hits(tuple(pair for pair, _ in stored), face_id, model_idx, distance, threshold, log_far)
