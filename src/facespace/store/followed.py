"""A template store whose indexes are held here and follow what it says has changed."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.models import ModelSpec
from facespace.store.exact import ExactIndex
from facespace.store.template_store import Moment, TemplateStore
from facespace.store.templates import Templates

__all__ = ["FollowedTemplates", "Removed"]


@dataclass(frozen=True)
class Removed:
    """Templates of a model that were removed since some position of the store's log.

    Attributes:
        template_id: int64, shape (N,).
        position: of the last removal that the log knows.
        is_whole: False where the log does not reach back so far: what was removed is not all known.
    """

    template_id: NDArray[np.int64]
    position: int
    is_whole: bool = True


@dataclass(frozen=True)
class _Held:
    """The index of one model as it was at a moment, and how far it has read."""

    moment: Moment
    last_id: int
    position: int
    index: ExactIndex


class FollowedTemplates(TemplateStore):
    """A `TemplateStore` that tells what has come and what has gone; the templates that are searched are held here.

    Only what has changed since the last call is read. One byte a component is held, and 16 bytes of ids a template.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    @abstractmethod
    def removed(self, model: str, position: int) -> Removed:
        """The templates of the model with that sha256 that were removed after that position; 0 for all."""

    def index(self, spec: ModelSpec) -> ExactIndex:
        """See `TemplateStore.index`."""
        now, held = self.moment(), self._held.get(spec.sha256)
        if held is None or held.moment != now:
            held = self._follow(spec, now, held)
            # What an open transaction has written may be taken back: it is seen, but not kept.
            if now.is_final:
                self._held[spec.sha256] = held
        return held.index

    def _follow(self, spec: ModelSpec, now: Moment, before: _Held | None) -> _Held:
        if before is None:
            before = _Held(now, 0, self.removed(spec.sha256, 0).position, ExactIndex.empty(spec.dim))
        gone = self.removed(spec.sha256, before.position)
        if not gone.is_whole:
            return self._follow(spec, now, None)
        index, last_id = before.index, before.last_id
        if len(gone.template_id):
            index = index.remove(gone.template_id)
        new = list(self.batches(model=spec.sha256, after=last_id, size=2**16))
        if new:
            index = index.add(Templates.joined(new))
            last_id = int(new[-1].template_id[-1])
        return _Held(now, last_id, gone.position, index)
