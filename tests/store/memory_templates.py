"""A second template store, in memory: what passes through it passes through the interface alone."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from facespace.embed import quantise
from facespace.errors import InputError
from facespace.models import ModelSpec
from facespace.store.followed import FollowedTemplates, Removed
from facespace.store.template_store import Extent, Moment, check_new, merged_spec
from facespace.store.templates import Templates


class MemoryTemplates(FollowedTemplates):
    """A `TemplateStore` whose templates end with it."""

    def __init__(self) -> None:
        super().__init__()
        self._specs: dict[str, ModelSpec] = {}
        self._templates: dict[str, Templates] = {}
        self._last_id = self._n_writes = 0
        self._removed: list[tuple[int, str]] = []

    def snapshot(self) -> AbstractContextManager[object]:
        """See `TemplateStore.snapshot`: nobody else writes here."""
        return nullcontext()

    def moment(self) -> Moment:
        """See `TemplateStore.moment`."""
        return Moment(self._n_writes, True)

    def add_model(self, spec: ModelSpec) -> ModelSpec:
        """See `TemplateStore.add_model`."""
        stored = self._specs[spec.sha256] = merged_spec(spec, self._specs.get(spec.sha256))
        if spec.sha256 not in self._templates:
            whole, vectors = np.zeros(0, np.int64), np.zeros((0, spec.dim), np.int8)
            self._templates[spec.sha256] = Templates(
                spec.sha256, whole, whole, vectors, np.zeros(0, np.float32)
            )
        return stored

    def models(self, *, in_use: bool = False) -> tuple[ModelSpec, ...]:
        """See `TemplateStore.models`."""
        return tuple(s for s in self._specs.values() if not in_use or len(self._templates[s.sha256]))

    def count(self) -> dict[str, int]:
        """See `TemplateStore.count`."""
        return {sha256: len(templates) for sha256, templates in self._templates.items() if len(templates)}

    def extent(self, model: str) -> Extent:
        """See `TemplateStore.extent`."""
        templates = self._of(model)
        last_ids = [int(one.template_id.max(initial=0)) for one in templates]
        return Extent(max(last_ids, default=0), sum(map(len, templates)))

    def removed(self, model: str, position: int) -> Removed:
        """See `FollowedTemplates.removed`."""
        ids = [number for number, of in self._removed[position:] if of == model]
        return Removed(np.array(ids, np.int64), len(self._removed))

    def faces(self, model: str | None = None) -> NDArray[np.int64]:
        """See `TemplateStore.faces`."""
        return np.unique(np.concatenate([np.zeros(0, np.int64), *(one.face_id for one in self._of(model))]))

    def add(
        self,
        face_id: NDArray[np.int64],
        embeddings: NDArray[np.float32],
        spec: ModelSpec,
        *,
        quality: NDArray[np.float32],
    ) -> None:
        """See `TemplateStore.add`."""
        ids, rows, grades = check_new(face_id, embeddings, spec, quality)
        stored = self.add_model(spec)
        self.remove(ids, model=spec.sha256)
        numbers, old = self._last_id + 1 + np.arange(len(ids)), self._templates[spec.sha256]
        self._templates[spec.sha256] = Templates(
            spec.sha256,
            np.concatenate([old.template_id, numbers]),
            np.concatenate([old.face_id, ids]),
            np.concatenate([old.vectors, quantise(rows, stored.byte_scale)]),
            np.concatenate([old.quality, grades.astype(np.float32)]),
        )
        self._last_id += len(ids)
        self._n_writes += 1

    def remove(self, face_id: NDArray[np.int64], *, model: str | None = None) -> int:
        """See `TemplateStore.remove`."""
        n_before, self._n_writes = sum(self.count().values()), self._n_writes + 1
        for one in self._of(model):
            gone = np.isin(one.face_id, face_id)
            self._removed += [(int(i), one.model) for i in one.template_id[gone]]
            self._templates[one.model] = one[~gone]
        return n_before - sum(self.count().values())

    def batches(self, *, model: str | None = None, after: int = 0, size: int = 4096) -> Iterator[Templates]:
        """See `TemplateStore.batches`."""
        if size < 1:
            raise InputError(f"size: expected at least 1, got {size}")
        for sha256 in [one.model for one in self._of(model)]:
            last = after
            while len(rest := self._templates[sha256][self._templates[sha256].template_id > last]):
                yield (batch := rest[np.arange(len(rest)) < size])
                last = int(batch.template_id[-1])

    def of_faces(self, face_id: NDArray[np.int64], *, model: str | None = None) -> list[Templates]:
        """See `TemplateStore.of_faces`."""
        found = [one[np.isin(one.face_id, face_id)] for one in reversed(self._of(model))]
        return [one for one in found if len(one)]

    def problems(self) -> tuple[str, ...]:
        """See `TemplateStore.problems`."""
        return ()

    def _of(self, model: str | None) -> list[Templates]:
        return [one for sha256, one in self._templates.items() if model in (None, sha256)]
