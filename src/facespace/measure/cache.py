"""Results and embeddings kept in a folder, so that a run continues where the last one stopped."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.measure.result import Result
from facespace.saved_files import write_beside


class Cache:
    """A folder of JSON results and arrays, each named by what it depends on.

    Args:
        folder: made at the first thing that is kept; None keeps nothing.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def result(self, name: str, facts: dict[str, Any]) -> Result | None:
        """The result of experiment ``name`` under the same facts; None where there is none that can be read."""
        path = self._path(name, facts, "json")
        try:
            return Result.from_json(json.loads(path.read_text(encoding="utf-8"))["result"]) if path else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep_result(self, name: str, facts: dict[str, Any], result: Result) -> None:
        """Keep an experiment's result."""
        if path := self._path(name, facts, "json"):
            document = {"experiment": name, "facts": facts, "result": result.to_json()}
            write_beside(path, json.dumps(document, indent=1).encode())

    def array(
        self, name: str, facts: dict[str, Any], make: Callable[[], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """An array that was kept under the same facts, else what ``make`` gives, kept from now on."""
        path = self._path(name, facts, "npy")
        if path and path.is_file():
            loaded: NDArray[np.float32] = np.load(path, allow_pickle=False)
            return loaded
        made = make()
        if path:
            file = io.BytesIO()
            np.save(file, made)
            write_beside(path, file.getvalue())
        return made

    def _path(self, name: str, facts: dict[str, Any], suffix: str) -> Path | None:
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{name}-{digest[:16]}.{suffix}" if self.folder else None
