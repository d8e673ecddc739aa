"""The roster of a gallery in Milvus, with the templates of its faces."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError
from facespace.gallery.milvus_prototypes import prototypes_near
from facespace.gallery.milvus_rows import OWNER, Row, enrolled_face, row_of, subject_id_of, whose
from facespace.gallery.roster import EnrolledFace, Entry, Roster, Subject
from facespace.models import ModelSpec
from facespace.store import Census, OnStep, Prototypes
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

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[Subject]:
        """See `Roster.subjects`; without a limit all faces are counted in one pass."""
        with self.snapshot():
            # Milvus gives no order but that of numbers that are keys.
            found = [row for row in self.database.subjects.scan() if row["name"] > after]
            rows = sorted(found, key=lambda row: row["name"])[:limit]
            wheres = [""] if limit is None else [f"subject_id == {row['subject_id']}" for row in rows]
            owners = [self.database.read_faces(where, OWNER) for where in wheres]
            n_faces = Counter(row["subject_id"] for faces in owners for row in faces)
        return [Subject(row["subject_id"], row["name"], n_faces[row["subject_id"]]) for row in rows]

    def find_all(self, names: Sequence[str]) -> dict[str, tuple[int, str]]:
        """See `Roster.find_all`."""
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
            return self.database.subjects.count(), self.database.count_faces()

    def faces(self) -> Iterator[EnrolledFace]:
        """See `Roster.faces`; all are held in memory to put them in order."""
        yield from sorted(self.page_of_faces(), key=lambda face: (face.subject, face.face_id))

    def page_of_faces(
        self, *, after: int = -1, limit: int | None = None, subject_id: int | None = None
    ) -> list[EnrolledFace]:
        """See `Roster.page_of_faces`."""
        where = f"face_id > {after}" + ("" if subject_id is None else f" and subject_id == {subject_id}")
        with self.snapshot():
            return self._enrolled(self.database.read_faces(where, limit=limit))

    def find_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> dict[int, EnrolledFace]:
        """See `Roster.find_faces`."""
        with self.snapshot():
            return {face.face_id: face for face in self._enrolled(self._find_rows(face_id))}

    def faces_from(self, photo: str | Path) -> list[int]:
        """See `Roster.faces_from`."""
        paths = {str(photo), str(Path(photo).absolute())}
        with self.snapshot():
            rows = self.database.staying(self.database.faces.among("photo", [key_of(path) for path in paths]))
        return [row["face_id"] for row in rows if json.loads(row["details"])["photo"] in paths]

    def faces_showing(self, photo_sha256: Collection[str]) -> list[EnrolledFace]:
        """See `Roster.faces_showing`."""
        with self.snapshot():
            rows = self.database.faces.among("content", [key_of(one) for one in photo_sha256])
            faces = self._enrolled(self.database.staying(rows))
        return [face for face in faces if face.photo_sha256 in photo_sha256]

    def owners(self, face_id: NDArray[np.int64]) -> dict[int, int]:
        """See `Roster.owners`."""
        return {row["face_id"]: row["subject_id"] for row in self._find_rows(face_id)}

    def put_subject(self, name: str) -> int:
        """See `Roster.put_subject`."""
        number = subject_id_of(name)
        self.database.gathered.subjects[number] = name
        self.database.gathered.gone_subjects.discard(number)
        return number

    def put_name(self, subject_id: int, name: str) -> None:
        """See `Roster.put_name`; a renaming that is broken off has moved some faces, and the same call moves the
        rest."""
        new = self.put_subject(name)
        if new != subject_id:
            self.put_owner(subject_id, new)
            self.drop_subject(subject_id)

    def put_owner(self, subject_id: int, to: int) -> None:
        """See `Roster.put_owner`."""
        rows = self.database.read_faces(f"subject_id == {subject_id}")
        self.database.gathered.faces |= {row["face_id"]: {**row, "subject_id": to} for row in rows}

    def drop_subject(self, subject_id: int) -> None:
        """See `Roster.drop_subject`."""
        self.database.gathered.gone_subjects.add(subject_id)
        self.database.gathered.subjects.pop(subject_id, None)

    def put_faces(self, faces: FaceTable, rows: Sequence[tuple[int, int]]) -> None:
        """See `Roster.put_faces`."""
        new = (row_of(faces, i, subject_id) for i, subject_id in rows)
        self.database.gathered.faces |= {row["face_id"]: row for row in new}

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

    def prototypes(self, probes: NDArray[np.int8], spec: ModelSpec) -> tuple[tuple[Prototypes, ...], Census]:
        """See `Roster.prototypes`; those of the subjects whose templates are near a probe."""
        with self.snapshot():
            return prototypes_near(self.database, self.templates, probes, spec)

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
            faces, subjects = whose(self.database.read_faces(fields=OWNER))
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

    def _find_rows(self, face_id: Sequence[int] | NDArray[np.int64]) -> list[Row]:
        """Those of the faces that are there, by id; as the open transaction leaves them."""
        ids = np.unique(np.asarray(face_id, np.int64)).tolist()
        with self.snapshot():
            rows = {row["face_id"]: row for row in self.database.staying(self.database.faces.get(ids))}
        unit = self.database.unit
        if unit is not None:
            rows |= {one: unit.faces[one] for one in ids if one in unit.faces}
        return [rows[one] for one in sorted(rows)]

    def _enrolled(self, rows: list[Row]) -> list[EnrolledFace]:
        names = self.names_of(np.array([row["subject_id"] for row in rows], np.int64))
        # The last face of a subject may go while this is read.
        return [enrolled_face(row, names[row["subject_id"]]) for row in rows if row["subject_id"] in names]
