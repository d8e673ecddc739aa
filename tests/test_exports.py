"""The door: one list of public names, closed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facespace

SOURCE = Path(facespace.__file__)


@pytest.mark.parametrize("name", facespace.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    exported = getattr(facespace, name)
    assert exported.__name__ == name and exported.__doc__


def test_type_checkers_are_told_what_the_table_says() -> None:
    (block,) = [
        node for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body if isinstance(node, ast.If)
    ]
    told: dict[str, tuple[str, ...]] = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            assert node.module and all(
                alias.asname == alias.name for alias in node.names
            )  # exported on purpose
            told[node.module] = (*told.get(node.module, ()), *(alias.name for alias in node.names))
    assert told == facespace.EXPORTS
    assert list(facespace.EXPORTS) == sorted(facespace.EXPORTS)


def test_no_module_takes_the_place_of_a_public_name() -> None:
    modules = {path.stem for path in SOURCE.parent.iterdir()}
    assert not modules & set(facespace.__all__)


def test_public_names_stay_what_they_are_when_everything_is_loaded() -> None:
    code = (
        "import facespace, types; first = {n: getattr(facespace, n) for n in facespace.__all__}\n"
        "again = {n: getattr(facespace, n) for n in facespace.__all__}\n"
        "assert first == again and not any(isinstance(v, types.ModuleType) for v in again.values())\n"
        "from facespace import *\n"
        "assert set(facespace.__all__) <= set(globals()) and set(facespace.__all__) <= set(dir(facespace))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_not_public_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        facespace.nothing  # noqa: B018
