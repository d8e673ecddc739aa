"""Lists of pairs to be decided: LFW's pairs.txt, and YouTube Faces' splits.txt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError

__all__ = ["PairList", "check_present", "read_pairs", "read_splits"]


@dataclass(frozen=True, eq=False)
class PairList:
    """Pairs by name, and who shows whom.

    Attributes:
        pairs: names of both pictures (`Name/Name_0001.jpg`) or videos (`Name/number`).
        same: shape (P,), True for pairs of one person.
        folds: shape (P,), 0 .. n_folds - 1.
    """

    pairs: tuple[tuple[str, str], ...]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]

    @property
    def names(self) -> list[str]:
        """All pictures or videos, each once, in order of first use."""
        return list(dict.fromkeys(name for pair in self.pairs for name in pair))

    @property
    def people(self) -> tuple[list[str], list[str]]:
        """The person on each side of each pair."""
        first, second = ([pair[side].split("/")[0] for pair in self.pairs] for side in (0, 1))
        return first, second

    def check_folds(self, path: Path) -> None:
        """Refuse what no accuracy by folds can come from, before any picture is read.

        Raises:
            DataError: fewer than two folds, or pairs of one kind only.
        """
        if len(np.unique(self.folds)) < 2:
            raise DataError(
                f"{path}: expected at least two folds, since each threshold comes from the others"
            )
        if self.same.all() or not self.same.any():
            raise DataError(f"{path}: expected pairs of one person and of two, met one kind only")


def read_pairs(path: Path) -> PairList:
    """Parse a pairs.txt: "folds n" (or "n"), then for each fold n same lines and n different lines.

    Raises:
        DataError: no such file, or lines that do not fit its header.
    """
    lines = [line.split() for line in _lines(path, "LFW's pairs.txt")]
    try:
        header = [int(field) for field in lines[0]]
        n_folds, n_each = header if len(header) == 2 else (1, *header)
    except (IndexError, ValueError) as error:
        raise DataError(f"{path}: expected a first line 'folds pairs' or 'pairs'") from error
    body = lines[1:]
    if len(body) != 2 * n_folds * n_each:
        raise DataError(f"{path}: expected {2 * n_folds * n_each} pairs by its header, met {len(body)}")
    pairs, same = zip(*(_pair(fields, path) for fields in body), strict=True) if body else ((), ())
    return PairList(tuple(pairs), np.array(same, bool), np.arange(len(body)) // (2 * n_each))


def read_splits(path: Path) -> PairList:
    """Parse a splits.txt: lines "split, pair, Name/video, Name/video, same".

    Raises:
        DataError: no such file, or lines of another form.
    """
    pairs, same, folds = [], [], []
    for line in _lines(path, "YouTube Faces' splits.txt"):
        fields = [field.strip() for field in line.split(",")]
        if not fields[0].isdigit():
            continue  # some copies begin with a line that names the columns
        if len(fields) < 5 or fields[4] not in ("0", "1") or "/" not in fields[2] or "/" not in fields[3]:
            raise DataError(f"{path}: expected 'split, pair, Name/video, Name/video, same', met '{line}'")
        pairs.append((fields[2], fields[3]))
        same.append(fields[4] == "1")
        folds.append(int(fields[0]) - 1)
    if not pairs:
        raise DataError(f"{path}: expected lines 'split, pair, Name/video, Name/video, same', met none")
    return PairList(tuple(pairs), np.array(same, bool), np.array(folds, np.int64))


def check_present(root: Path, names: Iterable[str]) -> None:
    """Refuse a pairs file some of whose pictures are missing.

    Raises:
        DataError: names the first of them, and how many more there are.
    """
    missing = [name for name in names if not (root / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"{root}: pictures named in the pairs file are missing: {missing[0]}{more}")


def _lines(path: Path, what: str) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"{path}: expected {what}, cannot read it: {error.strerror}") from error


def _pair(fields: Sequence[str], path: Path) -> tuple[tuple[str, str], bool]:
    try:
        if len(fields) == 3:
            name, first, second = fields
            return (_picture(name, first), _picture(name, second)), True
        name, first, other, second = fields
        return (_picture(name, first), _picture(other, second)), False
    except ValueError as error:
        raise DataError(
            f"{path}: expected 'name n m' or 'name n name m', met '{' '.join(fields)}'"
        ) from error


def _picture(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"
