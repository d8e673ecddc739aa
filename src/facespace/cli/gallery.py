"""`facespace gallery`: people in a file, and who of them a face shows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli import gallery_shown
from facespace.cli.console import console, progress, say, show_json, warn
from facespace.cli.options import AsJson, DetectorFile, Far, Workers
from facespace.errors import GalleryError, InputError
from facespace.gallery.identification import FPIR
from facespace.gallery.matches import NEAREST
from facespace.models import VERIFY_FAR

if TYPE_CHECKING:
    from facespace.embed import Embedder
    from facespace.faces.detect import Detector
    from facespace.gallery import Gallery, NamedPhotos, Progress
    from facespace.images import Unreadable
    from facespace.table import FaceTable

__all__ = ["app"]

app = typer.Typer(
    help="Enrol people in a gallery, identify and search faces in it, move it to another model.",
    no_args_is_help=True,
)

GalleryFile = Annotated[
    Path, typer.Argument(metavar="GALLERY", help="The gallery, one file.", show_default=False)
]
Probes = Annotated[list[Path], typer.Argument(help="Photos, or folders of them.", show_default=False)]
Crops = Annotated[bool, typer.Option("--crops", help="The files are aligned faces already.")]
GalleryModel = Annotated[
    str | None, typer.Option("--model", help="Embedder, by name or file; the gallery's unless given.")
]


@app.command()
def enrol(
    file: GalleryFile,
    photos: Annotated[
        list[Path],
        typer.Argument(help="Photos, or folders of them; nothing there is changed.", show_default=False),
    ],
    subject: Annotated[str | None, typer.Option(help="All the photos show this person.")] = None,
    by_folder: Annotated[
        bool, typer.Option("--by-folder", help="Each folder below PHOTOS is a person, by its name.")
    ] = False,
    labels: Annotated[Path | None, typer.Option(help="CSV file with columns photo,person.")] = None,
    crops: Crops = False,
    min_quality: Annotated[float, typer.Option(min=0.0, max=1.0, help="Refuse poorer faces.")] = 0.0,
    model: GalleryModel = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Enrol people: the largest face of each photo. The gallery is made if absent.

    Photos that are enrolled already cost nothing; a run that was stopped is gone on with by the same command.

    Example: facespace gallery enrol team.gallery photos --by-folder
    """
    from facespace.gallery import Gallery
    from facespace.gallery import enrol as enrol_photos

    named = _named(photos, subject, by_folder, labels)
    with Gallery(file) as gallery, progress("enrolling") as on_photo:
        embedder = _open(gallery, model)
        result = enrol_photos(
            gallery, named, _detector(crops, detector), embedder, model_file=_named_file(model, embedder),
            min_quality=min_quality, workers=workers, on_photo=on_photo,
        )  # fmt: skip
    gallery_shown.enrolment(result, file, json=json)


@app.command()
def identify(
    file: GalleryFile,
    probes: Probes,
    fpir: Annotated[
        float,
        typer.Option(help="Share of strangers who may be taken for somebody, whatever the gallery's size."),
    ] = FPIR,
    crops: Crops = False,
    model: GalleryModel = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Who is it? Each face of the photos gets a name of the gallery, or "unknown".

    Example: facespace gallery identify team.gallery party.jpg
    """
    from facespace.gallery import Gallery
    from facespace.gallery import identify as identify_faces

    with Gallery(file, create=False) as gallery:
        embedder = _open(gallery, model)
        faces, unreadable = _probe_faces(probes, crops, detector, embedder, workers)
        found = identify_faces(gallery, faces.embedding, embedder.spec, fpir=fpir)
    gallery_shown.identities(found, faces, unreadable, file, embedder.spec.label, json=json)


@app.command()
def search(
    file: GalleryFile,
    probes: Probes,
    k: Annotated[int, typer.Option("-k", min=1, help="How many of the nearest faces.")] = NEAREST,
    far: Far = VERIFY_FAR,
    crops: Crops = False,
    model: GalleryModel = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """The enrolled faces nearest to each face of the photos, the nearest first.

    Example: facespace gallery search team.gallery party.jpg -k 3
    """
    from facespace.gallery import Gallery
    from facespace.gallery import search as search_faces

    with Gallery(file, create=False) as gallery:
        embedder = _open(gallery, model)
        faces, unreadable = _probe_faces(probes, crops, detector, embedder, workers)
        found = search_faces(gallery, faces.embedding, embedder.spec, k=k, far=far)
    gallery_shown.matches(found, faces, unreadable, file, embedder.spec.label, far, json=json)


@app.command()
def remove(
    file: GalleryFile,
    subject: Annotated[
        list[str] | None, typer.Option(help="A person with all faces; may be repeated.")
    ] = None,
    photo: Annotated[
        list[str] | None, typer.Option(help="The faces of a photo, by its path; may be repeated.")
    ] = None,
    face: Annotated[list[int] | None, typer.Option(help="A face, by its id; may be repeated.")] = None,
    json: AsJson = False,
) -> None:
    """Remove people, photos or faces with all their templates; what is deleted is overwritten.

    Example: facespace gallery remove team.gallery --subject "Ann Lee"
    """
    from facespace.gallery import Gallery
    from facespace.gallery import remove as remove_from

    if not (subject or photo or face):
        raise InputError("expected what to remove: give --subject NAME, --photo PATH or --face ID")
    with Gallery(file, create=False) as gallery:
        result = remove_from(gallery, subjects=subject or (), photos=photo or (), face_id=face or ())
    if not result.overwritten:
        warn(f"{file}: open elsewhere; what was deleted leaves its log when the last one closes it")
    if json:
        show_json(result)
    else:
        console.print(f"removed {result.n_faces} faces from {file}")


@app.command("list")
def list_(
    file: GalleryFile,
    subject: Annotated[str | None, typer.Option(help="The faces of this person, one by one.")] = None,
    json: AsJson = False,
) -> None:
    """Who is enrolled, with how many faces, and by which models.

    Example: facespace gallery list team.gallery
    """
    from facespace.gallery import Gallery, overview

    with Gallery(file, create=False) as gallery:
        if subject is None:
            gallery_shown.overview(overview(gallery), file, json=json)
        else:
            gallery_shown.faces(gallery.faces_of(subject), json=json)


@app.command()
def export(
    file: GalleryFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="File that ends in .csv, .json or .npz.")],
    json: AsJson = False,
) -> None:
    """Write all faces to a file: CSV or JSON, or .npz with their templates.

    Example: facespace gallery export team.gallery -o team.csv
    """
    from facespace.gallery import Gallery
    from facespace.gallery import export as export_faces

    with Gallery(file, create=False) as gallery:
        n_faces = export_faces(gallery, output)
    if json:
        show_json({"faces": n_faces, "output": str(output)})
    else:
        console.print(f"{n_faces} faces in {output}")


@app.command()
def upgrade(
    file: GalleryFile,
    to: Annotated[
        str | None,
        typer.Option(help="The newer model, by name or file; the gallery's unless given, to go on."),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(help="Folder where photos that have moved are looked for, by their content."),
    ] = None,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Only make it the gallery's model; embed nothing again.")
    ] = False,
    back: Annotated[bool, typer.Option("--back", help="Back to the model before.")] = False,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Drop the old templates of faces that have new ones, for good.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before dropping.")] = False,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Move the gallery to a newer model that may meet its old one, without enrolling anybody again.

    It is searched by the new model from the first moment; faces whose photos are at hand get new templates meanwhile.

    Example: facespace gallery upgrade team.gallery --to v2.onnx
    """
    from facespace.gallery import Gallery

    if sum([bool(to or at_once or photos), back, drop_old]) > 1:
        raise InputError("expected one of --to, --back and --drop-old")
    with Gallery(file, create=False) as gallery:
        if back:
            _step_back(gallery, json=json)
        elif drop_old:
            _drop_old(gallery, yes=yes, json=json)
        else:
            _upgrade(gallery, to, photos, at_once=at_once, workers=workers, json=json)


def _upgrade(
    gallery: "Gallery", to: str | None, photos: Path | None, *, at_once: bool, workers: int | None, json: bool
) -> None:
    from facespace.gallery import upgrade as upgrade_gallery

    embedder = _open(gallery, to)
    with progress("looking at photos") as on_look, progress("embedding again") as on_face:

        def follow(now: "Progress") -> None:
            on_face(now.n_done, now.n_faces, now.line())

        result = upgrade_gallery(
            gallery, embedder, model_file=_named_file(to, embedder), at_once=at_once, photos=photos,
            workers=workers, on_face=follow, on_look=on_look,
        )  # fmt: skip
    gallery_shown.upgrade(result, json=json)


def _step_back(gallery: "Gallery", *, json: bool) -> None:
    from facespace.gallery import progress_of, step_back

    entry = step_back(gallery)
    now = progress_of(gallery)
    if json:
        show_json({"model": entry.spec.label, "progress": now.to_json()})
    else:
        console.print(f"{entry.spec.label} is the gallery's model again: {now.line()}")


def _drop_old(gallery: "Gallery", *, yes: bool, json: bool) -> None:
    from facespace.gallery import drop_old, progress_of

    now = progress_of(gallery)
    if not yes and (json or not _agreed(now)):
        raise GalleryError("nothing was dropped; it needs your yes, or the option --yes")
    dropped = drop_old(gallery)
    if json:
        show_json({"dropped": dropped, "progress": now.to_json()})
    else:
        console.print(
            "; ".join(f"{n} templates of {label} dropped" for label, n in dropped.items())
            or "nothing to drop"
        )


def _agreed(now: "Progress") -> bool:
    say(now.line())
    question = f"Drop the old templates of these {now.n_done:,} faces? There is no way back"
    return typer.confirm(question, err=True)


def _named(photos: list[Path], subject: str | None, by_folder: bool, labels: Path | None) -> "NamedPhotos":
    """Each photo with whose it is, by the one of three options that was given."""
    from facespace.extract import expand_paths
    from facespace.gallery import named_by_folder, named_by_labels

    if (subject is not None) + by_folder + (labels is not None) != 1:
        raise InputError(
            "whose photos are they? expected one of --subject NAME, --by-folder and --labels CSV"
        )
    if labels is not None:
        return named_by_labels(photos, labels, on_broken=warn)
    if by_folder:
        named, loose = named_by_folder(photos)
        if loose:
            warn(f"{len(loose)} photos lie in no person's folder and are passed over, such as {loose[0]}")
        return named
    found, unreadable = expand_paths(photos)
    for one in unreadable:
        warn(f"{one.photo}: {one.reason}")
    return [(path, subject or "") for path in found]


def _open(gallery: "Gallery", model: str | None) -> "Embedder":
    from facespace.gallery import open_model

    return open_model(gallery, model)


def _named_file(model: str | None, embedder: "Embedder") -> str | None:
    """What later commands open it by: the name of a built-in model, else where the file lies."""
    from facespace.models import BUILT_IN

    if model is None or model == BUILT_IN["embedder"]:
        return model
    return str(embedder.path.absolute())


def _probe_faces(
    probes: list[Path], crops: bool, detector: str | None, embedder: "Embedder", workers: int | None
) -> "tuple[FaceTable, tuple[Unreadable, ...]]":
    from facespace.extract import extract_table

    with progress("finding faces") as on_photo:
        return extract_table(probes, _detector(crops, detector), embedder, workers=workers, on_photo=on_photo)


def _detector(crops: bool, detector: str | None) -> "Detector | None":
    from facespace.faces.detect import Detector

    return None if crops else Detector(detector)
