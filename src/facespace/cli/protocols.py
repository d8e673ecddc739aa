"""`facespace evaluate lfw / youtube / holdout / photos / leaks`: the paper's protocols, and sets held apart."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli import figures
from facespace.cli.console import data_folder, progress, say, show_json
from facespace.cli.options import AsJson, Data, DetectorFile, ModelFile, Workers
from facespace.errors import InputError
from facespace.evaluate.defaults import N_FRAMES, N_SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from facespace.embed import Embedder
    from facespace.evaluate.holdout import HoldoutFaces
    from facespace.evaluate.lfw import PairDistances
    from facespace.faces.detect import Detector

__all__ = ["holdout", "leaks", "lfw", "photos", "youtube"]

Mode = Annotated[str, typer.Option(help="'detector' (our crop) or 'centre' (one fixed crop).")]
Against = Annotated[
    str | None, typer.Option(help="A second model, by name or file: is the first significantly better?")
]
Groups = Annotated[
    Path | None,
    typer.Option(
        help="Figures by group too: JSON {identity: group}, or CSV whose first column is the identity and each other "
        "one a kind of group."
    ),
]
GroupsPlot = Annotated[Path | None, typer.Option(help="PNG or SVG of the groups to write (extra 'report').")]
FACES_HELP = "crops in folders <identity>/<image>, a FaceTable, or an .npz with 'embedding' and 'labels'"


def lfw(
    data: Data = None,
    pairs: Annotated[Path | None, typer.Option(help="Pairs file in place of DATA/lfw/pairs.txt.")] = None,
    mode: Mode = "detector",
    flip: Annotated[bool, typer.Option("--flip", help="Add the mirror image's embedding.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="PNG to write: every false accept and false reject with its distance.")
    ] = None,
    against: Against = None,
    groups: Groups = None,
    groups_plot: GroupsPlot = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Accuracy on Labeled Faces in the Wild: `DATA/lfw/pairs.txt` and the pictures that it names.

    Example: facespace evaluate lfw --data ../shared/data --errors errors.png
    """
    from PIL import Image

    from facespace.evaluate.error_sheet import write_error_sheet
    from facespace.evaluate.lfw import measure_lfw, score_pairs
    from facespace.images import read_image

    if errors:
        figures.check_picture(errors, "--errors", (".png", ".jpg", ".jpeg"))
    root, finder = data_folder(data) / "lfw", _detector(mode, detector)
    grouping = figures.read_grouping(groups, groups_plot)
    measure = partial(measure_lfw, root, detector=finder, pairs=pairs, flip=flip, workers=workers)
    measured = _each(model, against, lambda embedder, done: measure(embedder, on_photo=done))
    if errors:
        write_error_sheet(
            measured[0], errors, picture=lambda name: Image.fromarray(read_image(root / name).pixels)
        )
        say(f"errors in {errors}")
    figures.show_pairs(score_pairs(measured[0]), measured, grouping, what="pictures", json=json)


def youtube(
    frames: Annotated[
        Path, typer.Argument(help="Folder of Name/video/frame.jpg, or Name/video.mp4.", show_default=False)
    ],
    splits: Annotated[Path | None, typer.Option(help="splits.txt; DATA/ytf/splits.txt unless given.")] = None,
    n_frames: Annotated[
        int, typer.Option("--frames", min=1, help="First detected frames of each video.")
    ] = N_FRAMES,
    mode: Mode = "detector",
    against: Against = None,
    groups: Groups = None,
    groups_plot: GroupsPlot = None,
    data: Data = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Accuracy on YouTube Faces: the mean similarity of all pairs of two videos' frames, over ten splits.

    Example: facespace evaluate youtube frame_images_DB --splits splits.txt
    """
    from facespace.evaluate.lfw import score_pairs
    from facespace.evaluate.youtube import measure_youtube

    listed = splits or data_folder(data) / "ytf" / "splits.txt"
    finder, grouping = _detector(mode, detector), figures.read_grouping(groups, groups_plot)
    measure = partial(measure_youtube, frames, listed, detector=finder, n_frames=n_frames, workers=workers)
    measured = _each(model, against, lambda embedder, done: measure(embedder, on_video=done))
    figures.show_pairs(score_pairs(measured[0]), measured, grouping, what="videos", json=json)


def holdout(
    faces: Annotated[
        Path | None, typer.Argument(help=f"DATA/faces/val unless given: {FACES_HELP}.", show_default=False)
    ] = None,
    splits: Annotated[int, typer.Option(min=1, help="Disjoint splits of the identities.")] = N_SPLITS,
    against: Annotated[
        str | None,
        typer.Option(
            help="A second model, or a second table of the same faces: is the first significantly better?"
        ),
    ] = None,
    groups: Groups = None,
    groups_plot: GroupsPlot = None,
    data: Data = None,
    model: ModelFile = None,
    json: AsJson = False,
) -> None:
    """TAR (VAL) at FAR 1e-2 to 1e-6: half against half of disjoint splits, and all pairs, of people not trained on.

    Example: facespace evaluate holdout --data ../shared/data --groups ../shared/data/faces/sources.json
    """
    from facespace.evaluate.holdout import evaluate_holdout

    source = faces or data_folder(data) / "faces" / "val"
    grouping = figures.read_grouping(groups, groups_plot)
    first = _read(source, model)
    second = _read_second(source, against) if against else None
    result = evaluate_holdout(first, n_splits=splits, intervals=True)
    figures.show_holdout(result, first, second, grouping, json=json)


def photos(
    collections: Annotated[
        list[Path], typer.Argument(help=f"One or more collections: {FACES_HELP}.", show_default=False)
    ],
    groups: Groups = None,
    groups_plot: GroupsPlot = None,
    model: ModelFile = None,
    json: AsJson = False,
) -> None:
    """The personal-photos protocol: TAR (VAL) at FAR 1e-2 to 1e-6 over all pairs of each collection.

    Example: facespace evaluate photos anna.npz bela.npz carla.npz
    """
    from facespace.evaluate.holdout import evaluate_photos

    if len({str(path) for path in collections}) < len(collections):
        raise InputError("expected each collection once")
    grouping = figures.read_grouping(groups, groups_plot)
    faces = {str(path): _read(path, model) for path in collections}
    figures.show_photos(evaluate_photos(faces, intervals=True), faces, grouping, json=json)


def leaks(
    train: Annotated[Path, typer.Argument(help=f"One set: {FACES_HELP}.", show_default=False)],
    test: Annotated[Path, typer.Argument(help="The other set, likewise.", show_default=False)],
    far: Annotated[
        float | None,
        typer.Option(
            help="Share of pairs of strangers that may seem to be one person; the least supported unless given."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=4.0, help="Distance of prototypes in place of that of the FAR."),
    ] = None,
    model: ModelFile = None,
    json: AsJson = False,
) -> None:
    """Name identities that seem to stand in both sets, by name and by embedding.

    Example: facespace evaluate leaks faces/train faces/val
    """
    from facespace.evaluate.leaks import find_leaks

    report = find_leaks(_read(train, model), _read(test, model), far=far, threshold=threshold)
    show_json(report) if json else figures.show_leaks(report)


def _each(
    model: str | None,
    against: str | None,
    measure: "Callable[[Embedder, Callable[[int, int], None]], PairDistances]",
) -> "list[PairDistances]":
    """What ``measure`` gives for the model and for the one it is set against."""
    from facespace.embed import Embedder

    measured = []
    for embedder in [Embedder(name) for name in (model, *([against] if against else []))]:
        with progress(embedder.spec.name) as done:
            measured.append(measure(embedder, done))
    return measured


def _detector(mode: str, detector: str | None) -> "Detector | None":
    from facespace.faces.detect import Detector

    if mode not in ("detector", "centre"):
        raise InputError(f"--mode: expected 'detector' or 'centre', got '{mode}'")
    return Detector(detector) if mode == "detector" else None


def _read(path: Path, model: str | None) -> "HoldoutFaces":
    """A table needs no model, unless one is named to check it against."""
    from facespace.embed import Embedder
    from facespace.evaluate.face_set import is_embedded, read_faces

    embedder = None if model is None and is_embedded(path) else Embedder(model)
    with progress("embedding") as on_face:
        return read_faces(path, embedder, on_face=on_face)


def _read_second(source: Path, against: str) -> "HoldoutFaces":
    """The same faces by another model: a table of them, or a model for the same crops."""
    from facespace.evaluate.face_set import is_embedded

    if is_embedded(Path(against)):
        return _read(Path(against), None)
    if is_embedded(source):
        raise InputError(f"--against: expected a second table beside the table {source}, got '{against}'")
    return _read(source, against)
