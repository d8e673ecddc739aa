"""The scripts of the pages and of the service's client: what imports what."""

import re
from graphlib import TopologicalSorter
from importlib.resources import files

import pytest

FOLDERS = {"pages": files("facespace.web") / "static", "client": files("facespace.service") / "client"}


def scripts_of(folder: str) -> dict[str, str]:
    return {
        script.name: script.read_text(encoding="utf-8")
        for script in FOLDERS[folder].iterdir()
        if script.name.endswith(".js")
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_circles(folder: str) -> None:
    scripts = scripts_of(folder)
    imports = {name: re.findall(r'(?:import|from) "\./(.+?)"', text) for name, text in scripts.items()}
    assert sum(map(len, imports.values())) > 5
    order = list(TopologicalSorter(imports).static_order())
    assert set(order) == set(scripts)


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_is_written_as_markup(folder: str) -> None:
    for name, text in scripts_of(folder).items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), name
