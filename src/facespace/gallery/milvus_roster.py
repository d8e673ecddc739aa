"""The roster of a gallery in Milvus, with the templates of its faces."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError
from facespace.gallery.milvus_prototypes import MilvusPrototypes
from facespace.gallery.milvus_rows import Row, enrolled_face, row_of, subject_id_of
from facespace.gallery.roster import EnrolledFace, Entry, Roster, Subject, owned_by_another
from facespace.models import ModelSpec
from facespace.store import Census, OnStep, Prototypes, clean_name, name_key, same_name
from facespace.store.milvus import MilvusAddress, MilvusDatabase, MilvusTemplates, key_of
from facespace.table import FaceTable

LEFT_IN_MILVUS = (
    "no search finds the deleted data; its bytes leave the disks of Milvus after its compaction, which was asked for, "
    "and its garbage collection (dataCoord.gc.dropTolerance), those of its message queue after that one's retention"
)


class MilvusRoster(Roster):
    """A `Roster` in Milvus; see `MilvusTemplates` for what it promises less than a file.

    A subject's id is a number of its name's key, so that two processes that add a name at once add one subject.

    Args:
        address: of the gallery.
        token: "user:password" or a key; empty where the server asks for none.
        create: False makes an absent gallery an error.

    Raises:
        InputError: no address of a gallery.
        GalleryError: here and by every method: the server is away, refuses or does not answer in time.
    """

    def __init__(self, address: str, *, token: str = "", create: bool = True) -> None:
        self.database = MilvusDatabase(MilvusAddress.parse(address), token, create=create)
        self.templates: MilvusTemplates = MilvusTemplates(self.database)

    @property
    def place(self) -> str:
        """See `Roster.place`."""
        return self.database.address.text

    def close(self, error: BaseException | None = None) -> None:
        """See `Roster.close`."""
        self.database.close()

    def snapshot(self) -> AbstractContextManager[object]:
        """See `Roster.snapshot`."""
        return self.database.snapshot()

    def transaction(self) -> AbstractContextManager[object]:
        """See `Roster.transaction`."""
        return self.database.transaction()

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[Subject]:
        """See `Roster.subjects`; without a limit all faces are counted in one pass."""
        with self.snapshot():
            # Milvus gives no order but that of numbers that are keys.
            found = [row for row in self.database.subjects.scan() if row["name"] > after]
            rows = sorted(found, key=lambda row: row["name"])[:limit]
            if limit is None:
                n_faces = Counter(self.subjects_of_faces()[1].tolist())
                return [Subject(row["subject_id"], row["name"], n_faces[row["subject_id"]]) for row in rows]
            return [Subject(row["subject_id"], row["name"], self._n_faces(row["subject_id"])) for row in rows]

    def find(self, name: str) -> tuple[int, str] | None:
        """See `Roster.find`."""
        return self._find([name]).get(name)

    def _find(self, names: Sequence[str]) -> dict[str, tuple[int, str]]:
        """The ids and kept names of those that are there, also in the open transaction."""
        ids = {name: subject_id_of(name) for name in names}
        kept = self.names_of(np.array(list(ids.values()), np.int64))
        return {name: (i, kept[i]) for name, i in ids.items() if i in kept}

    def names_of(self, subject_id: NDArray[np.int64]) -> dict[int, str]:
        """See `Roster.names_of`."""
        ids = np.unique(np.asarray(subject_id, np.int64)).tolist()
        with self.snapshot():
            rows = self.database.subjects.get(ids)
        found = {row["subject_id"]: row["name"] for row in rows}
        unit = self.database.unit
        if unit is not None:
            found = {i: name for i, name in found.items() if i not in unit.gone_subjects}
            found |= {i: unit.subjects[i] for i in ids if i in unit.subjects}
        return found

    def count(self) -> tuple[int, int]:
        """See `Roster.count`."""
        with self.snapshot():
            gone = self.database.gone().tolist()
            n_gone = len(self.database.faces.get(gone, ["face_id"])) if gone else 0
            return self.database.subjects.count(), self.database.faces.count() - n_gone

    def faces(self) -> Iterator[EnrolledFace]:
        """See `Roster.faces`; all are held in memory to put them in order."""
        with self.snapshot():
            yield from sorted(self._enrolled(self._rows()), key=lambda face: (face.subject, face.face_id))

    def faces_of(self, subject_id: int) -> list[EnrolledFace]:
        """See `Roster.faces_of`."""
        with self.snapshot():
            return self._enrolled(self._rows(f"subject_id == {subject_id}"))

    def page_of_faces(
        self, *, after: int = -1, limit: int, subject_id: int | None = None
    ) -> list[EnrolledFace]:
        """See `Roster.page_of_faces`."""
        where = f"face_id > {after}" + ("" if subject_id is None else f" and subject_id == {subject_id}")
        with self.snapshot():
            gone = self.database.gone()
            rows = self.database.faces.page(where, limit + len(gone))
            return self._enrolled(self._staying(rows)[:limit])

    def find_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> dict[int, EnrolledFace]:
        """See `Roster.find_faces`."""
        with self.snapshot():
            return {face.face_id: face for face in self._enrolled(self._find_rows(face_id))}

    def faces_from(self, photo: str | Path) -> list[int]:
        """See `Roster.faces_from`."""
        paths = {str(photo), str(Path(photo).absolute())}
        with self.snapshot():
            rows = self._staying(self.database.faces.among("photo", [key_of(path) for path in paths]))
        return [row["face_id"] for row in rows if json.loads(row["details"])["photo"] in paths]

    def subjects_of_faces(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `Roster.subjects_of_faces`."""
        with self.snapshot():
            pairs = [
                (row["face_id"], row["subject_id"]) for row in self._rows(fields=["face_id", "subject_id"])
            ]
        faces, subjects = np.array(pairs, np.int64).reshape(-1, 2).T
        return faces, subjects

    def by_quality(self) -> list[EnrolledFace]:
        """See `Roster.by_quality`."""
        with self.snapshot():
            found = self._enrolled(self._rows())
        return sorted(found, key=lambda face: (-1 if face.quality is None else face.quality, -face.face_id))[
            ::-1
        ]

    def enrolled(self, photo_sha256: Sequence[str], model: str) -> set[tuple[str, str]]:
        """See `Roster.enrolled`."""
        wanted = set(photo_sha256)
        with self.snapshot():
            rows = self._staying(self.database.faces.among("content", [key_of(one) for one in wanted]))
            ids = np.array([row["face_id"] for row in rows], np.int64)
            done = {int(i) for one in self.templates.of_faces(ids, model=model) for i in one.face_id}
            faces = self._enrolled([row for row in rows if row["face_id"] in done])
        return {(face.photo_sha256, name_key(face.subject)) for face in faces if face.photo_sha256 in wanted}

    def add_subject(self, name: str) -> int:
        """See `Roster.add_subject`."""
        with self.database.transaction() as unit:
            found = self.find(name)
            if found is not None:
                return found[0]
            clean = clean_name(name)
            number = subject_id_of(clean)
            unit.subjects[number] = clean
            unit.gone_subjects.pop(number, None)
            return number

    def add_faces(self, faces: FaceTable, names: Sequence[str]) -> int:
        """See `Roster.add_faces`."""
        with self.database.transaction() as unit:
            distinct = list(dict.fromkeys(names))
            found = self._find(distinct)
            owners = {name: found[name][0] if name in found else self._new_subject(name) for name in distinct}
            there = self.find_faces(faces.face_id)
            new = 0
            for i, (number, name) in enumerate(zip(faces.face_id.tolist(), names, strict=True)):
                if number not in there and number not in unit.faces:
                    unit.faces[number] = row_of(faces, i, owners[name])
                    new += 1
                elif number in there and not same_name(there[number].subject, name):
                    photo = faces.photos[int(faces.photo_idx[i])]
                    raise owned_by_another(number, photo, name, there[number].subject)
        return new

    def _new_subject(self, name: str) -> int:
        unit, clean = self.database.unit, clean_name(name)
        assert unit is not None
        number = subject_id_of(clean)
        unit.subjects.setdefault(number, clean)
        unit.gone_subjects.pop(number, None)
        return number

    def rename(self, name: str, to: str) -> None:
        """See `Roster.rename`; one that is broken off has moved some faces, and the same call moves the rest."""
        with self.database.transaction() as unit:
            (number, kept), clean = self.known(name), clean_name(to)
            found = self.find(clean)
            new = subject_id_of(clean) if found is None else found[0]
            if new != number:
                faces = self._rows(f"subject_id == {number}")
                unit.faces |= {row["face_id"]: {**row, "subject_id": new} for row in faces}
            if found is None or new == number:
                unit.subjects[new] = clean
            if kept != clean:
                unit.gone_subjects[number] = kept

    def moved(self, face_id: Sequence[int], photo: str | Path) -> None:
        """See `Roster.moved`."""
        with self.database.transaction() as unit:
            for row in self._find_rows(face_id):
                details = json.loads(row["details"])
                if details["photo"] != str(photo):
                    text = json.dumps({**details, "photo": str(photo)})
                    unit.faces[row["face_id"]] = {**row, "photo": key_of(str(photo)), "details": text}

    def remove_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> int:
        """See `Roster.remove_faces`."""
        with self.database.transaction() as unit:
            ids = [row["face_id"] for row in self._find_rows(face_id)]
            unit.remove(ids, [spec.sha256 for spec in self.templates.models()], whole=True)
        return len(ids)

    def remove_subject(self, name: str) -> int:
        """See `Roster.remove_subject`."""
        with self.database.transaction() as unit:
            number, kept = self.known(name)
            n = self.remove_faces([face.face_id for face in self.faces_of(number)])
            unit.gone_subjects[number] = kept
            unit.subjects.pop(number, None)
        return n

    def prototypes(self, probes: NDArray[np.int8], spec: ModelSpec) -> tuple[tuple[Prototypes, ...], Census]:
        """See `Roster.prototypes`; those of the subjects whose templates are near a probe."""
        with self.snapshot():
            return MilvusPrototypes(self, self.database, self.templates).near(probes, spec)

    def history(self) -> list[Entry]:
        """See `Roster.history`."""
        with self.snapshot():
            specs = {spec.sha256: spec for spec in self.templates.models()}
            records = sorted(
                (key, json.loads(text))
                for key, text in self.database.read_records().items()
                if key.startswith("history ")
            )
        return [Entry(r["moment"], r["action"], specs[r["model"]], r["file"], r["n"]) for _, r in records]

    def note(self, entry: Entry) -> None:
        """See `Roster.note`."""
        with self.database.transaction() as unit:
            record = f"history {self.database.server.now():020d}"
            unit.records[record] = json.dumps(
                {
                    "moment": entry.moment, "action": entry.action, "model": entry.spec.sha256, "file": entry.file,
                    "n": entry.n_templates,
                }
            )  # fmt: skip

    def refresh_index(self, *, again: bool = False, on_step: OnStep | None = None) -> bool:
        """See `Roster.refresh_index`: Milvus builds its own index; what it finds is measured here where that is due."""
        for spec in self.templates.models(in_use=True):
            if again or self.templates.is_due(spec):
                self.templates.measure(spec)
        return True

    def erase(self) -> str:
        """See `Roster.erase`: Milvus is asked to write its files again."""
        self.database.compact()
        return LEFT_IN_MILVUS

    def problems(self) -> tuple[str, ...]:
        """See `Roster.problems`."""
        with self.snapshot():
            faces, subjects = self.subjects_of_faces()
            known = {row["subject_id"] for row in self.database.subjects.scan()}
            lost = {
                spec.label: np.setdiff1d(self.templates.faces(spec.sha256), faces)
                for spec in self.templates.models()
            }
            bare = np.setdiff1d(faces, self.templates.faces())
        nameless = int((~np.isin(subjects, list(known))).sum())
        return (
            *([f"faces of subjects that are not there: {nameless}"] if nameless else []),
            *([f"faces without a template: {len(bare)}"] if len(bare) else []),
            *(
                f"templates of {label} of faces that are not there: {len(ids)}"
                for label, ids in lost.items()
                if len(ids)
            ),
            *self.templates.problems(),
        )

    def backup(self, path: Path) -> None:
        """See `Roster.backup`; Milvus has a tool of its own for that."""
        raise GalleryError(
            f"{self.place}: expected a gallery in a file; copy the collections {self.database.address.gallery}_* with "
            "milvus-backup, or export the gallery"
        )

    def _n_faces(self, subject_id: int) -> int:
        return sum(1 for _ in self._rows(f"subject_id == {subject_id}", ["face_id"]))

    def _rows(self, where: str = "", fields: Sequence[str] | None = None) -> list[Row]:
        return self._staying(self.database.faces.scan(fields, where=where))

    def _find_rows(self, face_id: Sequence[int] | NDArray[np.int64]) -> list[Row]:
        """Those of the faces that are there, by id; as the open transaction leaves them."""
        ids = np.unique(np.asarray(face_id, np.int64)).tolist()
        with self.snapshot():
            rows = {row["face_id"]: row for row in self._staying(self.database.faces.get(ids))}
        unit = self.database.unit
        if unit is not None:
            rows |= {one: unit.faces[one] for one in ids if one in unit.faces}
        return [rows[one] for one in sorted(rows)]

    def _staying(self, rows: Any) -> list[Row]:
        gone = set(self.database.gone().tolist())
        return [row for row in rows if row["face_id"] not in gone]

    def _enrolled(self, rows: list[Row]) -> list[EnrolledFace]:
        names = self.names_of(np.array([row["subject_id"] for row in rows], np.int64))
        # The last face of a subject may go while this is read.
        return [enrolled_face(row, names[row["subject_id"]]) for row in rows if row["subject_id"] in names]
