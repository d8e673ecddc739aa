"""What a library knows of faces and people as CSV and JSON, for tables and scripts."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facespace.cluster import collection_threshold
from facespace.errors import InputError
from facespace.library.catalogue import Catalogue, LibraryPart
from facespace.library.faces import Face, stream_faces
from facespace.library.grouping import grouped_by, last_rule
from facespace.library.history import read_entries
from facespace.saved_files import write_beside
from facespace.spreadsheets import check_formulas, text_cells

COLUMNS = (
    "photo", "person", "name", "state", "hidden", "x0", "y0", "x1", "y1", "score", "quality", "distance", "far",
    "extrapolated", "taken_at", "face", "face_id", "time", "track", "begin", "end",
)  # fmt: skip


class WritingTables(LibraryPart):
    """Tables that a library writes."""

    def export_people(self, file: Path, *, formulas: str = "names") -> int:
        """Write what the library knows as it stands, without grouping again; returns the number of faces.

        `.csv` has a line for each face (`COLUMNS`), `.json` is the document of `facespace people --json`, without the
        tightness of groups, with the history. What is marked as no face is left out. Bytes of file names that are no
        text are written as `\\udcff` escapes.

        Args:
            file: the suffix tells the form; replaced if it is there, and for the owner alone.
            formulas: cells of a CSV that a spreadsheet program would take for formulas are made text: "names", "all" or
                none ("keep"); see `facespace.spreadsheets.text_cells`.

        Raises:
            InputError: another suffix, or nothing of that sort.
            LibraryError: the library cannot be read.
            WriteError: the file cannot be written.
        """
        form = TABLES.get(file.suffix.lower())
        if form is None:
            raise InputError(f"{file}: expected a file that ends in {' or '.join(TABLES)}")
        check_formulas(formulas)
        with self._catalogue.snapshot():
            content, n_faces = form(self._catalogue, formulas)
        write_beside(file.resolve(), content, private=True)
        return n_faces


def _faces(library: Catalogue) -> Iterator[Face]:
    """Each face that takes part, by photo and place."""
    return stream_faces(
        library, " AND unreadable IS NULL AND why IS NULL ORDER BY path, begin_s, x0, face_id"
    )


def _csv(library: Catalogue, formulas: str) -> tuple[bytes, int]:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    n = 0
    for face in _faces(library):
        row = face.to_json() | face.times
        row |= {"person": face.person, "name": face.name, "taken_at": face.taken_at}
        row |= dict(zip(("x0", "y0", "x1", "y1"), row["box_xyxy"], strict=True))
        row |= {"hidden": int(face.hidden), "extrapolated": int(face.extrapolated)}
        cells = [row[column] for column in COLUMNS]
        writer.writerow(text_cells(COLUMNS, cells, formulas, names=("name",)))
        n += 1
    return text.getvalue().encode(errors="backslashreplace"), n


def _json(library: Catalogue, _: str) -> tuple[bytes, int]:
    people: dict[int, dict[str, Any]] = {}
    n = 0
    for face in _faces(library):
        n += 1
        if face.person is not None:
            who = {name: getattr(face, name) for name in ("person", "name", "settled", "hidden")}
            faces = people.setdefault(face.person, who | {"faces": []})["faces"]
            faces.append(face.to_json() | {"taken_at": face.taken_at})
    for person in people.values():
        person["faces"].sort(key=lambda face: -face["quality"])
    n_items, n_videos = library.count_items()
    # The rule by which the groups came about; nulls where nothing has been grouped.
    spec, rule = library.templates.model(grouped_by(library)), last_rule(library)
    chosen = spec and collection_threshold(spec.distances, n, impostors=rule.impostors, far=rule.far)
    document = {
        "photos": n_items,
        "faces": n,
        "model": spec and spec.label,
        "threshold": chosen and chosen.distance,
        "far": chosen and chosen.far,
        "extrapolated": chosen and chosen.extrapolated,
        "people": sorted(people.values(), key=lambda person: (-len(person["faces"]), person["person"])),
        "unreadable": [{"photo": p.path, "reason": p.unreadable} for p in library.photos() if p.unreadable],
        "history": [asdict(entry) for entry in read_entries(library)],
    }
    if n_videos:
        document["videos"] = n_videos
    text = io.StringIO()
    for piece in json.JSONEncoder(indent=2, allow_nan=False).iterencode(document):
        text.write(piece)  # `dumps` would keep millions of pieces until the end
    return (text.getvalue() + "\n").encode(), n


TABLES: dict[str, Callable[[Catalogue, str], tuple[bytes, int]]] = {".csv": _csv, ".json": _json}
