from pathlib import Path

import pytest

from facespace.errors import GalleryError
from facespace.gallery.schema import GALLERY_FILE
from facespace.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "g", GALLERY_FILE)


def names(database: Database) -> list[str]:
    return [name for (name,) in database.connection.execute("SELECT name FROM subjects ORDER BY name")]


def add(database: Database, name: str, *, fail: bool = False) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO subjects (name) VALUES (?)", (name,))
        if fail:
            raise KeyError(name)


def test_a_part_of_a_transaction_can_fail_alone(database: Database) -> None:
    with database.transaction():
        add(database, "Ann")
        with pytest.raises(KeyError):
            add(database, "Bob", fail=True)
        with pytest.raises(GalleryError, match="cannot write the gallery"):
            add(database, "Ann")
        add(database, "Cy")
    assert names(database) == ["Ann", "Cy"] and not database.is_writing
    database.close()


def test_a_transaction_left_open_by_an_interrupt_ends_in_silence_with_the_file(database: Database) -> None:
    left = database.transaction()
    left.__enter__().execute("INSERT INTO subjects (name) VALUES ('Ann')")
    database.close()
    del left  # pytest makes an exception that a finaliser raises an error
    again = Database(database.path, GALLERY_FILE)
    assert names(again) == []
    again.close()


@pytest.mark.parametrize("moment", ["BEGIN IMMEDIATE", "SAVEPOINT part", "RELEASE part", "COMMIT"])
def test_ctrl_c_just_after_a_statement_of_a_transaction_leaves_none_open(
    database: Database, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = database.connection.execute

    def interrupted(sql: str, *values: object) -> object:
        found = execute(sql, *values)
        if sql == moment:
            monkeypatch.undo()
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(database.connection, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt), database.transaction():
        add(database, "Ann")
    assert not database.is_writing and not database.connection.in_transaction
    assert names(database) == (["Ann"] if moment == "COMMIT" else [])
    add(database, "Bob")
    assert "Bob" in names(database)
    database.close()
