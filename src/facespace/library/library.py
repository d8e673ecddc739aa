"""A photo library: a folder of photos, beside it the catalogue of the faces found there, and what people said of them.

Each method below is one transaction with one entry in the history; the commands of the same names are their faces.
Persons are named by number or name, faces by `photo#k` or id (`facespace.library.addresses`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facespace.errors import CorrectionError
from facespace.library.addresses import find_face, find_person, name_face, name_person
from facespace.library.catalogue import Catalogue
from facespace.library.corrections import (
    confirm_face,
    faces_of,
    join,
    new_person,
    reject_face,
    set_person,
    settle,
    take_part,
    tell_apart,
)
from facespace.library.forget import Forgotten, forget
from facespace.library.history import Entry, History, Step
from facespace.store import clean_name, taken_by

if TYPE_CHECKING:
    from facespace.library.exchange.importing import Imported

__all__ = ["Library"]

PersonRef = int | str
FaceRef = int | str


class Library(Catalogue):
    """An open library; use it in a `with` block, in one thread.

    Every correction raises CorrectionError where it names nobody and nothing of the library, or contradicts what was
    said before (naming both), InputError for a name that cannot be one, and LibraryError where the file cannot be
    written; then nothing is changed. It returns its entry in the history, or None where there was nothing to change.

    Args:
        folder: holds the catalogue and the page; made, for its owner alone, if absent.
        create: False makes an absent library an error.

    Raises:
        LibraryError: the folder or its catalogue cannot be opened, or is another program's.

    Attributes:
        folder: as given.
        templates: the store of all faces' templates.
    """

    def __init__(self, folder: Path | str, *, create: bool = True) -> None:
        super().__init__(folder, create=create)
        self._history = History(self._database)

    def name(self, person: PersonRef, name: str) -> Entry | None:
        """Give a person a name, which nobody else has."""
        clean = clean_name(name, digits=False)
        with self._history.step("name") as step:
            number = find_person(step.catalogue, person)
            step.what = f"name {name_person(step.catalogue, number)} {clean}"
            _check_free(step, clean, number)
            settle(step, number)
            set_person(step, number, name=clean)
        return self._history.last

    def merge(self, person: PersonRef, *others: PersonRef) -> Entry | None:
        """All are one person, who keeps the number of the first, and the name of the first that has one."""
        with self._history.step("merge") as step:
            number = find_person(step.catalogue, person)
            rest = dict.fromkeys(find_person(step.catalogue, other) for other in others)
            rest.pop(number, None)
            step.what = f"merge {_people(step, rest)} into {name_person(step.catalogue, number)}"
            for other in rest:
                join(step, number, other)
        return self._history.last

    def split(self, person: PersonRef, faces: Sequence[FaceRef], *, name: str | None = None) -> Entry | None:
        """These faces of a person are another person, a new one of that name; the two stay apart from now on."""
        with self._history.step("split") as step:
            number = find_person(step.catalogue, person)
            parted = _find_faces(step, faces)
            members = faces_of(step, number)
            _check_members(step, parted, members, number)
            step.what = f"split {_faces(step, parted)} from {name_person(step.catalogue, number)}"
            other = new_person(step)
            for face in parted:
                reject_face(step, face, number)
                confirm_face(step, face, other, named=False)
            tell_apart(step, number, other)
            step.what += f": person {other}"
            if name is not None:
                clean = clean_name(name, digits=False)
                _check_free(step, clean, other)
                set_person(step, other, name=clean)
                step.what += f", {clean}"
        return self._history.last

    def apart(self, person: PersonRef, other: PersonRef) -> Entry | None:
        """The two are different people."""
        with self._history.step("apart") as step:
            a, b = find_person(step.catalogue, person), find_person(step.catalogue, other)
            if a == b:
                raise CorrectionError(f"expected two people, got {name_person(step.catalogue, a)} twice")
            step.what = f"tell {name_person(step.catalogue, a)} and {name_person(step.catalogue, b)} apart"
            tell_apart(step, a, b)
        return self._history.last

    def confirm(self, person: PersonRef, faces: Sequence[FaceRef] = ()) -> Entry | None:
        """These faces are that person; without faces, all that are suggested for the person are."""
        with self._history.step("confirm") as step:
            number = find_person(step.catalogue, person)
            meant = _find_faces(step, faces)
            who = name_person(step.catalogue, number)
            settle(step, number)
            for face in meant or faces_of(step, number, "suggested"):
                confirm_face(step, face, number, named=bool(meant))
            n = len({key for relation, key, *_ in step.changes if relation == "assignments"})
            step.what = f"confirm {_faces(step, meant) if meant else _count(n)} as {who}"
        return self._history.last

    def reject(self, person: PersonRef, faces: Sequence[FaceRef]) -> Entry | None:
        """These faces are not that person. Whose they are is worked out by the next `facespace people`."""
        with self._history.step("reject") as step:
            number = find_person(step.catalogue, person)
            meant = _find_faces(step, faces)
            row = step.get("people", number)
            if row and not row[2] and not set(faces_of(step, number)) - set(meant):
                raise CorrectionError(f"{name_person(step.catalogue, number)}: expected a face to be left")
            step.what = f"reject {_faces(step, meant)} as {name_person(step.catalogue, number)}"
            for face in meant:
                reject_face(step, face, number)
            settle(step, number)
        return self._history.last

    def not_a_face(self, faces: Sequence[FaceRef]) -> Entry | None:
        """These are no faces, or not worth having: they take no part from now on."""
        with self._history.step("not-a-face") as step:
            meant = _find_faces(step, faces)
            step.what = f"{_faces(step, meant)}: not a face"
            for face in meant:
                before = step.get("assignments", face)
                if before and before[2]:
                    raise CorrectionError(
                        f"{name_face(step.catalogue, face)} cannot be said to be no face: that contradicts "
                        f"{step.said_by('assignments', face)}; undo that entry first"
                    )
                step.set("assignments", (face,), None)
                step.set("ignored", (face,), ("not a face",))
        return self._history.last

    def hide(self, person: PersonRef, *, hidden: bool = True) -> Entry | None:
        """Leave a person out of lists and pages, or with ``hidden=False`` show the person again."""
        with self._history.step("hide") as step:
            number = find_person(step.catalogue, person)
            step.what = f"{'hide' if hidden else 'show'} {name_person(step.catalogue, number)}"
            settle(step, number)
            set_person(step, number, hidden=hidden)
        return self._history.last

    def import_names(
        self,
        *,
        photos: Path | None = None,
        contacts: Path | None = None,
        dry_run: bool = False,
        on_photo: Callable[[int, int], None] | None = None,
    ) -> "Imported":
        """Take over the names that other programs gave to faces: one entry, which one `undo` takes back.

        Read are XMP sidecars, packets inside photos, and Picasa's files. What was said here wins; a second import
        changes nothing.

        Args:
            photos: their folder, where it is not that of the last scan.
            contacts: Picasa's contacts.xml, for names that are not in its folders' files.
            dry_run: change nothing, only say what would come of it.
            on_photo: called with (done, in all).

        Raises:
            DataError: the contacts cannot be read.
            LibraryError: the photos' folder is not there, or another process holds the library.
        """
        from facespace.library.exchange.importing import import_names  # beside what needs this class

        return import_names(
            self._history, self, photos=photos, contacts=contacts, dry_run=dry_run, on_photo=on_photo
        )

    def undo(self, entry: int | None = None) -> Entry | None:
        """Take back the last correction in force, or the one with that number if no later one rests on it."""
        return self._history.undo(entry)

    def redo(self) -> Entry | None:
        """Take back the last undo, as long as nothing was said since."""
        return self._history.redo()

    def history(self) -> list[Entry]:
        """All that was said, the newest first."""
        return self._history.entries()

    def forget(self, person: PersonRef) -> Forgotten:
        """Remove a person for good; see `facespace.library.forget`. This cannot be undone.

        Raises:
            LibraryError: besides, another process holds the file open, so that traces stay on the disk.
        """
        forgotten = forget(self._history, self.folder, person)
        self._database.scrub()
        return forgotten


def _check_free(step: Step, name: str, person: int) -> None:
    """Nobody but that person has the name."""
    others = "SELECT person_id, name FROM people WHERE name NOTNULL AND person_id != ?"
    other = taken_by(name, step.catalogue.execute(others, (person,)))
    if other is not None:
        raise CorrectionError(
            f"{name} is person {other[0]} already; `facespace merge` makes the two one person, "
            "or choose another name"
        )


def _find_faces(step: Step, faces: Sequence[FaceRef]) -> list[int]:
    return list(dict.fromkeys(find_face(step.catalogue, face) for face in faces))


def _check_members(step: Step, parted: list[int], members: list[int], person: int) -> None:
    who = name_person(step.catalogue, person)
    for face in parted:
        take_part(step, face)
        if face not in members:
            raise CorrectionError(
                f"{name_face(step.catalogue, face)}: expected a face of {who}, it is another's"
            )
    if not parted or len(parted) == len(members):
        raise CorrectionError(
            f"{who}: expected some faces to part with and some to stay, got {len(parted)} of {len(members)}"
        )


def _people(step: Step, people: dict[int, None]) -> str:
    return ", ".join(name_person(step.catalogue, number) for number in people)


def _faces(step: Step, faces: list[int]) -> str:
    """One face by its place, several by their number."""
    return name_face(step.catalogue, faces[0]) if len(faces) == 1 else _count(len(faces))


def _count(n: int) -> str:
    return f"{n} face" + ("" if n == 1 else "s")
