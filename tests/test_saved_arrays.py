from pathlib import Path

import numpy as np
import pytest

from facespace.errors import DataError
from facespace.saved_arrays import ArrayFolder

PAIR = (np.arange(3, dtype=np.int32), np.ones(3, np.float32))


def test_what_is_kept_is_found_again_and_another_input_drops_it(tmp_path: Path) -> None:
    kept = ArrayFolder(tmp_path / "new" / "k", "one")
    assert list(kept) == []
    kept["a"] = PAIR
    again = ArrayFolder(tmp_path / "new" / "k", "one")
    assert list(again) == ["a"] and all(map(np.array_equal, again["a"], PAIR))
    assert list(ArrayFolder(tmp_path / "new" / "k", "two")) == []


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\3\4" + bytes(40)])
def test_a_damaged_file_is_worked_out_again(tmp_path: Path, content: bytes) -> None:
    kept = ArrayFolder(tmp_path, "one")
    (tmp_path / "a.npz").write_bytes(content)
    assert kept.get("a") is None


@pytest.mark.parametrize(
    "names", [("mine.txt",), ("input.txt", "mine.txt"), ("mine.npz",), ("input.txt", "sub/x")]
)
def test_other_files_are_never_removed(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match="other files"):
        ArrayFolder(tmp_path, "one")
    assert all((tmp_path / name).read_text() == "mine" for name in names)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_place_that_cannot_keep_work_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        (tmp_path / "k").write_text("a file")
    else:
        (tmp_path / "k").mkdir()
        (tmp_path / "k" / "input.txt").write_bytes(content)
    with pytest.raises(DataError, match="cannot keep work there"):
        ArrayFolder(tmp_path / "k", "one")
