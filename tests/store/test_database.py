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
