"""Names and corrections of faces and persons, and what contradicts what.

A person who is named or corrected is *confirmed* (`settled` in the tables): the faces suggested for the group become
confirmed with it, and from then on the person changes only by corrections. A face that was confirmed with its group may
be taken out of it again; a face that was confirmed by itself may not. All functions raise CorrectionError where they
contradict an earlier correction, or name nobody and nothing of the library, and InputError for a name that is none.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from facespace.errors import CorrectionError
from facespace.library.catalogue import LibraryPart
from facespace.library.faces import find_face, find_person, name_face, name_person, named_people
from facespace.library.history import Assigned, Entry, Step, Stored, one_entry
from facespace.store import clean_name, taken_by

PersonRef = int | str
FaceRef = int | str


class Correcting(LibraryPart):
    """The corrections of a library; see `facespace.library.Library`."""

    def name(self, person: PersonRef, name: str) -> Entry | None:
        """Give a person a name, which nobody else has."""
        with one_entry(self._catalogue, "name") as step:
            clean = clean_name(name, digits=False)
            number = find_person(step.catalogue, person)
            step.what = f"name {name_person(step.catalogue, number)} {clean}"
            _check_free(step, clean, number)
            mark_confirmed(step, number)
            set_person(step, number, name=clean)
        return step.entry

    def merge(self, person: PersonRef, *others: PersonRef) -> Entry | None:
        """All are one person, who keeps the number of the first, and the name of the first that has one."""
        with one_entry(self._catalogue, "merge") as step:
            number = find_person(step.catalogue, person)
            rest = dict.fromkeys(find_person(step.catalogue, other) for other in others)
            rest.pop(number, None)
            merged = ", ".join(name_person(step.catalogue, other) for other in rest)
            step.what = f"merge {merged} into {name_person(step.catalogue, number)}"
            for other in rest:
                join(step, number, other)
        return step.entry

    def split(self, person: PersonRef, faces: Sequence[FaceRef], *, name: str | None = None) -> Entry | None:
        """These faces of a person are another person, a new one of that name; the two stay apart from now on."""
        with one_entry(self._catalogue, "split") as step:
            number = find_person(step.catalogue, person)
            parted = _find_faces(step, faces)
            _check_members(step, parted, faces_of(step, number), number)
            step.what = f"split {_faces(step, parted)} from {name_person(step.catalogue, number)}"
            other = new_person(step)
            for face in parted:
                reject_face(step, face, number)
                confirm_face(step, face, other, named=False)
            _keep_apart(step, number, other)
            step.what += f": person {other}"
            if name is not None:
                clean = clean_name(name, digits=False)
                _check_free(step, clean, other)
                set_person(step, other, name=clean)
                step.what += f", {clean}"
        return step.entry

    def apart(self, person: PersonRef, other: PersonRef) -> Entry | None:
        """The two are different people."""
        with one_entry(self._catalogue, "apart") as step:
            a, b = find_person(step.catalogue, person), find_person(step.catalogue, other)
            if a == b:
                raise CorrectionError(f"expected two people, got {name_person(step.catalogue, a)} twice")
            step.what = f"tell {name_person(step.catalogue, a)} and {name_person(step.catalogue, b)} apart"
            _keep_apart(step, a, b)
        return step.entry

    def confirm(self, person: PersonRef, faces: Sequence[FaceRef] = ()) -> Entry | None:
        """These faces are that person; without faces, all that are suggested for the person are."""
        with one_entry(self._catalogue, "confirm") as step:
            number = find_person(step.catalogue, person)
            meant = _find_faces(step, faces)
            who = name_person(step.catalogue, number)
            mark_confirmed(step, number)
            for face in meant or faces_of(step, number, "suggested"):
                confirm_face(step, face, number, named=bool(meant))
            n = len({key for relation, key, *_ in step.changes if relation == "assignments"})
            step.what = f"confirm {_faces(step, meant) if meant else _count(n)} as {who}"
        return step.entry

    def reject(self, person: PersonRef, faces: Sequence[FaceRef]) -> Entry | None:
        """These faces are not that person. Whose they are is worked out when the library is grouped again."""
        with one_entry(self._catalogue, "reject") as step:
            number = find_person(step.catalogue, person)
            meant = _find_faces(step, faces)
            if not step.person(number).settled and not set(faces_of(step, number)) - set(meant):
                raise CorrectionError(f"{name_person(step.catalogue, number)}: expected a face to be left")
            step.what = f"reject {_faces(step, meant)} as {name_person(step.catalogue, number)}"
            for face in meant:
                reject_face(step, face, number)
            mark_confirmed(step, number)
        return step.entry

    def not_a_face(self, faces: Sequence[FaceRef]) -> Entry | None:
        """These are no faces, or not worth having: they take no part from now on."""
        with one_entry(self._catalogue, "not-a-face") as step:
            meant = _find_faces(step, faces)
            step.what = f"{_faces(step, meant)}: not a face"
            for face in meant:
                before = step.assigned(face)
                if before and before.named:
                    raise CorrectionError(
                        f"{name_face(step.catalogue, face)} cannot be marked as no face: that contradicts "
                        f"{step.entry_of('assignments', face)}; undo that entry first"
                    )
                step.set("assignments", (face,), None)
                step.set("ignored", (face,), ("not a face",))
        return step.entry

    def hide(self, person: PersonRef, *, hidden: bool = True) -> Entry | None:
        """Leave a person out of lists and pages, or with ``hidden=False`` show the person again."""
        with one_entry(self._catalogue, "hide") as step:
            number = find_person(step.catalogue, person)
            step.what = f"{'hide' if hidden else 'show'} {name_person(step.catalogue, number)}"
            mark_confirmed(step, number)
            set_person(step, number, hidden=int(hidden))
        return step.entry


def faces_of(step: Step, person: int, state: str | None = None) -> list[int]:
    """The faces of a person, all or those of one state, in the order of their ids."""
    return step.catalogue.values(
        "SELECT face_id FROM assignments WHERE person_id = ? AND coalesce(?, state) = state ORDER BY face_id",
        (person, state),
    )


def new_person(step: Step) -> int:
    """A confirmed person without faces, of a number that was never used."""
    number = step.catalogue.value(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'people'), 0),"
        " coalesce((SELECT max(person_id) FROM people), 0)) + 1"
    )
    step.set("people", (number,), Stored(None, 0, 1))
    return int(number)


def set_person(step: Step, person: int, **columns: Any) -> None:
    """Change what is given of a person."""
    step.set("people", (person,), step.person(person)._replace(**columns))


def mark_confirmed(step: Step, person: int) -> None:
    """The person changes only by corrections from now on; a mere group is confirmed as it stands."""
    before = step.person(person)
    if before.settled:
        return
    step.set("people", (person,), before._replace(settled=1))
    for face in faces_of(step, person, "suggested"):
        confirm_face(step, face, person, named=False)


def confirm_face(step: Step, face: int, person: int, *, named: bool) -> None:
    """The face is that person; ``named`` where this very face was meant, not its group."""
    who = name_person(step.catalogue, person)
    _take_part(step, face)
    if step.get("rejections", face, person) is not None:
        _refuse(step, face, who, "rejections", face, person)
    before = step.assigned(face)
    if before and before.confirmed:
        if before.person_id == person:
            named = named or bool(before.named)
        elif before.named:
            _refuse(step, face, who, "assignments", face)
    step.set("assignments", (face,), Assigned(person, "confirmed", int(named)))


def reject_face(step: Step, face: int, person: int) -> None:
    """The face is not that person; if it was taken for that person, it is now taken for nobody."""
    _take_part(step, face)
    before = step.assigned(face)
    if before and before.person_id == person:
        if before.named:
            _refuse(step, face, f"rejected as {name_person(step.catalogue, person)}", "assignments", face)
        step.set("assignments", (face,), None)
    step.set("rejections", (face, person), ())


def join(step: Step, person: int, other: int) -> None:
    """The two are one person: ``other`` becomes a part of ``person``, with all its annotations."""
    pair = (min(person, other), max(person, other))
    if step.get("told_apart", *pair) is not None:
        a, b = (name_person(step.catalogue, number) for number in (person, other))
        raise CorrectionError(
            f"{a} and {b} cannot be one person: {step.entry_of('told_apart', *pair)} told them apart; "
            "undo that entry first"
        )
    mark_confirmed(step, person)
    mark_confirmed(step, other)
    _check_no_rejection(step, faces_of(step, other, "confirmed"), person)
    _check_no_rejection(step, faces_of(step, person, "confirmed"), other)
    _move_rejections(step, other, person)
    _move_faces(step, other, person)
    _move_apart(step, other, person)
    mine, theirs = step.person(person), step.person(other)
    # The number's row goes before its name comes to the other.
    step.set("people", (other,), None)
    step.set("people", (person,), mine._replace(name=mine.name or theirs.name))


def _keep_apart(step: Step, a: int, b: int) -> None:
    mark_confirmed(step, a)
    mark_confirmed(step, b)
    step.set("told_apart", (min(a, b), max(a, b)), ())


def _move_rejections(step: Step, other: int, person: int) -> None:
    for face in step.catalogue.values("SELECT face_id FROM rejections WHERE person_id = ?", (other,)):
        step.set("rejections", (face, other), None)
        before = step.assigned(face)
        if before and before.person_id == person:  # a suggestion: a confirmed one was refused
            step.set("assignments", (face,), None)
        step.set("rejections", (face, person), ())


def _move_faces(step: Step, other: int, person: int) -> None:
    for face in faces_of(step, other):
        before = step.assigned(face)
        assert before is not None
        rejected = step.get("rejections", face, person) is not None
        step.set("assignments", (face,), None if rejected else before._replace(person_id=person))


def _move_apart(step: Step, other: int, person: int) -> None:
    for row in step.catalogue.rows("SELECT * FROM told_apart WHERE ? IN (person_id, other_id)", (other,)):
        third = row["other_id"] if row["person_id"] == other else row["person_id"]
        step.set("told_apart", (row["person_id"], row["other_id"]), None)
        step.set("told_apart", (min(person, third), max(person, third)), ())


def _check_no_rejection(step: Step, faces: Iterable[int], person: int) -> None:
    for face in faces:
        if step.get("rejections", face, person) is not None:
            _refuse(step, face, name_person(step.catalogue, person), "rejections", face, person)


def _check_free(step: Step, name: str, person: int) -> None:
    """Nobody but that person has the name."""
    others = [known for known in named_people(step.catalogue) if known[0] != person]
    taken = taken_by(name, others)
    if taken is not None:
        raise CorrectionError(
            f"{name} is person {taken[0]} already; `facespace library merge` makes the two one person, "
            "or choose another name"
        )


def _check_members(step: Step, parted: list[int], members: list[int], person: int) -> None:
    who = name_person(step.catalogue, person)
    for face in parted:
        _take_part(step, face)
        if face not in members:
            raise CorrectionError(
                f"{name_face(step.catalogue, face)}: expected a face of {who}, it is another's"
            )
    if not parted or len(parted) == len(members):
        raise CorrectionError(
            f"{who}: expected some faces to part with and some to stay, got {len(parted)} of {len(members)}"
        )


def _take_part(step: Step, face: int) -> None:
    """The face takes part in the grouping: it is not marked as no face."""
    if step.get("ignored", face) is not None:
        _refuse(step, face, "a person", "ignored", face)


def _refuse(step: Step, face: int, what: str, relation: str, *key: int) -> None:
    raise CorrectionError(
        f"{name_face(step.catalogue, face)} cannot be {what}: that contradicts {step.entry_of(relation, *key)}; "
        "undo that entry first, or leave this face out"
    )


def _find_faces(step: Step, faces: Iterable[FaceRef]) -> list[int]:
    return list(dict.fromkeys(find_face(step.catalogue, face) for face in faces))


def _faces(step: Step, faces: list[int]) -> str:
    """One face by its place, several by their number."""
    return name_face(step.catalogue, faces[0]) if len(faces) == 1 else _count(len(faces))


def _count(n: int) -> str:
    return f"{n} face" + ("" if n == 1 else "s")
