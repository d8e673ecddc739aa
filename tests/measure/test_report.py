"""The report on experiments made up for it: kept, resumed, left out, shown."""

import json
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError, InputError, MissingExtraError, WriteError
from facespace.measure import plots as plots_module
from facespace.measure import registry, report
from facespace.measure.cache import Cache
from facespace.measure.context import Setup
from facespace.measure.experiment import Experiment
from facespace.measure.markdown import write_markdown
from facespace.measure.page import write_page
from facespace.measure.registry import Entry
from facespace.measure.report import make_report
from facespace.measure.result import (
    MEASURED,
    NOT_RUN,
    Column,
    Picture,
    PictureRow,
    Pictures,
    Plot,
    Result,
    Series,
    Table,
    not_run,
)


class Counted:
    """An experiment's function that counts its calls."""

    def __init__(self, result: Result) -> None:
        self.result, self.calls = result, 0

    def __call__(self, context: object) -> Result:
        self.calls += 1
        return self.result


MADE = Result(
    MEASURED, "Half of it, <b>more</b> or less.",
    (
        Table(
            "By size.", (Column("size"), Column("paper: VAL", "percent", paper=True)),
            (("small", 0.5), ("large", None)),
        ),
        Plot("A line.", "size", "VAL", (Series("ours", (1.0, 2.0), (0.1, 0.2)),)),
        Pictures("Faces.", (PictureRow("A", (Picture("one.jpg", text="first"), Picture("gone.jpg", wrong=True))),)),
        Pictures("Pairs.", tuple(PictureRow(str(i), (Picture("one.jpg"),) * 2) for i in range(3)), pairs=True, shown=2),
    ),
    ("Other data.",),
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    Image.fromarray(np.full((40, 40, 3), 120, np.uint8)).save(folder / "one.jpg")
    return folder


def experiment(
    run: Counted, paper: str, needs: tuple[str, ...] = ("data", "model"), version: int = 1
) -> Experiment:
    return Experiment(paper=paper, run=run, needs=needs, report={}, version=version)


def list_experiments(monkeypatch: pytest.MonkeyPatch, experiments: dict[Entry, Experiment]) -> None:
    for module in (registry, report):
        monkeypatch.setattr(module, "ENTRIES", tuple(experiments))
    monkeypatch.setattr(Entry, "load", lambda line: experiments[line])


MADE_LINE, WAITING_LINE = Entry("made", "Table 1: made", "A"), Entry("waiting", "Figure 2: waiting", "A")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> tuple[Counted, Counted]:
    made, waiting = Counted(MADE), Counted(not_run("Not possible yet.", remedy="train first"))
    shown = {
        MADE_LINE: experiment(made, "The paper made it."),
        WAITING_LINE: experiment(waiting, "The paper drew it.", ()),
    }
    list_experiments(monkeypatch, shown)
    return made, waiting


def test_a_result_is_made_once_and_what_could_not_be_made_is_tried_again(
    tmp_path: Path, data: Path, parts: tuple[Counted, Counted]
) -> None:
    first = make_report(Setup(data), tmp_path / "work")
    again = make_report(Setup(data), tmp_path / "work")
    assert [part.calls for part in parts] == [1, 2]
    assert first.parts[0].result == again.parts[0].result
    assert [p.result.status for p in first.parts] == [MEASURED, NOT_RUN]
    assert not list((tmp_path / "work").glob("*.partial"))


def test_other_data_or_another_version_make_it_again(
    tmp_path: Path, data: Path, parts: tuple[Counted, Counted], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_report(Setup(data), tmp_path / "work")
    other = tmp_path / "other"
    other.mkdir()
    make_report(Setup(other), tmp_path / "work")
    list_experiments(monkeypatch, {MADE_LINE: experiment(parts[0], "", version=2)})
    make_report(Setup(data), tmp_path / "work")
    assert parts[0].calls == 3


def test_a_damaged_result_is_made_again(tmp_path: Path, data: Path, parts: tuple[Counted, Counted]) -> None:
    make_report(Setup(data), tmp_path / "work")
    (kept,) = (tmp_path / "work").glob("made-*.json")
    kept.write_text(kept.read_text()[:50])
    make_report(Setup(data), tmp_path / "work")
    assert parts[0].calls == 2


def test_only_makes_the_named_experiments_and_shows_the_others_as_they_are(
    tmp_path: Path, data: Path, parts: tuple[Counted, Counted]
) -> None:
    left_out = make_report(Setup(data), tmp_path / "work", only=["waiting"])
    assert parts[0].calls == 0 and "Left out" in left_out.parts[0].result.headline
    make_report(Setup(data), tmp_path / "work")
    kept = make_report(Setup(data), tmp_path / "work", only=["waiting"])
    assert parts[0].calls == 1 and kept.parts[0].result.status == MEASURED


def test_each_experiment_is_followed_and_reported(
    tmp_path: Path, data: Path, parts: tuple[Counted, Counted]
) -> None:
    titles, said = [], []

    @contextmanager
    def follow(title):  # type: ignore[no-untyped-def]
        titles.append(title)
        yield lambda done, total: None

    make_report(Setup(data), tmp_path / "work", follow=follow, on_made=lambda part: said.append(part.name))
    assert titles == ["Table 1: made", "Figure 2: waiting"] and said == ["made", "waiting"]


@pytest.mark.parametrize(
    ("folder", "only", "error", "message"),
    [
        ("nowhere", (), DataError, "data sets' folder"),
        ("data", ("tabel4",), InputError, "expected one of made, waiting"),
    ],
)
def test_what_is_wrong_is_said_before_the_work(
    tmp_path: Path, data: Path, parts: tuple[Counted, Counted],
    folder: str, only: tuple[str, ...], error: type[Exception], message: str,
) -> None:  # fmt: skip
    with pytest.raises(error, match=message):
        make_report(Setup(tmp_path / folder), tmp_path / "work", only=only)
    assert parts[0].calls == 0


def test_the_page_needs_nothing_else_and_the_json_holds_the_numbers(
    tmp_path: Path, data: Path, parts: tuple[Counted, Counted]
) -> None:
    made = make_report(Setup(data), tmp_path / "work")
    document = write_page(made, tmp_path / "out" / "report.html", data=data)
    html = (tmp_path / "out" / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:image/jpeg|#)', html) and "url(http" not in html
    assert "Half of it, &lt;b&gt;more&lt;/b&gt; or less." in html and "prefers-color-scheme: dark" in html
    assert html.count("picture not found") == 1 and "and 1 more in the JSON" in html
    assert html.count("not yet run") >= 2 and "train first" in html and "Other data." in html
    assert 'class="percent paper">50.0 %' in html
    values = json.loads(document.read_text())
    assert values["model_sha256"] and values["parts"][0]["result"]["blocks"][0]["rows"] == [
        ["small", 0.5],
        ["large", None],
    ]
    assert "base64" not in document.read_text()


def test_the_markdown_has_the_tables_and_no_pictures(
    tmp_path: Path, data: Path, parts: tuple[Counted, Counted]
) -> None:
    made = make_report(Setup(data, quick=True), tmp_path / "work")
    write_markdown(made, tmp_path / "reproduction.md", command="facespace measure report --quick")
    text = (tmp_path / "reproduction.md").read_text()
    assert (
        "    facespace measure report --quick\n" in text
        and "| small | 50.0 % |" in text
        and "| large | – |" in text
    )
    assert "**Not yet run.** Not possible yet." in text and "one.jpg" not in text and "quick run" in text


def test_without_matplotlib_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"facespace\[report\]"):
        plots_module.check_matplotlib()


def test_a_page_that_cannot_be_written_is_one_line(
    tmp_path: Path, data: Path, parts: tuple[Counted, Counted]
) -> None:
    made = make_report(Setup(data), tmp_path / "work")
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError):
        write_page(made, tmp_path / "file" / "report.html", data=data)


def test_arrays_are_kept_and_not_made_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "work")
    made = cache.array("val", {"model": "a"}, lambda: np.ones((2, 3), np.float32))
    kept = cache.array("val", {"model": "a"}, lambda: np.zeros((2, 3), np.float32))
    other = cache.array("val", {"model": "b"}, lambda: np.zeros((2, 3), np.float32))
    assert np.array_equal(made, kept) and not other.any()
