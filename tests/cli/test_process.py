"""The command line as a process: its streams, interrupts and names that a terminal would obey."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facespace.cli.console import readable
from fakes import draw_photo

LIST = [sys.executable, "-m", "facespace", "models", "list", "--json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_at_stdout_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(LIST, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "facespace: error: No space left on device while reading or writing\n"


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_closed_stdout_is_one_line_and_a_closed_pipe_none() -> None:
    command = " ".join(LIST)
    closed = subprocess.run(["sh", "-c", f"{command} >&-"], capture_output=True, text=True, check=False)
    assert closed.returncode == 2
    assert (
        closed.stderr.startswith("facespace: error: standard output is closed")
        and closed.stderr.count("\n") == 1
    )
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(LIST, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize(
    "module", ["facespace.cli", "typer", "facespace.cli.tree", "numpy", "onnxruntime", "sqlite3"]
)
def test_ctrl_c_while_loading_is_one_line(module: str, tmp_path: Path) -> None:
    draw_photo(tmp_path / "photos" / "1.png", "red")
    code = (
        "import sys\n"
        "class Interrupt:\n"
        f"    def find_spec(self, name, *_):\n        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        f"sys.argv = ['facespace', 'people', {str(tmp_path / 'photos')!r}, '--library', {str(tmp_path / 'l')!r}]\n"
        "from facespace.__main__ import main\nmain()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr.startswith("facespace: error: stopped") and ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Zoë 李 \U0001f600", "Zoë 李 \U0001f600"),
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\udcff.jpg", "\\udcff.jpg"),
        ("[bold]", "[bold]"),
    ],
)
def test_what_a_terminal_obeys_is_escaped(text: str, shown: str) -> None:
    assert readable(text) == shown


def test_version_and_help_need_no_terminal(tmp_path: Path) -> None:
    for option in ("--version", "--help"):
        ended = subprocess.run(
            [sys.executable, "-m", "facespace", option], capture_output=True, text=True, check=True, cwd=tmp_path,
        )  # fmt: skip
        assert ended.stdout and not ended.stderr
