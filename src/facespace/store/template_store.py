"""What a store of templates can do: the interface behind which another database or a remote engine may stand.

A store keeps the templates and has an index of those of each model (`facespace.store.candidates`); the search
(`facespace.store.search`) is worked out here from the bytes of the candidates, so that answers are the same everywhere.

What the words of an interface promise, a store in one file keeps to the letter: a call is all or nothing, and a moment
is one for all reads. A remote engine may promise less; its class says what.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings
from facespace.embed import quantise
from facespace.errors import InputError, ModelError
from facespace.models import ModelSpec
from facespace.store.candidates import CandidateIndex, IndexState
from facespace.store.search import Hits, Pair, find_nearest, find_pairs
from facespace.store.templates import NewTemplates, Templates


class TemplateStore(ABC):
    """Templates of faces by one or more models, each face with at most one template of a model.

    An engine reads and writes those of one model: `keep_model`, `put`, `batches_of`, `of_some` and `n_broken`.
    """

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[object]:
        """All reads inside see the store at one moment."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[object]:
        """The writes inside are taken back if it ends with an error."""

    @abstractmethod
    def moment(self) -> Hashable:
        """Tells the state of the store now from others: of two equal ones all reads are the same. Cheap."""

    @abstractmethod
    def models(self, *, in_use: bool = False) -> tuple[ModelSpec, ...]:
        """The specs of all models remembered, or of those with templates, in the order they came."""

    @abstractmethod
    def keep_model(self, spec: ModelSpec) -> None:
        """Remember a spec in place of that of the same sha256, inside a transaction."""

    @abstractmethod
    def count(self) -> dict[str, int]:
        """Templates of each model, by its sha256, in the order the models came; those without any are left out."""

    @abstractmethod
    def faces(self, model: str | None = None) -> NDArray[np.int64]:
        """The ids of the faces with a template of the model with that sha256, or of any; increasing."""

    @abstractmethod
    def put(self, new: NewTemplates) -> None:
        """Write templates of a stored model in place of those that the faces have of it, inside a transaction."""

    @abstractmethod
    def remove(self, face_id: NDArray[np.int64], *, model: str | None = None) -> int:
        """Drop the templates of these faces, of all models or of the one with that sha256; returns how many."""

    @abstractmethod
    def batches_of(self, spec: ModelSpec, after: int, size: int) -> Iterator[Templates]:
        """The templates of a stored model; see `batches`."""

    @abstractmethod
    def of_some(self, spec: ModelSpec, face_id: NDArray[np.int64]) -> Templates | None:
        """The templates of some faces, each named once, by a stored model; None for none."""

    @abstractmethod
    def index(self, spec: ModelSpec) -> CandidateIndex:
        """The index of a stored model's templates as they are now; call it inside a snapshot."""

    @abstractmethod
    def n_broken(self, spec: ModelSpec) -> int:
        """How many templates of a stored model have not as many bytes as it has dimensions."""

    def add_model(self, spec: ModelSpec) -> ModelSpec:
        """Remember a model; its thresholds are brought up to date, its byte scale stays what it was at first.

        Returns:
            the spec as it is now stored.

        Raises:
            ModelError: a model with that sha256 is known with another dimension.
        """
        with self.transaction():
            known = self.model(spec.sha256)
            if known is not None and known.dim != spec.dim:
                raise ModelError(f"{spec.label}: expected {known.dim} dimensions as before, got {spec.dim}")
            first = spec.byte_scale if known is None else known.byte_scale or spec.byte_scale
            stored = spec if first == spec.byte_scale else replace(spec, byte_scale=first)
            if stored != known:
                self.keep_model(stored)
        return stored

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
        ids, grades = np.asarray(face_id, np.int64), np.asarray(quality, np.float32)
        rows = check_rows(embeddings, spec, "embeddings")
        if ids.shape != (len(rows),) or grades.shape != ids.shape:
            raise InputError(
                f"face_id, quality: expected shape ({len(rows)},), got {ids.shape} and {grades.shape}"
            )
        if len(np.unique(ids)) != len(ids):
            raise InputError("face_id: expected each face once, one stands there twice")
        with self.transaction():
            stored = self.add_model(spec)
            self.put(NewTemplates(spec.sha256, ids, quantise(rows, stored.byte_scale), grades))

    def batches(self, *, model: str | None = None, after: int = 0, size: int = 4096) -> Iterator[Templates]:
        """All templates, or those of one model, at most ``size`` at a time, model by model in order of adding.

        The store may be written meanwhile: a template that stays is met exactly once.

        Args:
            model: sha256; None for all.
            after: only templates with a later id.
            size: at least 1.
        """
        if size < 1:
            raise InputError(f"size: expected at least 1, got {size}")
        for spec in self._of(model):
            yield from self.batches_of(spec, after, size)

    def of_faces(self, face_id: NDArray[np.int64], *, model: str | None = None) -> list[Templates]:
        """The templates of these faces, of all models or of one; one item a model that has some, the newest first."""
        ids = np.unique(np.asarray(face_id, np.int64))
        with self.snapshot():
            found = [self.of_some(spec, ids) for spec in reversed(self._of(model))]
        return [one for one in found if one is not None]

    def problems(self) -> tuple[str, ...]:
        """What is wrong with models and templates, a line each; empty for a sound store."""
        return tuple(
            f"templates of {spec.label} that are not of {spec.dim} bytes: {n}"
            for spec in self.models()
            if (n := self.n_broken(spec))
        )

    def index_states(self) -> dict[str, IndexState]:
        """What a search of each model's templates rests on, by its sha256; models without any are left out."""
        with self.snapshot():
            return {spec.sha256: self.index(spec).state for spec in self.models(in_use=True)}

    def model(self, sha256: str | None) -> ModelSpec | None:
        """The spec of the model with that sha256, if it is remembered."""
        return next(iter(self._of(sha256)), None) if sha256 is not None else None

    def _of(self, model: str | None) -> list[ModelSpec]:
        """The models that are remembered, or the one with that sha256."""
        return [spec for spec in self.models() if model in (None, spec.sha256)]

    def byte_scale(self, spec: ModelSpec) -> float:
        """The scale at which templates of ``spec``'s model are stored here: that which it first came with."""
        stored = self.model(spec.sha256)
        return spec.byte_scale if stored is None else stored.byte_scale

    def comparable(self, spec: ModelSpec) -> tuple[Pair, ...]:
        """The models with templates that may meet embeddings of ``spec``'s model; its own first, then the newest.

        A face that has templates of several takes part with that of the first of them.

        Raises:
            IncompatibleModelsError: there are templates, all of models that may not meet them.
            ModelError: a pair of models is not calibrated, or of different dimensions.
        """
        with self.snapshot():
            return find_pairs(spec, self.models(in_use=True))

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
        rows = check_rows(probes, spec, "probes")
        if k < 1:
            raise InputError(f"k: expected at least 1, got {k}")
        with self.snapshot():
            scale = self.byte_scale(spec)
            found = [(pair, self.index(pair.stored)) for pair in self.comparable(spec)]
        return find_nearest(rows, scale, found, k=k, far=far)


def check_rows(rows: NDArray[np.float32], spec: ModelSpec, name: str) -> NDArray[np.float32]:
    """Unit rows (N, D) that a model with a byte form may have made.

    Raises:
        InputError: of another shape or length.
        ModelError: the model has no byte form.
    """
    checked = check_embeddings(rows, name)
    if checked.shape[1] != spec.dim:
        raise InputError(f"{name}: expected {spec.dim} components of {spec.label}, got {checked.shape[1]}")
    if not spec.byte_scale > 0:
        raise ModelError(
            f"{spec.label}: expected a model with a byte form, its byte_scale is {spec.byte_scale}"
        )
    return checked
