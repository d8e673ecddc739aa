"""What goes on while pages are looked at: groups worked out anew after corrections, and photos scanned."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from facespace.errors import FacespaceError
from facespace.library import Library
from facespace.library.grouping import keep_groups, last_rule
from facespace.models import ModelSpec

__all__ = ["Background", "State"]

# So that a row of keystrokes is answered by one grouping.
QUIET_S = 0.4


@dataclass(frozen=True)
class State:
    """What goes on.

    Attributes:
        grouping: groups are being worked out, or will be in a moment.
        rounds: so many times the groups have come out otherwise since the server began.
        scanning: photos are being read by this server.
        done: photos read by the scan that is under way or was the last.
        todo: photos it has to read.
        trouble: why the last scan or grouping failed, else None.
    """

    grouping: bool = False
    rounds: int = 0
    scanning: bool = False
    done: int = 0
    todo: int = 0
    trouble: str | None = None


class Background:
    """One thread that groups and, while one is asked for, one that scans.

    Args:
        folder: of the library.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._state = State()
        self._scan: threading.Thread | None = None
        self._grouping = threading.Thread(target=self._group_on, name="facespace-group", daemon=True)
        self._grouping.start()

    @property
    def state(self) -> State:
        """What goes on at the moment."""
        return self._state

    def group_soon(self) -> None:
        """Something was said: work the suggestions out anew in a moment."""
        self._set(grouping=True)
        self._changed.set()

    def scan(self, read_photos: Callable[[Callable[[int, int], None]], None]) -> bool:
        """Read photos in a thread, then group; False where one is at it already.

        Args:
            read_photos: does it, and calls what it is given with (photos done, photos to do).
        """
        with self._lock:
            if self._state.scanning:
                return False
            self._state = _with(self._state, scanning=True, done=0, todo=0, trouble=None)
        self._scan = threading.Thread(target=self._scan_once, args=(read_photos,), daemon=True)
        self._scan.start()
        return True

    def stop(self) -> None:
        """End the threads; a scan ends after the photos in flight, which are kept."""
        self._stopping.set()
        self._changed.set()
        for thread in (self._grouping, self._scan):
            if thread is not None and thread is not threading.current_thread():
                thread.join()

    def _scan_once(self, read_photos: Callable[[Callable[[int, int], None]], None]) -> None:
        def on_photo(done: int, todo: int) -> None:
            self._set(done=done, todo=todo)
            if self._stopping.is_set():
                raise _StoppedError

        try:
            read_photos(on_photo)
        except _StoppedError:
            pass
        except FacespaceError as error:
            self._set(trouble=str(error))
        finally:
            self._set(scanning=False)
            self.group_soon()

    def _group_on(self) -> None:
        while self._changed.wait() and not self._stopping.is_set():
            while self._changed.is_set() and not self._stopping.is_set():
                self._changed.clear()
                self._stopping.wait(QUIET_S)
            if self._stopping.is_set():
                return
            try:
                self._group()
            except FacespaceError as error:
                self._set(trouble=str(error))
            if not self._changed.is_set():
                self._set(grouping=False)

    def _group(self) -> None:
        with Library(self._folder, create=False) as library:
            spec = grouped_by(library)
            if spec is None:
                return
            before = _groups(library)
            keep_groups(library, spec, last_rule(library))
            if _groups(library) != before:
                self._set(rounds=self._state.rounds + 1)

    def _set(self, **changes: object) -> None:
        with self._lock:
            self._state = _with(self._state, **changes)


class _StoppedError(Exception):
    """The server ends."""


def grouped_by(library: Library) -> ModelSpec | None:
    """The model that the groups stand by; None where nothing was grouped yet."""
    row = library.catalogue.execute("SELECT model FROM grouping").fetchone()
    return next((spec for spec in library.templates.models() if row and spec.sha256 == row[0]), None)


def _groups(library: Library) -> int:
    """A number that tells groupings apart."""
    return hash(tuple(library.catalogue.execute("SELECT face_id, person_id FROM assignments").fetchall()))


def _with(state: State, **changes: object) -> State:
    return replace(state, **changes)  # type: ignore[arg-type]
