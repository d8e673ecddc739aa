"""Results kept beside the report, so that a run goes on where the last one stopped."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.reproduce.blocks import Result
from facespace.saved_files import write_beside, written_beside

__all__ = ["Cache"]


class Cache:
    """A folder of JSON results and embeddings, each named by what it depends on.

    Args:
        folder: made at the first thing that is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def result(self, name: str, facts: dict[str, Any]) -> Result | None:
        """The result of part ``name`` under the same facts; None where there is none that can be read."""
        try:
            document = json.loads(self._path(name, facts, "json").read_text(encoding="utf-8"))
            return Result.from_json(document["result"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep_result(self, name: str, facts: dict[str, Any], result: Result) -> None:
        """Keep a part's result."""
        document = {"part": name, "facts": facts, "result": result.to_json()}
        write_beside(self._path(name, facts, "json"), json.dumps(document, indent=1).encode())

    def rows(
        self, name: str, facts: dict[str, Any], make: Callable[[], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """An array that was kept under the same facts, else what ``make`` gives, kept from now on."""
        path = self._path(name, facts, "npy")
        if path.is_file():
            loaded: NDArray[np.float32] = np.load(path, allow_pickle=False)
            return loaded
        made = make()
        with written_beside(path) as partial, partial.open("wb") as file:
            np.save(file, made)
        return made

    def _path(self, name: str, facts: dict[str, Any], suffix: str) -> Path:
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{name}-{digest[:16]}.{suffix}"
