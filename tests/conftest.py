"""What several tests share: where the real data lies, and a source of chance with a fixed seed."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from in_milvus import lite_address, milvus_server, server_address  # noqa: F401 - fixtures

# Small arrays, and processes side by side: threads of one operation would mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same cases every time, and no clock: a busy machine must not fail a test.
settings.register_profile("facespace", deadline=None, derandomize=True)
settings.load_profile("facespace")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of Milvus come last, one after another: its server takes a tenth of a core as long as it is up."""
    items.sort(key=lambda item: any(name in item.nodeid for name in ("milvus", "_address]")))


def _data_folder() -> Path:
    named = os.environ.get("FACESPACE_DATA")
    return Path(named) if named else Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real faces and photos; the test is skipped where there is none."""
    folder = _data_folder()
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}: set FACESPACE_DATA to the folder that holds faces/, lfw/, albums/")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
