"""`facespace gallery` for many faces: create, load a table, build the index."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli import gallery_shown
from facespace.cli.console import answer, say, show_json, warn
from facespace.cli.gallery_opened import is_there, own_gallery
from facespace.cli.gallery_remote import AskedGallery
from facespace.cli.options import AsJson, GalleryFile, ModelFile
from facespace.cli.progress import progress
from facespace.errors import GalleryError, InputError
from facespace.gallery import (
    Gallery,
    NameOf,
    names_by_folder,
    names_by_labels,
    names_of_table,
    parts_of,
)
from facespace.gallery.plan import calibrate
from facespace.gallery.plan import plan as make_plan
from facespace.models import find_model, read_spec
from facespace.store import IndexSettings
from facespace.store.index_files import IndexFiles
from facespace.table import FaceTable
from facespace.table_files import read_manifest

DEFAULT = IndexSettings()
ExactUpTo = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Compare every template of a probe up to this many; beyond, use an index that may miss some hits "
        f"(default {DEFAULT.exact_up_to:,}).",
    ),
]
LeastRecall = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        max=0.9999,
        help="Share of the hits within the threshold that such an index has to find "
        f"(default {DEFAULT.least_recall}).",
    ),
]


def create(
    file: GalleryFile, exact_up_to: ExactUpTo = None, least_recall: LeastRecall = None, json: AsJson = False
) -> None:
    """Create an empty gallery.

    The first enrolment creates a gallery too; this one is for settings of its index.

    Example: facespace gallery create team.gallery --exact-up-to 2000000
    """
    if is_there(file):
        raise GalleryError(
            f"{file}: expected no gallery there; to change its settings: facespace gallery index"
        )
    with own_gallery(file) as gallery:
        settings = _set(gallery, exact_up_to, least_recall)
    line = f"{file} is an empty gallery; enrol people: facespace gallery enrol {file} PHOTOS --by-folder"
    answer({"gallery": file, "index_settings": settings}, line, json=json)


def load(
    file: GalleryFile,
    table: Annotated[
        Path, typer.Argument(help="Table of faces, as `facespace embed` writes it.", show_default=False)
    ],
    by_folder: Annotated[
        bool, typer.Option("--by-folder", help="Photos are named after the folder that they lie in.")
    ] = False,
    labels: Annotated[Path | None, typer.Option(help="CSV file with columns photo,person.")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="The table's embedder, by name or file. Default: the gallery's model."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Enrol the faces of a table.

    People are those whom the table names, unless --by-folder or --labels says who its photos show; photos without a
    name are passed over, and of a photo with several faces the largest is enrolled. Every 50,000 faces are safe at
    once; run the same command again to resume. At the end the index is brought up to date.

    Example: facespace gallery load team.gallery faces.table --by-folder
    """
    if by_folder and labels is not None:
        raise InputError("whose photos are they? expected one of --by-folder and --labels CSV")
    name_of: NameOf = names_by_folder if by_folder else names_of_table
    if labels is not None:
        name_of = names_by_labels(labels, on_broken=warn)
    n_new = n_done = n_passed = 0
    read_manifest(table)  # before a gallery is made for it
    with _taken_back(file), own_gallery(file) as gallery, progress("enrolling") as on_face:
        spec = gallery.open_embedder(model).spec
        total = sum(map(len, FaceTable.shards(table)))
        for faces, names, passed in parts_of(table, name_of):
            n_new += gallery.load(faces, names, spec)
            n_done, n_passed = n_done + len(faces), n_passed + passed
            on_face(n_done + n_passed, total)
        refresh_index(gallery)
        states = gallery.index_states()
    document = {
        "gallery": file, "faces": n_done, "new": n_new, "passed_over": n_passed,
        "indexes": {label: state.to_json() for label, state in states.items()},
    }  # fmt: skip
    lines = [f"{n_new:,} faces enrolled from {table} in {file}; {n_done - n_new:,} were enrolled already"]
    if n_passed:
        lines.append(f"{n_passed:,} faces passed over: no name, or not the largest of their photo")
    answer(document, *lines, json=json)


@contextmanager
def _taken_back(file: str) -> Iterator[None]:
    """A file that is made here goes again where nobody was enrolled in it, by a fault or an interruption."""
    is_new = "://" not in file and not Path(file).exists()
    try:
        yield
    except BaseException:
        if is_new and Path(file).is_file():
            with Gallery(file) as gallery:
                is_empty = not gallery.subjects()
            if is_empty:
                Path(file).unlink()
                IndexFiles(Path(file)).lock_path.unlink(missing_ok=True)
        raise


def index(
    file: GalleryFile,
    again: Annotated[bool, typer.Option("--again", help="Build it even if it is up to date.")] = False,
    exact_up_to: ExactUpTo = None,
    least_recall: LeastRecall = None,
    json: AsJson = False,
) -> None:
    """Build the index that searches use.

    From 50,000 faces on a file beside the gallery holds its templates, so that it opens at once. With more faces than
    --exact-up-to it also holds an index that may miss some hits; the share that it finds is measured and shown. All
    commands that enrol bring the index up to date, and an index can be deleted at any time.

    Example: facespace gallery index team.gallery
    """
    with own_gallery(file, create=False) as gallery:
        _set(gallery, exact_up_to, least_recall)
        is_built = refresh_index(gallery, again=again)
        gallery_shown.index(gallery.index_states(), file, is_built=is_built, json=json)


def plan(
    faces: Annotated[float, typer.Option(help="How many faces, such as 1e8.", min=1, max=1e12)],
    model: ModelFile = None,
    json: AsJson = False,
) -> None:
    """Say what a gallery of many faces costs.

    Memory, disk, time to build and to search, for each store, and the false identifications to expect. Some seconds
    are measured on this machine with drawn vectors; every figure is derived from them.

    Example: facespace gallery plan --faces 1e8
    """
    spec = read_spec(find_model(model, "embedder"))
    found = make_plan(int(faces), spec, calibrate(spec))
    show_json(found.to_json()) if json else gallery_shown.plan(found)


def refresh_index(gallery: Gallery | AskedGallery, *, again: bool = False) -> bool:
    """Bring the index up to date, with a bar; False where another process is at it."""
    if isinstance(gallery, AskedGallery):
        return False  # the service does
    with progress("building the index") as on_step:
        is_built = gallery.refresh_index(again=again, on_step=on_step)
    for label, state in gallery.index_states().items():
        if state.is_exact and state.n > gallery.index_settings.exact_up_to:
            say(f"{label}: all templates are compared; an index needs: pip install 'facespace[index]'")
    return is_built


def _set(gallery: Gallery, exact_up_to: int | None, least_recall: float | None) -> IndexSettings:
    now = gallery.index_settings
    settings = IndexSettings(exact_up_to or now.exact_up_to, least_recall or now.least_recall)
    if settings != now:
        gallery.roster.set_index(settings)
    return settings
