from pathlib import Path

import numpy as np
import pytest

from embeddings import unit_rows
from facespace.cluster import agglomerative
from facespace.errors import InputError
from facespace.measure.cluster_pictures import write_cluster_pictures


def test_pictures_are_written_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = unit_rows(rng, 8, 24)[np.repeat(np.arange(8), 12)] + 0.08 * rng.normal(size=(96, 24)).astype(
        np.float32
    )
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = agglomerative(rows, threshold=0.6).labels
    paths = write_cluster_pictures(tmp_path, rows, labels, threshold=0.6, person=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)
    assert all(p.read_bytes()[:4] == b"\x89PNG" for p in paths)
    with pytest.raises(InputError, match="two faces"):
        write_cluster_pictures(tmp_path, rows, labels, threshold=0.6, person=99)
    two = write_cluster_pictures(tmp_path, rows[:2], labels[:2] * 0, threshold=0.6)
    assert len(two) == 3
