"""Files written in one step and opened without surprises."""

import os
import shutil
import stat
import time
from pathlib import Path

import pytest

from facespace.errors import WriteError
from facespace.saved_files import (
    MACHINE,
    clean_leftovers,
    write_beside,
    written_beside,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_and_its_folders_are_made_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "c.txt"
    write_beside(target, b"")
    write_beside(target, b"new")
    assert target.read_bytes() == b"new" and [p.name for p in target.parent.iterdir()] == ["c.txt"]


def test_private_files_and_all_their_new_folders_are_the_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_beside(tmp_path / "a" / "b" / "c.txt", b"x", private=True)
    finally:
        os.umask(before)
    assert [mode(tmp_path / p) for p in ("a", "a/b", "a/b/c.txt")] == [0o700, 0o700, 0o600]


def test_what_fails_leaves_the_old_file_and_no_part_of_the_new_one(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")

    def stop_half_way() -> None:
        with written_beside(target) as partial:
            partial.write_bytes(b"half of the n")
            raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        stop_half_way()
    assert target.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_longest_names_can_be_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "é" * 127, os.fsdecode(b"\xff" * 250)):
        write_beside(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"
    assert len(list(tmp_path.iterdir())) == 3


def test_an_error_of_the_disk_is_one_line_and_one_of_something_else_stays(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"file/a: cannot be written: .*name another place"):
        write_beside(tmp_path / "file" / "a", b"x")
    with pytest.raises(FileNotFoundError), written_beside(tmp_path / "a") as partial:
        shutil.copyfile(tmp_path / "absent", partial)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("machine", "process", "age_s", "stays"),
    [
        (MACHINE, 2**22 + 1, 0, False),  # above the largest number of a process
        (MACHINE, os.getpid(), 0, False),  # an earlier process of the same number
        (MACHINE, os.getppid(), 0, True),
        (MACHINE, os.getppid(), 90_000, False),
        ("0" * 8, 1, 0, True),
        ("0" * 8, 1, 90_000, False),
    ],
    ids=["no process", "itself", "alive", "alive, old", "elsewhere", "elsewhere, old"],
)
def test_what_a_killed_process_left_goes_with_the_next_that_writes_there(
    tmp_path: Path, machine: str, process: int, age_s: float, stays: bool
) -> None:
    left = [tmp_path / f".facespace-{machine}-{process}-{i}.partial" for i in range(2)]
    left[0].touch()
    left[1].mkdir()
    (tmp_path / "mine.partial").touch()
    for path in left:
        os.utime(path, (time.time() - age_s,) * 2)
    write_beside(tmp_path / "a", b"x")
    assert [path.exists() for path in left] == [stays] * 2
    assert (tmp_path / "mine.partial").exists()


def test_a_folder_is_written_in_one_step_too(tmp_path: Path) -> None:
    with written_beside(tmp_path / "t", private=True, folder=True) as partial:
        (partial / "x").touch()
        clean_leftovers(tmp_path)  # not what is being written
    assert [path.name for path in tmp_path.iterdir()] == ["t"] and mode(tmp_path / "t") == 0o700
