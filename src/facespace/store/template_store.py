"""What a store of templates can do: the interface behind which an index or a remote engine may stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facespace.models import ModelSpec

__all__ = ["Hits", "TemplateStore", "Templates"]


@dataclass(frozen=True)
class Templates:
    """Templates of one model; parallel arrays of N.

    Attributes:
        model: sha256 of the embedder.
        face_id: int64, shape (N,).
        vectors: int8, shape (N, D), quantised by the byte scale of the model's stored spec.
        quality: float32, shape (N,), in [0, 1]; nan where it is not known.
    """

    model: str
    face_id: NDArray[np.int64]
    vectors: NDArray[np.int8]
    quality: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.face_id)


@dataclass(frozen=True)
class Hits:
    """The faces nearest to each of N probes, the nearest first; K for all probes, fewer where the store holds fewer.

    "Nearest" is by ``log_far``: the distances of two pairs of models do not mean the same, the rates at which
    strangers come as near do.

    Attributes:
        models: sha256 of the models whose templates took part.
        face_id: int64, shape (N, K); a face stands once in a row.
        model_idx: int64, shape (N, K), into ``models``: whose template was compared.
        distance: float64, shape (N, K), in [0, 4].
        threshold: float64, shape (N, K), of the pair of models at ``far``; nan where none was asked for.
        log_far: float64, shape (N, K), log10 of the false-accept rate that the distance stands for; see
            `facespace.models.FarCurve`, also for where it is measured and where extended.
        far: the false-accept rate of ``threshold``, of one comparison; None likewise.
    """

    models: tuple[str, ...]
    face_id: NDArray[np.int64]
    model_idx: NDArray[np.int64]
    distance: NDArray[np.float64]
    threshold: NDArray[np.float64]
    log_far: NDArray[np.float64]
    far: float | None

    @property
    def same(self) -> NDArray[np.bool_]:
        """Whether each counts as the probe's person: distance <= threshold; shape (N, K)."""
        return self.distance <= self.threshold

    @classmethod
    def empty(cls, n_probes: int, far: float | None) -> "Hits":
        """Nothing found for any probe."""
        whole, real = np.zeros((n_probes, 0), np.int64), np.zeros((n_probes, 0))
        return cls((), whole, whole, real, real, real, far)


class TemplateStore(Protocol):
    """Templates of faces by one or more models, each face with at most one template of a model."""

    def add_model(self, spec: ModelSpec) -> ModelSpec:
        """Remember a model; its thresholds are brought up to date, its byte scale stays what it was at first.

        Returns:
            the spec as it is now stored.

        Raises:
            ModelError: a model with that sha256 is known with another dimension.
        """

    def models(self) -> tuple[ModelSpec, ...]:
        """The specs of all models remembered, in the order they came."""

    def byte_scale(self, spec: ModelSpec) -> float:
        """The scale at which templates of ``spec``'s model are stored here: that which it first came with."""

    def count(self) -> dict[str, int]:
        """Templates of each model, by its sha256; models without any are left out."""

    def add(
        self,
        face_id: NDArray[np.int64],
        embeddings: NDArray[np.float32],
        spec: ModelSpec,
        *,
        quality: NDArray[np.float32],
    ) -> None:
        """Keep templates, in place of those that the faces have of this model: all or none.

        Args:
            face_id: int64, shape (N,), each once.
            embeddings: float32 unit rows, shape (N, D).
            spec: of the embedder.
            quality: float32, shape (N,); nan where it is not known.

        Raises:
            InputError: arrays of another shape, rows not of unit length, or a face twice.
            ModelError: the model has no byte form, or is known with another dimension.
        """

    def remove(self, face_id: NDArray[np.int64], *, model: str | None = None) -> int:
        """Drop the templates of these faces, of all models or of the one with that sha256; returns how many."""

    def batches(self, *, model: str | None = None, size: int = 4096) -> Iterator[Templates]:
        """All templates, or those of one model, at most ``size`` at a time, model by model in order of adding.

        The store may be written meanwhile: a template that stays is met exactly once.
        """

    def comparable(self, spec: ModelSpec) -> tuple[ModelSpec, ...]:
        """The models with templates that may meet embeddings of ``spec``'s model; its own first, then the newest.

        A face that has templates of several takes part with that of the first of them.

        Raises:
            IncompatibleModelsError: there are templates, all of models that may not meet them.
            ModelError: a pair of models is not calibrated, or of different dimensions.
        """

    def search(
        self, probes: NDArray[np.float32], spec: ModelSpec, *, k: int, far: float | None = None
    ) -> Hits:
        """The k nearest faces of each probe, ties by face id.

        Templates of the `comparable` models take part, each judged by its pair of models, of each face one.

        Args:
            probes: float32 unit rows, shape (N, D); compared as the bytes that would be stored of them.
            spec: of their embedder.
            k: at least 1.
            far: names the thresholds, at a rate that all pairs of models are calibrated at; None for none.

        Raises:
            InputError: probes of another shape or length, or k below 1.
            IncompatibleModelsError: there are templates, all of models that may not meet the probes'.
            ModelError: a pair of models has no distance at that FAR, or the model no byte form.
        """
