"""What a gallery of many faces is said to cost."""

import json
import math

import pytest
from typer.testing import CliRunner

from facespace.cli import app, gallery_scale
from facespace.gallery import plan as planning
from facespace.gallery.plan import Calibration, calibrate, plan
from stored import V1

KNOWN = Calibration(20_000.0, 400.0, 36.0, 6.0, 0.5, 5.0, 3.0, 0.2, 128)


@pytest.mark.parametrize(("n", "expected"), [(1, 144), (10**6, 144e6), (10**8, 144e8)])
def test_memory_and_time_of_an_exact_search_grow_with_the_faces(n: int, expected: float) -> None:
    exact, cells, milvus = plan(n, V1, KNOWN).stores
    assert (exact.store, cells.store, milvus.store) == ("exact", "cells", "milvus")
    assert exact.memory_bytes == expected and exact.ms_single == pytest.approx(36e-6 * n)
    assert exact.load_s == pytest.approx(n / 20_000) and exact.disk_bytes == n * 544
    assert milvus.ms_single is None and milvus.memory_bytes == n * (128 + 172 + 340)


def test_cells_cost_less_where_there_are_many() -> None:
    exact, cells, _ = plan(10**8, V1, KNOWN).stores
    assert cells.memory_bytes < exact.memory_bytes / 3 and cells.ms_single and exact.ms_single
    assert cells.ms_single < exact.ms_single / 100
    # 16,384 cells: a sixth of the codes at 0.5 ns, the centres at 5 ns, and 0.2 ms.
    assert cells.ms_single == pytest.approx(0.2 + 1e8 / 6 * 0.5e-6 + 16_384 * 5e-6)
    assert cells.build_s == pytest.approx(10 * 100 * 16_384 * 16_384 * 5e-9 + 1e8 * (16_384 * 5e-9 + 3e-6))
    bare = Calibration(20_000.0, 400.0, 36.0, 6.0, None, None, None, None, 128)
    assert plan(10**8, V1, bare).stores[1].ms_single is None


def test_false_hits_are_the_faces_times_the_rate() -> None:
    found = plan(10**6, V1, KNOWN)
    assert found.false_hits == {"0.01": pytest.approx(1e4), "0.001": pytest.approx(1e3)}
    assert 1 - (1 - found.far_needed) ** 10**6 == pytest.approx(0.01, rel=1e-3) and not found.far_is_measured
    assert plan(5, V1, KNOWN).far_is_measured


def test_a_calibration_of_this_machine_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "N_ROWS", 3000)
    monkeypatch.setattr(planning, "N_LOADED", 200)
    monkeypatch.setattr(gallery_scale, "read_spec", lambda _: V1)
    known = calibrate(V1)
    assert all(value is None or (math.isfinite(value) and value >= 0) for value in vars(known).values())
    assert known.load_per_s > 0 and known.exact_ms_per_million > 0
    result = CliRunner().invoke(app, ["gallery", "plan", "--faces", "1e8", "--json"])
    document = json.loads(result.stdout)
    assert document["faces"] == 10**8 and document["derived"] and len(document["stores"]) == 3
    shown = CliRunner().invoke(app, ["gallery", "plan", "--faces", "1e8"]).stdout
    assert "100,000,000 faces" in shown and "GB" in shown
    assert "extrapolated" in shown
