"""A second template store, in memory: what passes through it passes through the interface alone."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from facespace.models import ModelSpec
from facespace.store.held import HeldIndex
from facespace.store.template_store import TemplateStore
from facespace.store.templates import NewTemplates, Templates


class MemoryTemplates(TemplateStore):
    """A `TemplateStore` whose templates end with it."""

    def __init__(self) -> None:
        self._specs: dict[str, ModelSpec] = {}
        self._templates: dict[str, Templates] = {}
        self._last_id = self._n_writes = 0

    def snapshot(self) -> AbstractContextManager[object]:
        """See `TemplateStore.snapshot`: nobody else writes here."""
        return nullcontext()

    def moment(self) -> int:
        """See `TemplateStore.moment`."""
        return self._n_writes

    def transaction(self) -> AbstractContextManager[object]:
        """See `TemplateStore.transaction`: what is checked before it is written cannot fail."""
        return nullcontext()

    def keep_model(self, spec: ModelSpec) -> None:
        """See `TemplateStore.keep_model`."""
        self._specs[spec.sha256] = spec
        whole, vectors = np.zeros(0, np.int64), np.zeros((0, spec.dim), np.int8)
        none = Templates(spec.sha256, whole, whole, vectors, np.zeros(0, np.float32))
        self._templates.setdefault(spec.sha256, none)

    def models(self, *, in_use: bool = False) -> tuple[ModelSpec, ...]:
        """See `TemplateStore.models`."""
        return tuple(s for s in self._specs.values() if not in_use or len(self._templates[s.sha256]))

    def count(self) -> dict[str, int]:
        """See `TemplateStore.count`."""
        return {sha256: len(templates) for sha256, templates in self._templates.items() if len(templates)}

    def faces(self, model: str | None = None) -> NDArray[np.int64]:
        """See `TemplateStore.faces`."""
        return np.unique(np.concatenate([np.zeros(0, np.int64), *(one.face_id for one in self._kept(model))]))

    def put(self, new: NewTemplates) -> None:
        """See `TemplateStore.put`."""
        self.remove(new.face_id, model=new.model)
        numbers = self._last_id + 1 + np.arange(len(new.face_id))
        added = Templates(new.model, numbers, new.face_id, new.vectors, new.quality)
        self._templates[new.model] = joined(self._templates[new.model], added)
        self._last_id += len(new.face_id)
        self._n_writes += 1

    def remove(self, face_id: NDArray[np.int64], *, model: str | None = None) -> int:
        """See `TemplateStore.remove`."""
        n_before, self._n_writes = sum(self.count().values()), self._n_writes + 1
        for one in self._kept(model):
            gone = np.isin(one.face_id, face_id)
            self._templates[one.model] = some(one, ~gone)
        return n_before - sum(self.count().values())

    def batches_of(self, spec: ModelSpec, after: int, size: int) -> Iterator[Templates]:
        """See `TemplateStore.batches_of`."""
        while len(
            rest := some(self._templates[spec.sha256], self._templates[spec.sha256].template_id > after)
        ):
            yield (batch := some(rest, np.arange(len(rest)) < size))
            after = int(batch.template_id[-1])

    def of_some(self, spec: ModelSpec, face_id: NDArray[np.int64]) -> Templates | None:
        """See `TemplateStore.of_some`."""
        templates = self._templates[spec.sha256]
        found = some(templates, np.isin(templates.face_id, face_id))
        return found if len(found) else None

    def index(self, spec: ModelSpec) -> HeldIndex:
        """See `TemplateStore.index`."""
        return HeldIndex.empty(spec.dim).add([self._templates[spec.sha256]])

    def n_broken(self, spec: ModelSpec) -> int:
        """See `TemplateStore.n_broken`."""
        return 0

    def _kept(self, model: str | None) -> list[Templates]:
        return [one for sha256, one in self._templates.items() if model in (None, sha256)]


COLUMNS = ("template_id", "face_id", "vectors", "quality")


def some(templates: Templates, which: NDArray[np.bool_]) -> Templates:
    return Templates(templates.model, *(getattr(templates, name)[which] for name in COLUMNS))


def joined(one: Templates, other: Templates) -> Templates:
    columns = (np.concatenate([getattr(one, name), getattr(other, name)]) for name in COLUMNS)
    return Templates(one.model, *columns)
