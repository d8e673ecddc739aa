"""1:N on arrays: closed-set rank-k (CMC) and open-set identification (FPIR, FNIR).

Terms and definitions: ISO/IEC 19795-1 and NIST's FRVT 1:N reports. A subject is as near as its nearest template.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings
from facespace.errors import InputError
from facespace.metrics.operating_point import MIN_FALSE_ACCEPTS

PROBES_PER_BLOCK = 512


@dataclass(frozen=True)
class OpenSetPoint:
    """Open-set errors at one threshold."""

    fpir: float  # false positive identification rate asked for: probes without a mate that find anybody
    # false negative identification rate: probes with a mate that do not find it among the first ``rank``
    # within the threshold; None where the probes cannot tell
    fnir: float | None
    threshold: float | None  # the largest distance of a match; None likewise
    fpir_met: float | None  # the rate at that threshold, at most ``fpir``; None likewise
    rank: int  # how many of the nearest subjects count as found
    n_mated: int  # probes whose subject is enrolled
    n_unmated: int  # probes whose subject is not
    reason: str | None = None  # why there is no figure, else None


@dataclass(frozen=True)
class Identification:
    """What a search of each probe in the gallery found."""

    # int64, shape (M,), of each mated probe: 1 where its own subject is the nearest. Another subject at the
    # same distance comes first, so that ties never flatter.
    rank: NDArray[np.int64]
    mate_distance: NDArray[np.float32]  # float32, shape (M,), of each mated probe to its own subject
    # float32, shape (U,), of each probe without a mate to the nearest subject
    nearest_distance: NDArray[np.float32]
    n_subjects: int  # subjects in the gallery

    def rank_k(self, k: int = 1) -> float:
        """Share of the mated probes whose subject is among the ``k`` nearest (closed set).

        Raises:
            InputError: no mated probe, or k below 1.
        """
        if k < 1 or not len(self.rank):
            raise InputError(f"expected k >= 1 and mated probes, got k = {k} and {len(self.rank)} of them")
        return float((self.rank <= k).mean())

    def cmc(self) -> NDArray[np.float64]:
        """Cumulative match characteristic, shape (n_subjects,): `rank_k` for k = 1, 2, ...

        Raises:
            InputError: no mated probe.
        """
        if not len(self.rank):
            raise InputError("expected mated probes, got none")
        found = np.bincount(self.rank, minlength=self.n_subjects + 1)[1:]
        return np.cumsum(found) / len(self.rank)

    def fnir_at_fpir(self, fpir: float, *, rank: int = 1) -> OpenSetPoint:
        """FNIR at the largest threshold whose FPIR is at most ``fpir``; ten false positives at least must be possible.

        Raises:
            InputError: a rate outside (0, 1].
        """
        if not 0.0 < fpir <= 1.0:
            raise InputError(f"fpir: expected a rate in (0, 1], got {fpir}")
        n_mated, n_unmated = len(self.rank), len(self.nearest_distance)
        if not n_mated or n_unmated * fpir < MIN_FALSE_ACCEPTS:
            reason = (
                f"{n_unmated} probes without a mate cannot support FPIR {fpir:g}: {10 / fpir:.0f} are needed"
                if n_mated
                else "no probe with a mate"
            )
            return OpenSetPoint(fpir, None, None, None, rank, n_mated, n_unmated, reason)
        nearest = np.sort(self.nearest_distance)
        allowed = int(fpir * n_unmated + 1e-9)
        first_refused = nearest[allowed] if allowed < n_unmated else np.inf
        seen = np.concatenate([nearest, self.mate_distance])
        below = seen[seen < first_refused]
        threshold = float(below.max()) if len(below) else 0.0
        found = (self.rank <= rank) & (self.mate_distance < first_refused)
        met = float((nearest < first_refused).mean())
        return OpenSetPoint(fpir, float(1 - found.mean()), threshold, met, rank, n_mated, n_unmated)


def identification(
    probes: NDArray[np.float32],
    probe_labels: NDArray[np.int64],
    gallery: NDArray[np.float32],
    gallery_labels: NDArray[np.int64],
) -> Identification:
    """Search every probe among the subjects of the gallery; a probe whose label is not enrolled has no mate.

    Args:
        probes: unit rows, shape (N, D).
        probe_labels: shape (N,).
        gallery: unit rows, shape (M, D), M >= 1; several templates a subject are welcome.
        gallery_labels: shape (M,).

    Raises:
        InputError: other shapes, rows that are not of unit length, an empty gallery.
    """
    rows, templates = check_embeddings(probes, "probes"), check_embeddings(gallery, "gallery")
    asked, enrolled = np.asarray(probe_labels), np.asarray(gallery_labels)
    if asked.shape != (len(rows),) or enrolled.shape != (len(templates),) or not len(templates):
        raise InputError(
            f"expected labels of shapes ({len(rows)},) and ({len(templates)},) and a gallery that is not empty, "
            f"got {asked.shape} and {enrolled.shape}"
        )
    order = np.argsort(enrolled, kind="stable")
    subjects, starts = np.unique(enrolled[order], return_index=True)
    ranks, mates, nearest = [], [], []
    for start in range(0, len(rows), PROBES_PER_BLOCK):
        block = slice(start, start + PROBES_PER_BLOCK)
        cosines = rows[block] @ templates[order].T
        distance = np.clip(2.0 - 2.0 * np.maximum.reduceat(cosines, starts, axis=1), 0.0, 4.0)
        place = np.minimum(np.searchsorted(subjects, asked[block]), len(subjects) - 1)
        mated = subjects[place] == asked[block]
        mate = np.take_along_axis(distance, place[:, None], axis=1)
        ranks.append((distance <= mate).sum(1)[mated])
        mates.append(mate[mated, 0])
        nearest.append(distance[~mated].min(1))
    none = np.zeros(0, np.float32)
    return Identification(
        np.concatenate([none.astype(np.int64), *ranks]),
        np.concatenate([none, *mates]),
        np.concatenate([none, *nearest]),
        len(subjects),
    )
