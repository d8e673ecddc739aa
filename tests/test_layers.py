"""The layer rules of docs/architecture.md: an importer may name only what stands below it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facespace

PACKAGE = Path(facespace.__file__).parent

# What each part may import of facespace at module level or inside functions.
BASE = {"errors", "distance", "table", "saved_files", "regular_files", "spreadsheets"}
PICTURES = BASE | {"images"}
FACES = PICTURES | {"faces", "models"}
EMBED = BASE | {"models", "embed"}
GROUPS = EMBED | {"metrics"}
EXTRACT = FACES | EMBED | {"extract"}
STORE = EXTRACT | {"store"}
GALLERY = STORE | {"cluster", "search", "verify", "gallery", "metrics"}
LIBRARY = GALLERY | {"library"}
MAY_IMPORT = {
    "errors": set(),
    "distance": {"errors"},
    "table": {"errors", "distance", "saved_files", "table"},
    "saved_arrays": {"errors", "saved_files"},
    "saved_files": {"errors"},
    "regular_files": set(),
    "spreadsheets": {"errors", "saved_files"},
    "metrics": BASE | {"metrics"},
    "images": PICTURES,
    "models": BASE | {"models"},
    "faces": FACES,
    "embed": EMBED,
    "cluster": GROUPS | {"cluster"},
    "search": GROUPS | {"search"},
    "verify": GROUPS | {"verify"},
    "extract": EXTRACT,
    "store": STORE,
    "gallery": GALLERY,
    "library": LIBRARY,
    "evaluate": LIBRARY - {"library"} | {"evaluate", "measure"},
    "reproduce": LIBRARY - {"library"} | {"evaluate", "training", "reproduce"},
    "measure": LIBRARY - {"library"} | {"measure", "training", "__version__"},
    "web": LIBRARY | {"web"},
    "training": FACES | {"metrics", "training"},
}
HEAVY = ("torch", "matplotlib", "fastapi", "onnx", "scipy", "sklearn")


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


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_part_imports_only_what_stands_below_it(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part in ("cli", "__init__", "__main__"):
        return
    assert part in MAY_IMPORT, f"{part}: a new part needs its place in the layers"
    imported = {part_of(name) for name in imported_modules(path) if name.startswith("facespace.")}
    assert imported <= MAY_IMPORT[part], f"{path.name} imports {imported - MAY_IMPORT[part]}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_training_imports_torch(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] != "training":
        assert not any(name.split(".")[0] == "torch" for name in imported_modules(path))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_stay_readable(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_importing_facespace_loads_nothing_heavy() -> None:
    code = f"import facespace, sys; print([m for m in {HEAVY} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_the_public_names_are_what_can_be_imported() -> None:
    assert facespace.__all__ == sorted(facespace.__all__)
    for name in facespace.__all__:
        assert getattr(facespace, name) is not None
