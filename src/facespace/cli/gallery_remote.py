"""A gallery behind `https://HOST/GALLERY` where a command would open a file: the same calls, asked of the service.

Probes are found and embedded here, so that their pictures are not sent; enrolments send pictures, for the service to
embed, and to keep where the gallery is set to.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.cli.console import show, show_json
from facespace.cli.gallery_opened import is_address, own_gallery
from facespace.cli.progress import progress
from facespace.client import RemoteGallery
from facespace.embed import Embedder
from facespace.errors import FacespaceError, GalleryError, InputError, ServiceError
from facespace.gallery import (
    EnrolledFace,
    Enrolment,
    Gallery,
    Identities,
    Match,
    NamedPhotos,
    Overview,
    Removal,
    Subject,
)
from facespace.images import Unreadable, read_bytes
from facespace.models import ModelSpec, find_weights
from facespace.models.devices import AUTO
from facespace.store import IndexState, same_name
from facespace.table import face_id

PROBES_AT_ONCE = 128
PHOTOS_AT_ONCE = 4
LOOK_AGAIN_S = 0.5
PER_FACE = ("distance", "threshold", "chance")


def open_gallery(place: str, key: str | None) -> "Gallery | AskedGallery":
    """The gallery of a command that reads or removes: a file, or one of a service."""
    return AskedGallery(place, key) if is_address(place) else own_gallery(place, create=False)


def enrol_asked(address: str, key: str | None, photos: NamedPhotos, *, min_quality: float) -> Enrolment:
    """Enrol photos in a gallery behind a service, and say how far it is."""
    with AskedGallery(address, key) as gallery, progress("enrolling") as on_photo:
        return gallery.enrol(photos, min_quality=min_quality, on_photo=on_photo)


def upgrade_asked(address: str, key: str | None, to: str | None, *, json: bool) -> None:
    """Move a gallery behind a service to another model, and follow the job until it has ended."""
    if to is None:
        raise InputError(f"{address}: expected --to MODEL alone, by a name that the service knows")
    with RemoteGallery(address, key=key) as remote, progress("embedding again") as on_face:
        job = remote.upgrade(to)
        while job["ended"] is None:
            on_face(job["done"], job["todo"])
            time.sleep(LOOK_AGAIN_S)
            job = remote.job(job["job_id"])
    if job["state"] != "done":
        raise GalleryError(f"{address}: the upgrade has {job['state']}: {job['trouble'] or 'it was stopped'}")
    outcomes = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in job["outcomes"].items()) or "no faces"
    show_json(job) if json else show(f"{address} is a gallery of {to}: {outcomes}")


class AskedGallery:
    """Stands where a command opens a `Gallery`; the names, arguments and results are the same.

    Args:
        address: `https://HOST/GALLERY`.
        key: of the gallery.
    """

    def __init__(self, address: str, key: str | None) -> None:
        self.address, self._remote = address, RemoteGallery(address, key=key)
        self._states: dict[str, IndexState] = {}

    def __enter__(self) -> "AskedGallery":
        return self

    def __exit__(self, *_: object) -> None:
        self._remote.close()

    def open_embedder(self, model: str | Path | None = None, *, device: str = AUTO) -> Embedder:
        """``model`` if given, else the one of the gallery, if it is here too."""
        if model is None:
            wanted = self._remote.overview()["model"]
            if wanted is not None:
                model = find_weights(wanted["sha256"])
                if model is None:
                    raise GalleryError(
                        f"{self.address}: expected its model {_label(wanted)} on this machine too; name one that may "
                        "meet it: --model facespace-xs"
                    )
        return Embedder(model, device=device)

    def enrol(
        self, photos: NamedPhotos, *, min_quality: float, on_photo: Callable[[int, int], None]
    ) -> Enrolment:
        """Send each photo; those whose content is enrolled already are not sent again. An absent gallery is made."""
        try:
            self._remote.overview()
        except ServiceError as error:
            if error.kind != "not-found":
                raise
            self._remote.create()
        outcomes: list[tuple[Path, str, Any]] = []
        with ThreadPoolExecutor(PHOTOS_AT_ONCE) as threads:
            jobs = threads.map(lambda one: self._enrol(one[0], one[1], min_quality), photos)
            for (path, _), (outcome, more) in zip(photos, jobs, strict=True):
                outcomes.append((path, outcome, more))
                on_photo(len(outcomes), len(photos))
        return Enrolment(
            n_photos=len(photos),
            n_new=sum(outcome == "new" for _, outcome, _ in outcomes),
            n_known=sum(outcome in ("known", "unchanged", "replaced") for _, outcome, _ in outcomes),
            several=tuple(path for path, outcome, more in outcomes if outcome != "refused" and more > 1),
            refused=tuple(Unreadable(path, more) for path, outcome, more in outcomes if outcome == "refused"),
        )

    def _enrol(self, path: Path, name: str, min_quality: float) -> tuple[str, Any]:
        """What became of a photo, with how many faces it shows or why it was refused."""
        try:
            content = read_bytes(path)
            key = hashlib.sha256(content).hexdigest()[:32]
            there = self._face(key)
            if there is not None:
                if same_name(there["subject"], name):
                    return "known", 1
                owner = there["subject"]
                return "refused", f"the same picture is enrolled for {owner}; remove it there first"
            answer = self._remote.enrol(content, name, key=key, min_quality=min_quality)
            return answer["outcome"], answer["n_faces"]
        except ServiceError as error:
            if error.kind not in ("no-face", "unreadable-picture", "invalid", "too-large"):
                raise
            return "refused", str(error).removeprefix(f"{self.address}: ")
        except FacespaceError as error:
            return "refused", str(error).removeprefix(f"{path}: ")

    def _face(self, key: str) -> dict[str, Any] | None:
        try:
            return self._remote.face(key)
        except ServiceError as error:
            if error.kind == "not-found":
                return None
            raise

    def identify(self, probes: NDArray[np.float32], spec: ModelSpec, *, fpir: float) -> Identities:
        """See `Gallery.identify`."""
        asked = [self._remote.identify(rows, fpir=fpir, model=spec.sha256) for rows in _parts(probes)]
        if not asked:
            return Identities.nobody(0, fpir)
        faces, facts = [face for answer in asked for face in answer["faces"]], asked[0]
        low, high = (np.nan if end is None else end for end in facts["chance_range"])
        columns: dict[str, Any] = {
            name: np.array([np.nan if f[name] is None else f[name] for f in faces]) for name in PER_FACE
        }
        return Identities(
            subject=tuple(face["subject"] for face in faces), nearest=tuple(face["nearest"] for face in faces),
            **columns, chance_range=(low, high), fpir=facts["fpir"],
            far=np.nan if facts["far"] is None else facts["far"], measured=facts["measured"],
            n_subjects=facts["n_subjects"], n_comparisons=facts["n_comparisons"], indexes=_states(facts),
        )  # fmt: skip

    def search(
        self, probes: NDArray[np.float32], spec: ModelSpec, *, k: int, far: float
    ) -> list[list[Match]]:
        """See `Gallery.search`; faces are named by their keys in place of photos."""
        asked = [self._remote.search(rows, k=k, far=far, model=spec.sha256) for rows in _parts(probes)]
        self._states = _states(asked[-1]) if asked else {}
        return [[_match(m) for m in face["matches"]] for answer in asked for face in answer["faces"]]

    def remove(
        self, *, subjects: list[str] | tuple[str, ...] = (), photos: Any = (), face_id: Any = ()
    ) -> Removal:
        """See `Gallery.remove`; photos are not known to a service by their paths."""
        if photos:
            raise InputError(
                f"{self.address}: expected --subject NAME or --face ID, a service knows no paths"
            )
        answers = [self._remote.remove(subject=name) for name in subjects]
        answers += [self._remote.remove(face=f"{number:016x}") for number in face_id]
        done = all(one["overwritten"] for one in answers)
        return Removal(len(subjects), sum(one["n_faces"] for one in answers), done)

    def index_states(self) -> dict[str, IndexState]:
        """See `Gallery.index_states`; those that the last search rested on."""
        return self._states

    def overview(self) -> Overview:
        """See `Gallery.overview`; without the history, which a service keeps to itself."""
        model = self._remote.overview()["model"]
        subjects = tuple(
            Subject(i, one["name"], one["n_faces"]) for i, one in enumerate(self._remote.subjects())
        )
        return Overview(None if model is None else _label(model), subjects, {}, {}, None, ())

    def faces_of(self, name: str) -> list[EnrolledFace]:
        """See `Gallery.faces_of`."""
        return [_face(one) for one in self._remote.faces(subject=name)]


def _parts(probes: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    return (probes[i : i + PROBES_AT_ONCE] for i in range(0, len(probes), PROBES_AT_ONCE))


def _states(answer: dict[str, Any]) -> dict[str, IndexState]:
    return {label: IndexState.from_json(state) for label, state in (answer.get("index") or {}).items()}


def _label(model: dict[str, str]) -> str:
    return f"{model['name']} {model['version']} ({model['sha256'][:8]})"


def _number(key: str) -> int:
    """The id of a face: keys of 16 digits are ids, others stand for one."""
    return int(key, 16) if len(key) == 16 else face_id(f"key/{key}", 0)


def _face(answer: dict[str, Any]) -> EnrolledFace:
    box = answer.get("box_xyxy")
    return EnrolledFace(
        _number(answer["key"]), answer["subject"], answer["key"], answer.get("sha256", ""),
        None if box is None else tuple(box), None, answer.get("score"), answer.get("quality"),
    )  # fmt: skip


def _match(answer: dict[str, Any]) -> Match:
    return Match(_face(answer), answer["model"], answer["distance"], answer["threshold"], answer["same"])
