"""A template store whose indexes are held here and follow what it says has changed."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.models import ModelSpec
from facespace.store.held import HeldIndex
from facespace.store.template_store import Moment, TemplateStore
from facespace.store.templates import Templates


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
class Filed:
    """An index that was read from files.

    Attributes:
        token: of the files.
        position: of the log of removals up to which it knows them.
        index: of all templates up to its last one.
    """

    token: str
    position: int
    index: HeldIndex


@dataclass(frozen=True)
class _Held:
    """The index of one model as it was at a moment, how far it has read, and the token of its files."""

    moment: Moment
    last_id: int
    position: int
    index: HeldIndex
    token: str | None


class FollowedTemplates(TemplateStore):
    """A `TemplateStore` that tells what has come and what has gone; the templates that are searched are held here.

    Only what has changed since the last call is read, at first also what no file of an index holds. One byte a
    component is held, and 16 bytes of ids a template; of what lies in a file only what is used.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    @abstractmethod
    def removed(self, model: str, position: int) -> Removed:
        """The templates of the model with that sha256 that were removed after that position; 0 for all."""

    def last_id(self, model: str) -> int:
        """Of the newest template of the model with that sha256; 0 without any."""
        return self.extent(model).last_id

    def token(self, model: str) -> str | None:
        """Of the files of the index of the model with that sha256, as the store knows them now; None for none."""
        return None

    def filed(self, spec: ModelSpec, token: str) -> Filed | None:
        """The index in the files with that token; None where they are gone or cannot be used."""
        return None

    def index(self, spec: ModelSpec) -> HeldIndex:
        """See `TemplateStore.index`."""
        now, held = self.moment(), self._held.get(spec.sha256)
        if held is None or held.moment != now:
            held = self._follow(spec, now, held)
            # What an open transaction has written may be taken back: it is seen, but not kept.
            if now.is_final:
                self._held[spec.sha256] = held
        return held.index

    def _follow(self, spec: ModelSpec, now: Moment, before: _Held | None) -> _Held:
        token = self.token(spec.sha256)
        if before is None or before.token != token:  # somebody has built another one
            before = self._start(spec, now, token)
        gone = self.removed(spec.sha256, before.position)
        if not gone.is_whole:
            # Who cut the log has built an index, unless it is one that this process cannot read.
            before = self._start(spec, now, None)
            gone = self.removed(spec.sha256, before.position)
        index, last_id = before.index, before.last_id
        if len(gone.template_id):
            index = index.remove(gone.template_id)
        new = list(self.batches(model=spec.sha256, after=last_id, size=2**16))
        if new:
            index = index.add(Templates.joined(new))
            last_id = int(new[-1].template_id[-1])
        return _Held(now, last_id, gone.position, index, token)

    def _start(self, spec: ModelSpec, now: Moment, token: str | None) -> _Held:
        """What is followed from here: the index of the files, else an empty one."""
        filed = None if token is None else self.filed(spec, token)
        if filed is not None:
            last_id = int(filed.index.base.template_id[-1]) if len(filed.index.base) else 0
            return _Held(now, last_id, filed.position, filed.index, token)
        return _Held(now, 0, self.removed(spec.sha256, 0).position, HeldIndex.empty(spec.dim), token)
