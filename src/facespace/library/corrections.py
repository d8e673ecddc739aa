"""What people may say of faces and persons, and what contradicts what.

A person who is mentioned is *settled*: the faces that were only suggested for a group without a confirmed face become
confirmed with it, and from then on the person changes only by what is said. A face that was confirmed with its group
may be taken out of it again; a face that was confirmed by itself was meant, and saying otherwise is a contradiction.
"""

from collections.abc import Iterable

from facespace.errors import CorrectionError
from facespace.library.addresses import name_face, name_person
from facespace.library.history import Step

__all__ = [
    "confirm_face",
    "faces_of",
    "join",
    "new_person",
    "reject_face",
    "set_person",
    "settle",
    "take_part",
    "tell_apart",
]


def faces_of(step: Step, person: int, state: str | None = None) -> list[int]:
    """The faces of a person, all or those of one state, in the order of their ids."""
    rows = step.catalogue.execute(
        "SELECT face_id FROM assignments WHERE person_id = ? AND coalesce(?, state) = state ORDER BY face_id",
        (person, state),
    )
    return [row[0] for row in rows]


def new_person(step: Step) -> int:
    """A settled person without faces, of a number that was never used."""
    (number,) = step.catalogue.execute(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'people'), 0),"
        " coalesce((SELECT max(person_id) FROM people), 0)) + 1"
    ).fetchone()
    step.set("people", (number,), (None, 0, 1))
    return int(number)


def set_person(step: Step, person: int, *, name: str | None = None, hidden: bool | None = None) -> None:
    """Change what is given of a person."""
    before = step.get("people", person)
    assert before is not None
    step.set(
        "people",
        (person,),
        (before[0] if name is None else name, before[1] if hidden is None else int(hidden), before[2]),
    )


def settle(step: Step, person: int) -> None:
    """The person changes only by what is said from now on; a mere group is confirmed as it stands."""
    row = step.get("people", person)
    assert row is not None
    if row[2]:
        return
    step.set("people", (person,), (*row[:2], 1))
    for face in faces_of(step, person, "suggested"):
        confirm_face(step, face, person, named=False)


def confirm_face(step: Step, face: int, person: int, *, named: bool) -> None:
    """The face is that person; ``named`` where this very face was meant, not its group.

    Raises:
        CorrectionError: it contradicts what was said before.
    """
    who = name_person(step.catalogue, person)
    take_part(step, face)
    if step.get("rejections", face, person) is not None:
        _refuse(step, face, f"to be {who}", "rejections", face, person)
    before = step.get("assignments", face)
    if before and before[1] == "confirmed":
        if before[0] == person:
            named = named or bool(before[2])
        elif before[2]:
            _refuse(step, face, f"to be {who}", "assignments", face)
    step.set("assignments", (face,), (person, "confirmed", int(named)))


def reject_face(step: Step, face: int, person: int) -> None:
    """The face is not that person; if it was taken for that person, it is now taken for nobody.

    Raises:
        CorrectionError: it contradicts what was said before.
    """
    take_part(step, face)
    before = step.get("assignments", face)
    if before and before[0] == person:
        if before[2]:
            _refuse(step, face, f"not to be {name_person(step.catalogue, person)}", "assignments", face)
        step.set("assignments", (face,), None)
    step.set("rejections", (face, person), ())


def take_part(step: Step, face: int) -> None:
    """The face takes part in the grouping.

    Raises:
        CorrectionError: it was said to be no face.
    """
    if step.get("ignored", face) is not None:
        _refuse(step, face, "to be anybody", "ignored", face)


def tell_apart(step: Step, a: int, b: int) -> None:
    """The two are different people."""
    settle(step, a)
    settle(step, b)
    step.set("told_apart", (min(a, b), max(a, b)), ())


def join(step: Step, person: int, other: int) -> None:
    """The two are one person: ``other`` becomes a part of ``person``, with all that was said of it.

    Raises:
        CorrectionError: it contradicts what was said before.
    """
    pair = (min(person, other), max(person, other))
    if step.get("told_apart", *pair) is not None:
        a, b = (name_person(step.catalogue, number) for number in (person, other))
        raise CorrectionError(
            f"{a} and {b} cannot be one person: {step.said_by('told_apart', *pair)} told them apart; "
            "undo that entry first"
        )
    settle(step, person)
    settle(step, other)
    _check_no_rejection(step, faces_of(step, other, "confirmed"), person)
    _check_no_rejection(step, faces_of(step, person, "confirmed"), other)
    _move_rejections(step, other, person)
    _move_faces(step, other, person)
    for a, b in step.catalogue.execute(
        "SELECT person_id, other_id FROM told_apart WHERE ? IN (person_id, other_id)", (other,)
    ).fetchall():
        third = b if a == other else a
        step.set("told_apart", (a, b), None)
        step.set("told_apart", (min(person, third), max(person, third)), ())
    mine, theirs = step.get("people", person), step.get("people", other)
    assert mine and theirs
    # The number's row goes before its name comes to the other.
    step.set("people", (other,), None)
    step.set("people", (person,), (mine[0] or theirs[0], *mine[1:]))


def _move_rejections(step: Step, other: int, person: int) -> None:
    for (face,) in step.catalogue.execute(
        "SELECT face_id FROM rejections WHERE person_id = ?", (other,)
    ).fetchall():
        step.set("rejections", (face, other), None)
        before = step.get("assignments", face)
        if before and before[0] == person:  # a suggestion: a confirmed one was refused
            step.set("assignments", (face,), None)
        step.set("rejections", (face, person), ())


def _move_faces(step: Step, other: int, person: int) -> None:
    for face in faces_of(step, other):
        before = step.get("assignments", face)
        assert before is not None
        rejected = step.get("rejections", face, person) is not None
        step.set("assignments", (face,), None if rejected else (person, *before[1:]))


def _check_no_rejection(step: Step, faces: Iterable[int], person: int) -> None:
    for face in faces:
        if step.get("rejections", face, person) is not None:
            _refuse(step, face, f"to be {name_person(step.catalogue, person)}", "rejections", face, person)


def _refuse(step: Step, face: int, what: str, relation: str, *key: int) -> None:
    raise CorrectionError(
        f"{name_face(step.catalogue, face)} cannot be said {what}: that contradicts {step.said_by(relation, *key)}; "
        "undo that entry first, or leave this face out"
    )
