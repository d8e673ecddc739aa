"""The seam below a search: an index names candidates, and what they are worth is worked out from their bytes.

An index may be exact or miss some, lie in memory, in a file or on another machine. It answers nothing: distances,
thresholds, rates and ties are worked out by `facespace.store.search` from the bytes of the candidates, so that a hit is
the same whichever index named it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facespace.models import ModelSpec

TWO_SIDED = 1.96  # standard errors of 95 %


@dataclass(frozen=True)
class Candidates:
    """Templates that may be the nearest to each of P probes, K columns.

    Attributes:
        face_id: int64, shape (P, K), each once in a row, in no order; -1 where a probe has fewer.
        vectors: int8, shape (P, K, D), as they are stored; zeros where a probe has fewer.
    """

    face_id: NDArray[np.int64]
    vectors: NDArray[np.int8]


@dataclass(frozen=True)
class Recall:
    """How many of the hits within a threshold an index names, by comparison with an exact search.

    Attributes:
        share: of the hits, in [0, 1].
        n_hits: on which it rests.
        k: the hits are among the k nearest of each probe.
        far: the false-accept rate whose distance is the threshold.
        probes: whose hits: "stored" templates without themselves, or "drawn" ones around them.
    """

    share: float
    n_hits: int
    k: int
    far: float
    probes: str

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share of all hits lies at 95 %, by Wilson's formula, hits taken one by one."""
        return share_interval(self.share, self.n_hits, TWO_SIDED)

    def line(self) -> str:
        """For people."""
        low, high = self.interval
        return (
            f"{self.share:.1%} ({low:.1%} to {high:.1%}) of {self.n_hits:,} hits within the distance "
            f"at FAR {self.far:g}"
        )

    def to_json(self) -> dict[str, Any]:
        """What the commands print."""
        return {**asdict(self), "interval": self.interval}


def share_interval(share: float, n: int, z: float) -> tuple[float, float]:
    """Wilson's interval, ``z`` standard errors wide to each side, of a share that was met among ``n``; all for none."""
    if not n:
        return 0.0, 1.0
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def moment_now() -> str:
    """ISO 8601, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rarest(spec: ModelSpec) -> tuple[float, float]:
    """The rarest false-accept rate that a model is calibrated at, and its distance; FAR 1 and 4 for none."""
    known = {float(far): d for far, d in spec.distances.items() if d is not None}
    return min(known.items()) if known else (1.0, 4.0)


@dataclass(frozen=True)
class IndexState:
    """What a search of the templates of one model rests on.

    Attributes:
        kind: "exact", or that of an index which may miss some, such as "ivf".
        n: templates that are searched.
        n_tail: of these, the ones compared one by one since they are newer than the index.
        recall: measured when the index was built; None where it names all hits, or was not measured.
        built: when that was, ISO 8601, UTC; None where nothing was built.
    """

    kind: str
    n: int
    n_tail: int = 0
    recall: Recall | None = None
    built: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the k nearest are found for certain."""
        return self.kind == "exact"

    def line(self) -> str:
        """For people."""
        if self.is_exact:
            return f"exact search of {self.n:,} templates"
        index = f"{self.kind} index of {self.n:,} templates"
        if self.recall is None:
            return f"{index}; its recall is not measured yet: facespace gallery index"
        if not self.recall.n_hits:
            return f"{index}; no two are near enough to measure its recall"
        tail = f"; {self.n_tail:,} newer ones are all compared" if self.n_tail else ""
        return f"{index} finds {self.recall.line()}{tail}"

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read what `to_json` gave, such as from a service."""
        known = {name: document[name] for name in ("kind", "n", "n_tail", "built")}
        recall = document["recall"]
        if recall is not None:
            recall = Recall(*(recall[name] for name in ("share", "n_hits", "k", "far", "probes")))
        return cls(**known, recall=recall)

    def to_json(self) -> dict[str, Any]:
        """What the commands print."""
        recall = None if self.recall is None else self.recall.to_json()
        return {**asdict(self), "recall": recall, "is_exact": self.is_exact}


class CandidateIndex(ABC):
    """The templates of one model, each face with one: which of them may be the nearest to a probe.

    An index does not change, so that a search that is under way in another thread goes on with what it has.
    """

    @abstractmethod
    def search(
        self, probes: NDArray[np.int8], k: int, *, before: "Sequence[CandidateIndex]" = ()
    ) -> Candidates:
        """At least the k nearest templates of each probe, or what is likely to be that.

        Of templates that tie with the k-th those of the smaller face ids come first.

        Args:
            probes: byte vectors, shape (P, D).
            k: at least 1.
            before: indexes of other models; faces that one of these holds take no part here.

        Returns:
            at least min(k, templates that take part) candidates a probe.
        """

    @abstractmethod
    def holds(self, face_id: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these faces have a template here, shape (N,)."""

    @property
    @abstractmethod
    def state(self) -> IndexState:
        """What a search rests on."""
