"""The history of names and corrections: an append-only log of small steps, each of which can be taken back.

A step is a change of one row, kept as the row before and after. An entry is what one command did: its steps in order,
all or none of them. Undoing an entry plays its steps backwards, and is an entry itself, so that undoing an undo is a
redo. What a later entry rests on cannot be taken away from under it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from facespace.errors import CorrectionError
from facespace.library.catalogue import Catalogue, LibraryPart

Values = tuple[Any, ...]
Change = tuple[str, Values, Values | None, Values | None]


@dataclass(frozen=True)
class Entry:
    """What one command did.

    Attributes:
        entry_id: grows, never used twice.
        at: UTC, ISO 8601.
        action: the command's name.
        what: a line for people.
        undoes: the entry that this one takes back; None for others.
        in_force: not taken back itself.
    """

    entry_id: int
    at: str
    action: str
    what: str
    undoes: int | None
    in_force: bool


class Stored(NamedTuple):
    """A row of `people` without its key."""

    name: str | None
    hidden: int
    settled: int


class Assigned(NamedTuple):
    """A row of `assignments` without its key."""

    person_id: int
    state: str
    named: int

    @property
    def confirmed(self) -> bool:
        """Else it is a suggestion."""
        return self.state == "confirmed"


# Key and other columns of the tables that hold names and corrections.
RELATIONS: dict[str, tuple[Values, Values]] = {
    "people": (("person_id",), Stored._fields),
    "assignments": (("face_id",), Assigned._fields),
    "rejections": (("face_id", "person_id"), ()),
    "told_apart": (("person_id", "other_id"), ()),
    "ignored": (("face_id",), ("why",)),
}


# What no row may be once an entry has been taken back: the row's table, what is wrong, and the rows that are so.
CONTRADICTED, RESTS_ON_IT = "it would contradict {}; undo that first", "{} rests on it; undo that first"
FORBIDDEN = (
    (
        "rejections", CONTRADICTED, "SELECT face_id, person_id FROM rejections"
        " JOIN assignments USING (face_id, person_id) WHERE state = 'confirmed'",
    ),
    ("ignored", CONTRADICTED, "SELECT face_id FROM ignored JOIN assignments USING (face_id) WHERE state = 'confirmed'"),
    (
        "assignments", RESTS_ON_IT, "SELECT face_id FROM assignments JOIN people USING (person_id)"
        " WHERE state = 'confirmed' AND NOT settled",
    ),
    (
        "rejections", RESTS_ON_IT, "SELECT face_id, person_id FROM rejections JOIN people USING (person_id)"
        " WHERE NOT settled",
    ),
    (
        "told_apart", RESTS_ON_IT, "SELECT t.person_id, other_id FROM told_apart t"
        " JOIN people p ON p.person_id IN (t.person_id, other_id) WHERE NOT settled",
    ),
)  # fmt: skip


class Step:
    """Rows read and changed by one entry; every change is noted.

    Attributes:
        catalogue: the open catalogue, in a transaction.
        what: a line for people.
        changes: (relation, key, before, after) in order.
        entry: once all is committed; None where nothing was changed.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.what = ""
        self.changes: list[Change] = []
        self.entry: Entry | None = None

    def get(self, relation: str, *key: int) -> Values | None:
        """The other columns of a row; None where there is no such row."""
        keys, columns = RELATIONS[relation]
        where = " AND ".join(f"{name} = ?" for name in keys)
        row = self.catalogue.row(f"SELECT {', '.join(columns) or '1'} FROM {relation} WHERE {where}", key)
        return None if row is None else tuple(row) if columns else ()

    def person(self, person: int) -> Stored:
        """The row of a person who is there."""
        values = self.get("people", person)
        assert values is not None
        return Stored(*values)

    def assigned(self, face: int) -> Assigned | None:
        """The person of a face; None where it is nobody's."""
        values = self.get("assignments", face)
        return None if values is None else Assigned(*values)

    def set(self, relation: str, key: Values, values: Values | None) -> None:
        """Put a row in place of the one with that key; None removes it."""
        before = self.get(relation, *key)
        if before == values:
            return
        _write(self.catalogue, relation, key, values)
        self.changes.append((relation, key, before, values))

    def entry_of(self, relation: str, *key: int) -> str:
        """Which entry made a row what it is, for messages."""
        row = self.catalogue.row(
            "SELECT entry_id, what FROM changes JOIN history USING (entry_id) WHERE relation = ? AND key = ?"
            " ORDER BY change_id DESC",
            (relation, json.dumps(key)),
        )
        return (
            "an entry that is no longer kept" if row is None else f"entry {row['entry_id']} ({row['what']})"
        )


@contextmanager
def one_entry(catalogue: Catalogue, action: str, *, undoes: int | None = None) -> Iterator[Step]:
    """One transaction with one entry, for what is changed inside.

    Raises:
        LibraryError: another process holds the library, or the disk refuses.
    """
    with catalogue.transaction():
        step = Step(catalogue)
        yield step
        entry = _write_entry(step, action, undoes)
    step.entry = entry


def read_entries(catalogue: Catalogue) -> list[Entry]:
    """All entries, the newest first."""
    entries: list[Entry] = []
    taken_back: set[int] = set()
    for row in catalogue.rows("SELECT * FROM history ORDER BY entry_id DESC"):
        in_force = row["entry_id"] not in taken_back
        if in_force and row["undoes"] is not None:
            taken_back.add(row["undoes"])
        entries.append(Entry(**dict(row), in_force=in_force))
    return entries


class Undoing(LibraryPart):
    """What a library does with its history."""

    def history(self) -> list[Entry]:
        """All corrections, the newest first."""
        return read_entries(self._catalogue)

    def undo(self, entry: int | None = None) -> Entry | None:
        """Take back the last correction in force, or the one with that number if no later one rests on it.

        Raises:
            CorrectionError: there is none, or a later entry rests on it.
        """
        with self._catalogue.transaction():
            for known in self.history():
                is_undoable = known.undoes is None and known.in_force and known.action != "forget"
                if is_undoable and entry in (None, known.entry_id):
                    return _take_back(self._catalogue, known, "undo")
        which = "" if entry is None else f" with number {entry}; see `facespace library history`"
        raise CorrectionError(f"nothing to undo: the history has no entry in force{which}")

    def redo(self) -> Entry | None:
        """Take back the last undo, as long as no correction was made since.

        Raises:
            CorrectionError: there is no undo, or a correction was made since.
        """
        with self._catalogue.transaction():
            entries = self.history()
            known = {entry.entry_id for entry in entries}
            for entry in entries:
                if entry.undoes is None:
                    break
                if entry.in_force and entry.action == "undo" and entry.undoes in known:
                    return _take_back(self._catalogue, entry, "redo")
        raise CorrectionError("nothing to redo: nothing was undone since the last correction")


def _take_back(catalogue: Catalogue, entry: Entry, action: str) -> Entry | None:
    changes = _changes(catalogue, entry.entry_id)
    refused = f"entry {entry.entry_id} ({entry.what}) cannot be taken back: "
    with one_entry(catalogue, action, undoes=entry.entry_id) as step:
        step.what = f"{action} {entry.undoes or entry.entry_id}: {_first_what(catalogue, entry)}"
        for relation, key, after in {(r, k): (r, k, a) for r, k, _, a in changes}.values():
            if _fixed(relation, step.get(relation, *key)) != _fixed(relation, after):
                raise CorrectionError(
                    f"{refused}{step.entry_of(relation, *key)} rests on it; undo that first"
                )
        try:
            for relation, key, before, _ in reversed(changes):
                step.set(relation, key, _possible(step, relation, before))
        except sqlite3.IntegrityError as error:
            raise CorrectionError(
                f"{refused}later corrections rest on it; undo those first, the newest before the others"
            ) from error
        for relation, why, rows in FORBIDDEN:
            if row := step.catalogue.row(rows):
                raise CorrectionError(refused + why.format(step.entry_of(relation, *row)))
    return step.entry


def _changes(catalogue: Catalogue, entry_id: int) -> list[Change]:
    rows = catalogue.rows(
        "SELECT relation, key, before, after FROM changes WHERE entry_id = ? ORDER BY change_id", (entry_id,)
    )
    return [
        (row["relation"], tuple(json.loads(row["key"])), _values(row["before"]), _values(row["after"]))
        for row in rows
    ]


def _write_entry(step: Step, action: str, undoes: int | None) -> Entry | None:
    if not step.changes and undoes is None and action != "forget":
        return None
    at = datetime.now(UTC).isoformat(timespec="seconds")
    # SQLite text is UTF-8, names of files need not be.
    what = step.what.encode(errors="backslashreplace").decode()
    cursor = step.catalogue.execute(
        "INSERT INTO history (at, action, what, undoes) VALUES (?, ?, ?, ?)", (at, action, what, undoes)
    )
    entry = Entry(int(cursor.lastrowid or 0), at, action, what, undoes, True)
    step.catalogue.execute_all(
        "INSERT INTO changes (entry_id, relation, key, face_id, before, after) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (entry.entry_id, relation, json.dumps(key), _face(relation, key), _json(before), _json(after))
            for relation, key, before, after in step.changes
        ],
    )
    return entry


def _write(catalogue: Catalogue, relation: str, key: Values, values: Values | None) -> None:
    keys, columns = RELATIONS[relation]
    if values is None:
        if relation == "people":  # what was only suggested goes with the person
            catalogue.execute("DELETE FROM assignments WHERE person_id = ? AND state = 'suggested'", key)
        catalogue.execute(
            f"DELETE FROM {relation} WHERE " + " AND ".join(f"{name} = ?" for name in keys), key
        )
        return
    names = (*keys, *columns)
    update = ", ".join(f"{name} = excluded.{name}" for name in columns)
    catalogue.execute(
        f"INSERT INTO {relation} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        f" ON CONFLICT ({', '.join(keys)}) DO " + (f"UPDATE SET {update}" if update else "NOTHING"),
        (*key, *values),
    )


def _fixed(relation: str, values: Values | None) -> Values | None:
    """What must not have changed in a row: a mere suggestion may have."""
    return None if relation == "assignments" and values and not Assigned(*values).confirmed else values


def _possible(step: Step, relation: str, before: Values | None) -> Values | None:
    """A suggestion for a person who is gone is none."""
    if relation != "assignments" or before is None or Assigned(*before).confirmed:
        return before
    return before if step.get("people", Assigned(*before).person_id) else None


def _first_what(catalogue: Catalogue, entry: Entry) -> str:
    by_id = {one.entry_id: one for one in read_entries(catalogue)}
    while entry.undoes in by_id:
        entry = by_id[entry.undoes]
    return entry.what


def _face(relation: str, key: Values) -> int | None:
    return key[0] if RELATIONS[relation][0][0] == "face_id" else None


def _json(values: Values | None) -> str | None:
    return None if values is None else json.dumps(values)


def _values(text: str | None) -> Values | None:
    return None if text is None else tuple(json.loads(text))
