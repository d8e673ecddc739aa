"""What goes on while pages are open: groups after corrections, photos read, a folder followed."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from facespace.errors import FacespaceError
from facespace.library import Library, ScanProgress

# So that a row of keystrokes is answered by one grouping.
QUIET_S = 0.4


@dataclass(frozen=True)
class State:
    """What goes on.

    Attributes:
        grouping: groups are being worked out, or will be in a moment.
        rounds: how often the groups have changed since the server began.
        doing: what is being done to the photos, for people; None where nothing is.
        done: photos or faces.
        todo: in all; 0 where it is not known.
        trouble: why the last work failed, else None.
    """

    grouping: bool = False
    rounds: int = 0
    doing: str | None = None
    done: int = 0
    todo: int = 0
    trouble: str | None = None

    def with_scan(self, scan: ScanProgress | None) -> "State":
        """As it is when another process may be scanning."""
        if self.doing is not None or scan is None or not scan.is_running:
            return self
        doing = "reading videos, by the second" if scan.stage == "videos" else "reading photos"
        return replace(self, doing=doing, done=scan.done, todo=scan.todo)


class Background:
    """One thread that groups and, while there is some, one for work on the photos.

    Args:
        library: opens the library, for the thread that asks.

    Attributes:
        stopping: set when the server ends; work on the photos heeds it.
    """

    def __init__(self, library: Callable[[], AbstractContextManager[Library]]) -> None:
        self.stopping = threading.Event()
        self._library = library
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._state = State()
        self._worker: threading.Thread | None = None
        self._grouping = threading.Thread(target=self._group_on, name="facespace-group", daemon=True)
        self._grouping.start()

    @property
    def state(self) -> State:
        """What goes on at the moment."""
        return self._state

    def group_soon(self) -> None:
        """Something has changed: work the suggestions out again in a moment."""
        self._set(grouping=True)
        self._changed.set()

    def start(self, work: "Work") -> bool:
        """Work on the photos in a thread, then group; False where one is at it already."""
        with self._lock:
            if self.stopping.is_set() or (self._worker is not None and self._worker.is_alive()):
                return False
            doing = "looking for new photos"
            self._state = replace(self._state, doing=doing, done=0, todo=0, trouble=None)
            self._worker = threading.Thread(target=self._work, args=(work,), name="facespace-work")
            self._worker.start()
        return True

    def regrouped(self) -> None:
        """The groups have changed: pages follow."""
        self._set(rounds=self._state.rounds + 1)

    def tell(self, doing: str | None, done: int = 0, todo: int = 0) -> None:
        """How far the work has come."""
        self._set(doing=doing, done=done, todo=todo)

    def complain(self, trouble: str) -> None:
        """What is amiss, in one line."""
        self._set(trouble=trouble)

    def stop(self) -> None:
        """End the threads; work on photos ends after those in flight, which are kept."""
        with self._lock:
            self.stopping.set()
        self._changed.set()
        for thread in (self._grouping, self._worker):
            if thread is not None:
                thread.join()

    def _work(self, work: "Work") -> None:
        try:
            work(self)
        except (FacespaceError, OSError) as error:
            self.complain(str(error))
        finally:
            self.group_soon()
            self.tell(None)

    def _group_on(self) -> None:
        while self._changed.wait() and not self.stopping.is_set():
            while self._changed.is_set() and not self.stopping.is_set():
                self._changed.clear()
                self.stopping.wait(QUIET_S)
            if self.stopping.is_set():
                return
            try:
                self._group()
            except (FacespaceError, OSError) as error:
                self.complain(str(error))
            if not self._changed.is_set():
                self._set(grouping=False)

    def _group(self) -> None:
        with self._library() as library:
            if library.regroup():
                self.regrouped()

    def _set(self, **changes: Any) -> None:
        with self._lock:
            self._state = replace(self._state, **changes)


Work = Callable[[Background], None]
