"""What the commands of `facespace gallery` print: tables for people, documents for scripts."""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facespace.cli.console import among, answer, population_of, say, show, show_json, warn
from facespace.cli.progress import show_table
from facespace.gallery import EnrolledFace, Enrolment, Identities, Match, Overview, Upgrade
from facespace.gallery.plan import Plan
from facespace.images import Unreadable
from facespace.models import ModelSpec
from facespace.store import UNKNOWN, IndexState, shown_name
from facespace.table import FaceTable

SHOWN = 10


def enrolment(result: Enrolment, file: str, *, json: bool) -> None:
    """What an enrolment did."""
    _warn_of(result.refused)
    for photo in result.several[:SHOWN]:
        say(f"{photo}: several faces, the largest is enrolled")
    document = {
        "gallery": file, "photos": result.n_photos, "new": result.n_new, "known": result.n_known,
        "several": result.several, "refused": result.refused,
    }  # fmt: skip
    line = (
        f"{result.n_new} faces enrolled from {result.n_photos} photos in {file}; {result.n_known} photos were "
        f"enrolled already, {len(result.refused)} refused"
    )
    answer(document, line, json=json)


@dataclass(frozen=True)
class Asked:
    """Faces of photos that a gallery is asked about.

    Attributes:
        file: the gallery.
        faces: in the photos.
        unreadable: photos that could not be read, and why.
        spec: of the embedder, with the thresholds of the population.
        population: that was asked for; None for that of the model.
    """

    file: str
    faces: FaceTable
    unreadable: tuple[Unreadable, ...]
    spec: ModelSpec
    population: str | None

    def answer(
        self,
        facts: dict[str, Any],
        found: list[dict[str, Any]],
        columns: tuple[str, ...],
        rows: Iterable[tuple[str, ...]],
        meaning: str,
        indexes: dict[str, IndexState],
        *,
        json: bool,
    ) -> None:
        """What was found of each face as a document, or as rows of a table with their meaning."""
        _warn_of(self.unreadable)
        seen = set(self.faces.photo_idx.tolist())
        faceless = [photo for i, photo in enumerate(self.faces.photos) if i not in seen]
        if json:
            among_whom = population_of(self.population, self.spec)
            show_json(
                {
                    "gallery": self.file, "model": self.spec.label, "population": among_whom, **facts,
                    "indexes": _indexes(indexes), "faces": [self._document(i) | one for i, one in enumerate(found)],
                    "no_face": faceless, "unreadable": self.unreadable,
                }
            )  # fmt: skip
            return
        show_table(("photo", "face", *columns), rows)
        for photo in faceless[:SHOWN]:
            say(f"{photo}: no face found")
        show(meaning, *(state.line() for state in indexes.values() if not state.is_exact))

    def places(self) -> Iterator[tuple[str, str]]:
        """Of each face the photo, below the folder that holds all of them, and where it is in it."""
        paths = [Path(photo).absolute() for photo in self.faces.photos]
        shared = os.path.commonpath([path.parent for path in paths]) if paths else ""
        names = [str(path.relative_to(shared)) for path in paths]
        for i, photo in enumerate(self.faces.photo_idx):
            box = self._box(i)
            yield names[photo], "" if box is None else "{:.0f},{:.0f} to {:.0f},{:.0f}".format(*box)

    def _box(self, i: int) -> list[float] | None:
        box = [round(float(v), 2) for v in self.faces.box_xyxy[i]]
        return None if any(v != v for v in box) else box

    def _document(self, i: int) -> dict[str, Any]:
        return {
            "photo": self.faces.photos[int(self.faces.photo_idx[i])], "box_xyxy": self._box(i),
            "score": float(self.faces.score[i]), "quality": float(self.faces.quality[i]),
        }  # fmt: skip


def identities(found: Identities, asked: Asked, *, json: bool) -> None:
    """Who each face is, with what that is worth."""
    facts = {
        name: getattr(found, name)
        for name in ("fpir", "far", "measured", "chance_range", "n_subjects", "n_comparisons")
    }
    faces = [
        {name: getattr(found, name)[i] for name in ("subject", "nearest", "distance", "threshold", "chance")}
        for i in range(len(found.subject))
    ]
    rows = (
        (*place, _who(found, i), f"{found.distance[i]:.3f}", f"{found.threshold[i]:.3f}", _chance(found, i))
        for i, place in enumerate(asked.places())
    )
    columns = ("who", "distance", "threshold", "impostors as near")
    meaning = found.meaning() + among(asked.population, asked.spec)
    asked.answer(facts, faces, columns, rows, meaning, found.indexes, json=json)


def matches(
    found: list[list[Match]], asked: Asked, far: float, indexes: dict[str, IndexState], *, json: bool
) -> None:
    """The faces nearest to each face, and what the search rests on."""
    rows = (
        (
            *(place if m is row[0] else ("", "")), shown_name(m.face.subject), f"{m.distance:.3f}",
            f"{m.threshold:.3f}", "yes" if m.same else "no", m.face.photo,
        )
        for place, row in zip(asked.places(), found, strict=True)
        for m in row
    )  # fmt: skip
    faces = [{"matches": [_match(m) for m in row]} for row in found]
    columns = ("nearest", "distance", "threshold", "same", "from")
    meaning = (
        f"same: about 1 in {round(1 / far):,} pairs of different people are as near"
        f"{among(asked.population, asked.spec)}; this holds for one comparison"
    )
    asked.answer({"far": far}, faces, columns, rows, meaning, indexes, json=json)


def index(states: dict[str, IndexState], file: str, *, is_built: bool, json: bool) -> None:
    """What searches rest on, after it was brought up to date."""
    if json:
        show_json({"gallery": file, "is_built": is_built, "indexes": _indexes(states)})
        return
    if not is_built:
        say(f"{file}: another process is building the index")
    show(*([f"{label}: {state.line()}" for label, state in states.items()] or ["nobody is enrolled"]))


def plan(found: Plan) -> None:
    """What many faces cost, for people."""
    show(f"{found.n:,} faces, thresholds of {found.model}")
    rows = [
        (
            one.store, _size(one.memory_bytes), _size(one.disk_bytes), _duration(one.load_s), _duration(one.build_s),
            _milliseconds(one.ms_single), _milliseconds(one.ms_batch),
        )
        for one in found.stores
    ]  # fmt: skip
    show("derived from a calibration of seconds on this machine; times are those of one processor")
    show_table(("store", "memory", "disk", "enrol", "build", "a probe", "one of many"), rows)
    show(*(f"{one.store}: {one.note}" for one in found.stores))
    show_table(
        ("FAR of a threshold", "false hits a probe"), [(f, f"{n:,.3g}") for f, n in found.false_hits.items()]
    )
    how = "" if found.far_is_measured else ", for which the model's distance is extrapolated"
    show(
        f"for 1 in 100 unknown people taken for somebody a comparison may err once in {1 / found.far_needed:,.0f}{how}"
    )


def _size(n_bytes: float) -> str:
    unit = max(0, min(4, int(math.log10(max(n_bytes, 1)) // 3)))
    return f"{n_bytes / 1000**unit:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[unit]}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.2g} {name}"
    return f"{seconds:.2g} s"


def _milliseconds(ms: float | None) -> str:
    return "-" if ms is None else f"{ms:.3g} ms" if ms < 10_000 else f"{ms / 1000:.3g} s"


def overview(seen: Overview, file: str, *, json: bool) -> None:
    """Everybody, and how the gallery stands."""
    if json:
        show_json({"gallery": file, **seen.to_json()})
        return
    show_table(
        ("subject", "faces"), [(shown_name(subject.name), str(subject.n_faces)) for subject in seen.subjects]
    )
    show(f"{len(seen.subjects)} subjects, {seen.n_faces} faces in {file}; model {seen.model or 'none yet'}")
    for label, n in seen.templates.items():
        show(f"{n} templates of {label}: {seen.indexes[label].line()}")
    if seen.progress and len(seen.templates) > 1:
        show(seen.progress.line())
    for entry in seen.history:
        show(entry.line())


def faces(enrolled: Iterable[EnrolledFace], *, json: bool) -> None:
    """The faces of a subject."""
    if json:
        shown = [{n: v for n, v in vars(face).items() if n != "landmarks_xy"} for face in enrolled]
        show_json({"faces": shown})
        return
    rows = [
        (str(face.face_id), "" if face.quality is None else f"{face.quality:.2f}", face.photo)
        for face in enrolled
    ]
    show_table(("face", "quality", "photo"), rows)


def upgrade(result: Upgrade, *, json: bool) -> None:
    """How far an upgrade has come."""
    _warn_of(result.not_at_hand)
    if json:
        show_json(
            {
                "model": result.model, "before": result.before, "embedded": result.n_embedded,
                "progress": result.progress.to_json(), "not_at_hand": result.not_at_hand,
            }
        )  # fmt: skip
        return
    show(f"{result.model} is the gallery's model: {result.progress.line()}")
    left = result.progress.n_faces - result.progress.n_done
    if left:
        show(
            f"the other {left:,} keep their old templates, which are searched at the distances between the two models"
        )
    if result.not_at_hand:
        say("--photos DIR finds photos that have moved; run the same command again to resume")


def _indexes(states: dict[str, IndexState]) -> dict[str, Any]:
    return {label: state.to_json() for label, state in states.items()}


def _who(found: Identities, i: int) -> str:
    who, nearest = found.subject[i], found.nearest[i]
    if who:
        return shown_name(who)
    return f"{UNKNOWN} (nearest: {shown_name(nearest)})" if nearest else UNKNOWN


def _warn_of(refused: Iterable[Unreadable]) -> None:
    """The first few, and how many more."""
    refused = list(refused)
    for one in refused[:SHOWN]:
        warn(f"{one.photo}: {one.reason}")
    if len(refused) > SHOWN:
        warn(f"and {len(refused) - SHOWN} more; --json lists all")


def _chance(found: Identities, i: int) -> str:
    """The share of unknown people as near, or that it is beyond what can be stated."""
    if not found.n_subjects:
        return ""
    low, high = found.chance_range
    sign = "under " if found.chance[i] <= low else "over " if found.chance[i] >= high else ""
    return f"{sign}{100 * found.chance[i]:.2g} %"


def _match(m: Match) -> dict[str, Any]:
    return {
        "subject": m.face.subject, "face_id": m.face.face_id, "photo": m.face.photo, "distance": m.distance,
        "threshold": m.threshold, "same": m.same, "model": m.model,
    }  # fmt: skip
