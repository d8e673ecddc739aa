"""Forget a person: no template, thumbnail or name of theirs stays in the library's files.

What stays is where in which photo somebody was, and that this somebody is to be left alone: so that a later run over
the same photo does not learn the person again. A new or altered photo shows a face that nobody can know is theirs.
"""

import json
import sqlite3
from dataclasses import dataclass

import numpy as np

from facespace.library.catalogue import LibraryPart
from facespace.library.corrections import PersonRef, faces_of
from facespace.library.faces import find_person
from facespace.library.files import remove_files, remove_page
from facespace.library.history import Assigned, Entry, Step, one_entry


@dataclass(frozen=True)
class Forgotten:
    """What was removed.

    Attributes:
        entry: the audit line in the history, without name.
        n_faces: faces of the person, confirmed and suggested.
        n_templates: of these, by all models.
        n_files: thumbnails, previews and pages beside the catalogue.
    """

    entry: Entry
    n_faces: int
    n_templates: int
    n_files: int


class Forgetting(LibraryPart):
    """What a library does to forget somebody."""

    def forget(self, person: PersonRef) -> Forgotten:
        """Remove a person for good from the file and the files beside it, and the bytes out of the file.

        All faces shown for the person go, the suggested ones too; so do the entries of the history that mention the
        person or one of the faces, and the page, which `facespace people` writes again. This cannot be undone.

        Args:
            person: number or name.

        Raises:
            CorrectionError: nobody of that number or name.
            LibraryError: the library cannot be written, or another process holds the file open, so that traces stay.
        """
        folder = self._catalogue.folder
        with one_entry(self._catalogue, "forget") as step:
            number = find_person(step.catalogue, person)
            faces = faces_of(step, number)
            beside = step.catalogue.values(  # a preview shows all faces of its photo
                "SELECT face_id FROM faces WHERE photo_id IN"
                " (SELECT photo_id FROM faces WHERE face_id IN (SELECT value FROM json_each(?)))",
                (json.dumps(faces),),
            )
            n_templates = _remove(step, number, faces)
            _remove_entries(step, number, set(faces))
            n_files = remove_files(folder, beside) + remove_page(folder)
            step.what = f"forgot a person: {len(faces)} faces, {n_templates} templates, {n_files} files"
        assert step.entry is not None
        self._catalogue.scrub()
        return Forgotten(step.entry, len(faces), n_templates, n_files)


def _remove(step: Step, person: int, faces: list[int]) -> int:
    """Returns the number of templates."""
    write, rows = step.catalogue.execute_all, [(face,) for face in faces]
    views = step.catalogue.values(
        "SELECT face_id FROM faces WHERE of_track IN (SELECT value FROM json_each(?))", (json.dumps(faces),)
    )
    n_templates = step.catalogue.templates.remove(np.array(faces + views, np.int64))
    write("DELETE FROM faces WHERE of_track = ?", rows)
    for relation in ("assignments", "rejections"):
        write(f"DELETE FROM {relation} WHERE face_id = ?", rows)
    write("UPDATE faces SET thumbnail = x'', landmarks = x'', score = 0, quality = 0 WHERE face_id = ?", rows)
    write("INSERT OR REPLACE INTO ignored VALUES (?, 'forgotten')", rows)
    for statement in (
        "DELETE FROM rejections WHERE person_id = ?",
        "DELETE FROM told_apart WHERE ? IN (person_id, other_id)",
        "DELETE FROM people WHERE person_id = ?",
    ):
        step.catalogue.execute(statement, (person,))
    return n_templates


def _remove_entries(step: Step, person: int, faces: set[int]) -> None:
    """Entries that mention the person or a face, and what takes them back."""
    mentioned = {
        row["entry_id"]
        for row in step.catalogue.stream("SELECT * FROM changes")
        if row["face_id"] in faces or person in _people(row)
    }
    for row in step.catalogue.rows("SELECT entry_id, undoes FROM history ORDER BY entry_id"):
        if row["undoes"] in mentioned:
            mentioned.add(row["entry_id"])
    for entry_id in sorted(mentioned, reverse=True):
        step.catalogue.execute("DELETE FROM history WHERE entry_id = ?", (entry_id,))


def _people(change: sqlite3.Row) -> set[int]:
    """The persons that a change mentions."""
    relation, key = change["relation"], json.loads(change["key"])
    if relation == "assignments":
        values = [json.loads(text) for text in (change["before"], change["after"]) if text]
        return {Assigned(*row).person_id for row in values}
    return {"people": set(key[:1]), "rejections": set(key[1:]), "told_apart": set(key)}.get(relation, set())
