"""`facespace gallery`: people in a file, and who of them a face shows."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli import gallery_shown
from facespace.cli.console import agreed, say, show, show_json, warn
from facespace.cli.gallery_opened import own_gallery
from facespace.cli.gallery_remote import enrol_asked, is_address, open_gallery, upgrade_asked
from facespace.cli.gallery_scale import refresh_index
from facespace.cli.options import (
    AsJson,
    DetectorFile,
    Far,
    Formulas,
    GalleryFile,
    GalleryKey,
    GalleryPlace,
    NetworkDevice,
    Workers,
    Yes,
)
from facespace.cli.progress import progress
from facespace.embed import Embedder
from facespace.errors import GalleryError, InputError
from facespace.extract import expand_paths, extract_table
from facespace.faces.detect import Detector
from facespace.gallery import (
    FPIR,
    NEAREST,
    Enrolment,
    Gallery,
    NamedPhotos,
    Progress,
    named_by_folder,
    named_by_labels,
)
from facespace.images import Unreadable
from facespace.models import BUILT_IN, VERIFY_FAR
from facespace.models.devices import AUTO
from facespace.table import FaceTable

__all__ = ["backup", "check", "enrol", "export", "identify", "list_", "remove", "search", "upgrade"]

Probes = Annotated[list[Path], typer.Argument(help="Photos, or folders of them.", show_default=False)]
Crops = Annotated[bool, typer.Option("--crops", help="The files are aligned faces already.")]
GalleryModel = Annotated[
    str | None, typer.Option("--model", help="Embedder, by name or file. Default: the gallery's model.")
]


def enrol(
    file: GalleryPlace,
    photos: Annotated[
        list[Path],
        typer.Argument(help="Photos, or folders of them. They are not changed.", show_default=False),
    ],
    subject: Annotated[str | None, typer.Option(help="All the photos show this person.")] = None,
    by_folder: Annotated[
        bool,
        typer.Option(
            "--by-folder", help="Each folder in PHOTOS holds one person, and is named like the person."
        ),
    ] = False,
    labels: Annotated[Path | None, typer.Option(help="CSV file with columns photo,person.")] = None,
    crops: Crops = False,
    min_quality: Annotated[float, typer.Option(min=0.0, max=1.0, help="Refuse poorer faces.")] = 0.0,
    model: GalleryModel = None,
    detector: DetectorFile = None,
    device: NetworkDevice = AUTO,
    workers: Workers = None,
    key: GalleryKey = None,
    json: AsJson = False,
) -> None:
    """Enrol people from their photos.

    The largest face of each photo is enrolled. A gallery that does not exist is created. Photos that are enrolled
    already are skipped, so run the same command again to resume.

    Example: facespace gallery enrol team.gallery photos --by-folder
    """
    named, unreadable = _named(photos, subject, by_folder, labels)
    if is_address(file):
        if crops or model or detector:
            raise InputError(
                "expected neither --crops, --model nor --detector: the service embeds by its own models"
            )
        result = enrol_asked(file, key, named, min_quality=min_quality)
        gallery_shown.enrolment(_with_unreadable(result, unreadable), file, json=json)
        return
    with own_gallery(file) as gallery, progress("enrolling") as on_photo:
        embedder = gallery.open_embedder(model, device=device)
        result = gallery.enrol(
            named, _detector(crops, detector, device), embedder, model_file=_named_file(model, embedder),
            min_quality=min_quality, workers=workers, on_photo=on_photo,
        )  # fmt: skip
        refresh_index(gallery)
    gallery_shown.enrolment(_with_unreadable(result, unreadable), file, json=json)


def identify(
    file: GalleryPlace,
    probes: Probes,
    fpir: Annotated[
        float,
        typer.Option(
            help="False-positive identification rate: the share of unknown people who may be taken for somebody."
        ),
    ] = FPIR,
    crops: Crops = False,
    model: GalleryModel = None,
    detector: DetectorFile = None,
    device: NetworkDevice = AUTO,
    workers: Workers = None,
    key: GalleryKey = None,
    json: AsJson = False,
) -> None:
    """Say who each face in photos is.

    Each face gets a name of the gallery, or "unknown".

    Example: facespace gallery identify team.gallery party.jpg
    """
    with open_gallery(file, key) as gallery:
        embedder = gallery.open_embedder(model, device=device)
        faces, unreadable = _probe_faces(probes, _detector(crops, detector, device), embedder, workers)
        found = gallery.identify(faces.embedding, embedder.spec, fpir=fpir)
    gallery_shown.identities(found, faces, unreadable, file, embedder.spec.label, json=json)


def search(
    file: GalleryPlace,
    probes: Probes,
    k: Annotated[int, typer.Option("-k", min=1, help="How many of the nearest faces.")] = NEAREST,
    far: Far = VERIFY_FAR,
    crops: Crops = False,
    model: GalleryModel = None,
    detector: DetectorFile = None,
    device: NetworkDevice = AUTO,
    workers: Workers = None,
    key: GalleryKey = None,
    json: AsJson = False,
) -> None:
    """List the enrolled faces nearest to each face in photos.

    Example: facespace gallery search team.gallery party.jpg -k 3
    """
    with open_gallery(file, key) as gallery:
        embedder = gallery.open_embedder(model, device=device)
        faces, unreadable = _probe_faces(probes, _detector(crops, detector, device), embedder, workers)
        found, states = gallery.search(faces.embedding, embedder.spec, k=k, far=far), gallery.index_states()
    gallery_shown.matches(found, faces, unreadable, file, embedder.spec.label, far, states, json=json)


def remove(
    file: GalleryPlace,
    subject: Annotated[
        list[str] | None, typer.Option(help="A person with all faces; may be repeated.")
    ] = None,
    photo: Annotated[
        list[str] | None, typer.Option(help="The faces of a photo, by its path; may be repeated.")
    ] = None,
    face: Annotated[list[int] | None, typer.Option(help="A face, by its id; may be repeated.")] = None,
    key: GalleryKey = None,
    json: AsJson = False,
) -> None:
    """Remove people, photos or faces.

    All their templates are deleted, and overwritten in the file.

    Example: facespace gallery remove team.gallery --subject "Ann Lee"
    """
    if not (subject or photo or face):
        raise InputError("expected what to remove: give --subject NAME, --photo PATH or --face ID")
    with open_gallery(file, key) as gallery:
        result = gallery.remove(subjects=subject or (), photos=photo or (), face_id=face or ())
        refresh_index(gallery)
    if not result.overwritten:
        warn(f"{file}: {result.left}")
    if json:
        show_json(result)
    else:
        show(f"removed {result.n_faces} faces from {file}")


def list_(
    file: GalleryPlace,
    subject: Annotated[str | None, typer.Option(help="The faces of this person, one by one.")] = None,
    key: GalleryKey = None,
    json: AsJson = False,
) -> None:
    """List who is enrolled.

    With the number of faces of each person, and the models of the templates.

    Example: facespace gallery list team.gallery
    """
    with open_gallery(file, key) as gallery:
        if subject is None:
            gallery_shown.overview(gallery.overview(), file, json=json)
        else:
            gallery_shown.faces(gallery.faces_of(subject), json=json)


def export(
    file: GalleryFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="File that ends in .csv, .json or .npz.")],
    csv_formulas: Formulas = "names",
    json: AsJson = False,
) -> None:
    """Write all faces to a CSV, JSON or NumPy file.

    An .npz file holds their templates too.

    Example: facespace gallery export team.gallery -o team.csv
    """
    with own_gallery(file, create=False) as gallery:
        n_faces = gallery.export(output, formulas=csv_formulas)
    if json:
        show_json({"faces": n_faces, "output": str(output)})
    else:
        show(f"{n_faces} faces in {output}")


def upgrade(
    file: GalleryPlace,
    to: Annotated[
        str | None,
        typer.Option(
            help="The newer model, by name or file. Default: the gallery's model, to resume an upgrade."
        ),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(help="Folder to search for photos that have moved, by their content."),
    ] = None,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Only make it the gallery's model, and embed no face again.")
    ] = False,
    back: Annotated[bool, typer.Option("--back", help="Go back to the previous model.")] = False,
    drop_old: Annotated[
        bool,
        typer.Option("--drop-old", help="Delete the old templates of faces that have new ones, for good."),
    ] = False,
    yes: Yes = False,
    device: NetworkDevice = AUTO,
    workers: Workers = None,
    key: GalleryKey = None,
    json: AsJson = False,
) -> None:
    """Move the gallery to a newer model.

    The newer model must be compatible with the old one. Nobody is enrolled again: the new model can search the old
    templates at once, and faces whose photos are available get new templates.

    Example: facespace gallery upgrade team.gallery --to v2.onnx
    """
    if sum([bool(to or at_once or photos), back, drop_old]) > 1:
        raise InputError("expected one of --to, --back and --drop-old")
    if is_address(file):
        upgrade_asked(file, key, None if photos or at_once or back or drop_old else to, json=json)
        return
    with own_gallery(file, create=False) as gallery:
        if back:
            _step_back(gallery, json=json)
        elif drop_old:
            _drop_old(gallery, yes=yes, json=json)
        else:
            _upgrade(gallery, to, photos, at_once=at_once, device=device, workers=workers, json=json)


def check(file: GalleryFile, json: AsJson = False) -> None:
    """Check that a gallery's file is sound.

    Reads all of it: pages, indexes, references, models and templates. Exit code 2 if something is wrong.

    Example: facespace gallery check team.gallery
    """
    with own_gallery(file, create=False) as gallery:
        problems = gallery.check()
    if json:
        show_json({"is_sound": not problems, "problems": problems})
    else:
        show(*(f"problem: {problem}" for problem in problems))
    if problems:
        raise GalleryError(
            f"{file}: expected a sound gallery, met {len(problems)} problems; put a backup in its place"
        )


def backup(
    file: GalleryFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File to write; an older backup is replaced.")
    ],
    json: AsJson = False,
) -> None:
    """Copy a gallery as it is now.

    Other programs may write it meanwhile. To recover, use the copy in its place.

    Example: facespace gallery backup team.gallery -o team.backup
    """
    with own_gallery(file, create=False) as gallery:
        gallery.backup(output)
    show_json({"file": output}) if json else show(f"{file} copied to {output}")


def _upgrade(
    gallery: Gallery,
    to: str | None,
    photos: Path | None,
    *,
    at_once: bool,
    device: str,
    workers: int | None,
    json: bool,
) -> None:
    embedder = gallery.open_embedder(to, device=device)
    with progress("looking at photos") as on_look, progress("embedding again") as on_face:

        def follow(now: Progress) -> None:
            on_face(now.n_done, now.n_faces, now.line())

        result = gallery.upgrade(
            embedder, model_file=_named_file(to, embedder), at_once=at_once, photos=photos,
            workers=workers, on_face=follow, on_look=on_look,
        )  # fmt: skip
    refresh_index(gallery)
    gallery_shown.upgrade(result, json=json)


def _step_back(gallery: Gallery, *, json: bool) -> None:
    entry, now = gallery.step_back(), gallery.progress()
    if json:
        show_json({"model": entry.spec.label, "progress": now.to_json()})
    else:
        show(f"{entry.spec.label} is the gallery's model again: {now.line()}")


def _drop_old(gallery: Gallery, *, yes: bool, json: bool) -> None:
    now = gallery.progress()
    say(now.line())
    agreed(f"Delete the old templates of these {now.n_done:,} faces? There is no way back", yes=yes)
    dropped = gallery.drop_old()
    refresh_index(gallery)
    if json:
        show_json({"dropped": dropped, "progress": now.to_json()})
    else:
        show(
            "; ".join(f"{n} templates of {label} deleted" for label, n in dropped.items())
            or "nothing to delete"
        )


def _with_unreadable(result: Enrolment, unreadable: list[Unreadable]) -> Enrolment:
    """A person whose folder cannot be opened is refused as a whole."""
    return dataclasses.replace(result, refused=(*unreadable, *result.refused))


def _named(
    photos: list[Path], subject: str | None, by_folder: bool, labels: Path | None
) -> tuple[NamedPhotos, list[Unreadable]]:
    """Each photo with whose it is, by the one of three options that was given; and what cannot be looked at."""
    if (subject is not None) + by_folder + (labels is not None) != 1:
        raise InputError(
            "whose photos are they? expected one of --subject NAME, --by-folder and --labels CSV"
        )
    if labels is not None:
        return named_by_labels(photos, labels, on_broken=warn), []
    if by_folder:
        unreadable: list[Unreadable] = []
        named, loose = named_by_folder(photos, on_unreadable=unreadable.append)
        if loose:
            warn(f"{len(loose)} photos are in no person's folder and were skipped, such as {loose[0]}")
        return named, unreadable
    found, missing = expand_paths(photos)
    return [(path, subject or "") for path in found], list(missing)


def _named_file(model: str | None, embedder: Embedder) -> str | None:
    """What later commands open it by: the name of a built-in model, else where the file lies."""
    if model is None or model == BUILT_IN["embedder"]:
        return model
    return str(embedder.path.absolute())


def _probe_faces(
    probes: list[Path], detector: Detector | None, embedder: Embedder, workers: int | None
) -> tuple[FaceTable, tuple[Unreadable, ...]]:
    with progress("finding faces") as on_photo:
        return extract_table(probes, detector, embedder, workers=workers, on_photo=on_photo)


def _detector(crops: bool, detector: str | None, device: str) -> Detector | None:
    return None if crops else Detector(detector, device=device)
