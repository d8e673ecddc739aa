"""The layer rules of docs/architecture.md: an importer may name only what stands below it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facespace

PACKAGE = Path(facespace.__file__).parent

# What each part may import of facespace at module level or inside functions.
BASE = {"errors", "distances", "table", "saved_files", "regular_files", "spreadsheets"}
PICTURES = BASE | {"images"}
FACES = PICTURES | {"faces", "models"}
EMBED = BASE | {"models", "embed"}
GROUPS = EMBED | {"metrics", "workers"}
EXTRACT = FACES | EMBED | {"workers", "extract"}
STORE = EXTRACT | {"store"}
GALLERY = STORE | {"cluster", "search", "verification", "gallery", "metrics"}
LIBRARY = GALLERY | {"library"}
MAY_IMPORT = {
    "errors": set(),
    "distances": {"errors"},
    "table": {"errors", "distances", "saved_files", "table", "table_files"},
    "table_files": {"errors", "saved_files"},
    "saved_arrays": {"errors", "saved_files"},
    "saved_files": {"errors"},
    "regular_files": set(),
    "spreadsheets": {"errors", "saved_files"},
    "workers": {"errors", "ray_workers"},
    "ray_workers": {"errors", "ray_cluster", "__version__"},
    "ray_cluster": {"errors"},
    "metrics": BASE | {"metrics"},
    "images": PICTURES,
    "models": BASE | {"models"},
    "faces": FACES,
    "embed": EMBED,
    "cluster": GROUPS | {"cluster"},
    "search": GROUPS | {"search"},
    "verification": GROUPS | {"verification"},
    "extract": EXTRACT,
    "store": STORE,
    "gallery": GALLERY,
    "library": LIBRARY,
    "measure": LIBRARY - {"library"} | {"measure", "training", "__version__"},
    "jobs": LIBRARY,
    "client": {"errors"},
    "http": {"errors", "http"},
    "web": LIBRARY | {"web", "http"},
    "service": GALLERY | {"service", "http", "table_files", "__version__"},
    "training": FACES | {"metrics", "training", "workers"},
}
POSIX_ONLY = {"fcntl", "grp", "posix", "pwd", "resource", "termios", "tty"}
HEAVY = ("torch", "matplotlib", "fastapi", "onnx", "scipy", "sklearn", "ray")


def imported_modules(path: Path) -> set[str]:
    """Full dotted names that a file imports, at any depth of its code."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(name: str) -> str:
    """`facespace.faces.align.x` -> `faces`."""
    return name.split(".")[1]


SOURCES = sorted(PACKAGE.rglob("*.py"))
# Above all other parts.
MAY_IMPORT["cli"] = {*MAY_IMPORT, "cli", "__version__"}
MAY_IMPORT["__main__"] = {"cli"}
MAY_IMPORT["__init__"] = MAY_IMPORT["cli"] - {"cli"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_part_imports_only_what_stands_below_it(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert part in MAY_IMPORT, f"{part}: a new part needs its place in the layers"
    imported = {part_of(name) for name in imported_modules(path) if name.startswith("facespace.")}
    assert imported <= MAY_IMPORT[part], f"{path.name} imports {imported - MAY_IMPORT[part]}"


def module_of(path: Path) -> str:
    """`faces/align.py` -> `facespace.faces.align`."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph() -> dict[str, set[str]]:
    """The modules that each module names in its imports, also those for types and those inside functions."""
    modules = {module_of(path): path for path in SOURCES if path != PACKAGE / "__init__.py"}
    graph = {}
    for module, path in modules.items():
        named = {name if name in modules else name.rpartition(".")[0] for name in imported_modules(path)}
        graph[module] = named & set(modules)
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules that reach one another."""
    reached = {module: _reached(graph, module) for module in graph}
    together = {
        frozenset(other for other in found if module in reached[other]) for module, found in reached.items()
    }
    return sorted((set(circle) for circle in together if circle), key=sorted)


def _reached(graph: dict[str, set[str]], module: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[module])
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += graph[one]
    return found


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, []),
        ({"a": {"b"}, "b": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [{"a", "b", "c"}]),
    ],
)
def test_a_circle_is_found(graph: dict[str, set[str]], expected: list[set[str]]) -> None:
    assert circles(graph) == expected


# To be opened.
KNOWN = ("facespace.cli.console", "facespace.web.site")


def test_no_modules_import_one_another() -> None:
    assert [circle for circle in circles(import_graph()) if not circle & set(KNOWN)] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_training_imports_torch(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] != "training":
        assert not any(name.split(".")[0] == "torch" for name in imported_modules(path))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_what_only_some_systems_have_is_imported_with_care(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = [name for node in tree.body for name in _names(node) if name in POSIX_ONLY]
    assert not bare or path.name == "speed.py", (
        f"{path.name} imports {bare}: Windows has none; try to import it, and do without"
    )


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    return [str(node.module).split(".")[0]] if isinstance(node, ast.ImportFrom) else []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_stay_readable(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_importing_facespace_loads_nothing_heavy() -> None:
    code = f"import facespace, sys; print([m for m in {HEAVY} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
