"""The report has every table and figure of the paper, in its order; and some of them on real faces."""

import re
from pathlib import Path

import pytest

from facespace.embed import Embedder
from facespace.measure.context import Setup
from facespace.measure.experiments import clustering
from facespace.measure.report import in_report, make_report
from facespace.measure.result import COMPUTED, MEASURED, NOT_RUN, Pictures, Plot, Table
from few_people import few_people

PAPER_ORDER = (
    "figure1", "table1", "table2", "figure4", "table3", "figure5", "table4", "table5", "table6", "figure6", "figure7",
    "figure8", "figure9", "figure10",
)  # fmt: skip


def test_every_table_and_figure_of_the_paper_is_there_in_its_order() -> None:
    names = [line.name for line, _ in in_report()]
    assert tuple(name for name in names if name in PAPER_ORDER) == PAPER_ORDER
    assert {"holdout", "alignment", "bytes", "resolution", "lfw", "youtube", "clustering"} <= set(names)


def test_the_networks_are_counted_to_the_paper_s_rows(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    data = tmp_path / "data"
    data.mkdir()
    report = make_report(Setup(data, quick=True), tmp_path / "work", only=["table1", "table2", "figure8"])
    by_name = {part.name: part.result for part in report.parts}
    assert by_name["figure8"].status == NOT_RUN
    for name, weights in (("table1", 140_006_592), ("table2", 7_448_256)):
        result = by_name[name]
        (table,) = result.blocks
        assert result.status == COMPUTED and isinstance(table, Table)
        *rows, total = table.rows
        assert total[3] == weights == sum(row[3] for row in rows)  # type: ignore[misc]
        for row in rows:  # the paper rounds, to one digit where a row has a few thousand
            assert row[3] == pytest.approx(row[2], rel=0.13) and row[5] == pytest.approx(row[4], rel=0.32)


def test_quick_experiments_on_real_faces(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = few_people(data, tmp_path / "data", 24)
    monkeypatch.setattr(clustering, "QUICK_SIZES", (300, 900))
    made = ["figure1", "holdout", "table5", "clustering"]
    report = make_report(Setup(few, quick=True), tmp_path / "work", only=made)
    by_name = {part.name: part.result for part in report.parts}
    assert by_name["table5"].status == NOT_RUN and "--runs" in by_name["table5"].remedy
    pictures, matrix = by_name["figure1"].blocks
    assert isinstance(pictures, Pictures) and isinstance(matrix, Table)
    shown = [picture.path for row in pictures.rows for picture in row.pictures]
    assert len(set(shown)) == 8 and all((few / path).is_file() for path in shown)
    assert len(matrix.rows) == 7 and all(0 <= row[1] <= 4 for row in matrix.rows)
    assert matrix.rows[0][2:] == ("",) * 6
    assert by_name["holdout"].status == MEASURED
    plot, sizes = by_name["clustering"].blocks
    assert isinstance(plot, Plot) and plot.series[0].x == (300.0, 900.0) and min(plot.series[0].y) > 0
    assert isinstance(sizes, Table) and [row[0] for row in sizes.rows] == [300, 900]
    assert re.search(r"grows as n\^-?\d\.\d\d", by_name["clustering"].headline)
    assert report.model == Embedder().spec.label
