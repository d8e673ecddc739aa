"""`facespace gallery`: people in a file, and who of them a face shows."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli import gallery_shown
from facespace.cli.console import answer, warn
from facespace.cli.gallery_opened import is_address, own_gallery
from facespace.cli.gallery_remote import AskedGallery, enrol_asked, open_gallery
from facespace.cli.gallery_scale import refresh_index
from facespace.cli.gallery_shown import Asked
from facespace.cli.options import (
    AsJson,
    DetectorFile,
    Far,
    GalleryKey,
    GalleryPlace,
    NetworkDevice,
    Population,
    Workers,
)
from facespace.cli.progress import progress
from facespace.embed import Embedder
from facespace.errors import InputError
from facespace.extract import expand_paths, extract_table
from facespace.faces.detect import Detector
from facespace.gallery import (
    FPIR,
    NEAREST,
    Enrolment,
    Gallery,
    NamedPhotos,
    named_by_folder,
    named_by_labels,
)
from facespace.images import Unreadable
from facespace.models import BUILT_IN, VERIFY_FAR, ModelSpec
from facespace.models.devices import AUTO
from facespace.table import FaceTable

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
            named, _detector(crops, detector, device), embedder, model_file=named_file(model, embedder),
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
    population: Population = None,
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
        spec = _judged_as(gallery, embedder.spec, population)
        faces, unreadable = _probe_faces(probes, _detector(crops, detector, device), embedder, workers)
        found = gallery.identify(faces.embedding, spec, fpir=fpir)
    gallery_shown.identities(found, Asked(file, faces, unreadable, spec, population), json=json)


def search(
    file: GalleryPlace,
    probes: Probes,
    k: Annotated[int, typer.Option("-k", min=1, help="How many of the nearest faces.")] = NEAREST,
    far: Far = VERIFY_FAR,
    population: Population = None,
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
        spec = _judged_as(gallery, embedder.spec, population)
        faces, unreadable = _probe_faces(probes, _detector(crops, detector, device), embedder, workers)
        found, states = gallery.search(faces.embedding, spec, k=k, far=far), gallery.index_states()
    gallery_shown.matches(found, Asked(file, faces, unreadable, spec, population), far, states, json=json)


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
    answer(result, f"removed {result.n_faces} faces from {file}", json=json)


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


def named_file(model: str | None, embedder: Embedder) -> str | None:
    """What later commands open it by: the name of a built-in model, else where the file lies."""
    if model is None or model == BUILT_IN["embedder"]:
        return model
    return str(embedder.path.absolute())


def _judged_as(gallery: Gallery | AskedGallery, spec: ModelSpec, population: str | None) -> ModelSpec:
    """The spec of the probes with the thresholds of a population."""
    if population is None:
        return spec
    if not isinstance(gallery, Gallery):
        raise InputError("expected no --population: the service judges by the thresholds of its own models")
    for other in gallery.templates.models(in_use=True):
        if other.sha256 != spec.sha256:
            warn(f"templates of {other.label}: the distances between two models are of one population")
    return spec.on_population(population)


def _probe_faces(
    probes: list[Path], detector: Detector | None, embedder: Embedder, workers: int | None
) -> tuple[FaceTable, tuple[Unreadable, ...]]:
    with progress("finding faces") as on_photo:
        return extract_table(probes, detector, embedder, workers=workers, on_photo=on_photo)


def _detector(crops: bool, detector: str | None, device: str) -> Detector | None:
    return None if crops else Detector(detector, device=device)
