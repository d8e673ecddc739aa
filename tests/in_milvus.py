"""Galleries in milvus-lite and in a real Milvus server for tests, emptied before each use, since making one is slow."""

from collections.abc import Iterator

import pytest

from facespace.gallery import Gallery
from facespace.gallery.milvus_roster import MilvusRoster
from facespace.store.milvus.collection import Collection
from milvus_server import MilvusProcess, why_not


@pytest.fixture(scope="session")
def lite_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    return f"milvus://{tmp_path_factory.mktemp('lite') / 'gallery.db'}"


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusProcess]:
    if reason := why_not():
        pytest.skip(reason)
    server = MilvusProcess(tmp_path_factory.mktemp("milvus"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def server_address(milvus_server: MilvusProcess) -> str:
    return milvus_server.gallery("shared")


def emptied(address: str) -> Gallery:
    """The gallery at an address, without any row."""
    gallery = Gallery(address)
    assert isinstance(gallery.roster, MilvusRoster)
    database = gallery.roster.database
    templates = [database.templates(spec) for spec in database.models()]
    for one in (*templates, database.faces, database.subjects, database.records):
        _empty(one)
    return gallery


def _empty(collection: Collection) -> None:
    collection.drop([row[collection.key] for row in collection.scan([collection.key])])
