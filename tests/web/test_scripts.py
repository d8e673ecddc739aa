"""The scripts of the pages: what imports what."""

import re
from graphlib import TopologicalSorter
from importlib.resources import files

SCRIPTS = {
    script.name: script.read_text(encoding="utf-8")
    for script in (files("facespace.web") / "static").iterdir()
    if script.name.endswith(".js")
}


def test_no_circles() -> None:
    imports = {name: re.findall(r'(?:import|from) "\./(.+?)"', text) for name, text in SCRIPTS.items()}
    assert sum(map(len, imports.values())) > 10
    order = list(TopologicalSorter(imports).static_order())
    assert set(order) == set(SCRIPTS)


def test_nothing_is_written_as_markup() -> None:
    for name, text in SCRIPTS.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), name
