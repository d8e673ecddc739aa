import json
from pathlib import Path

import numpy as np
import pytest

from facespace.measure.result import (
    MEASURED,
    Column,
    Picture,
    PictureRow,
    Pictures,
    Plot,
    Result,
    Series,
    Table,
    cell_text,
    mean_se,
    percent,
    plain,
    with_interval,
)
from facespace.metrics import Interval

RESULTS = [
    Result("not yet run", "Nothing."),
    Result(
        MEASURED,
        "All kinds.",
        (
            Table("t", (Column("a"), Column("b", "percent", paper=True)), (("x", (0.5, 0.01)), ("y", None))),
            Plot(
                "p",
                "x",
                "y",
                (Series("s", (1.0, 2.0), (0.1, 0.2), labels=("a", "b")),),
                x_log=True,
                y_limits=(0, 1),
            ),
            Pictures(
                "f",
                (PictureRow("r", (Picture("a.jpg", (0.0, 1.0, 2.0, 3.0), "b", wrong=True),)),),
                pairs=True,
            ),
        ),
        ("differs",),
        remedy="run it",
        seconds=1.5,
        figures={"tar": {"1e-3": 0.5}, "threshold": None},
    ),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda r: r.status)
def test_a_result_survives_json(result: Result) -> None:
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "percent", "–"),
        ("NN1", "text", "NN1"),
        (0.3178, "percent", "31.8 %"),
        ((0.3526, 0.0171), "percent", "35.3 ± 1.7 %"),
        ((0.894, 0.00743), "percent2", "89.40 ± 0.74 %"),
        ((0.5, None), "percent", "50.0 %"),
        (-0.0123, "points", "−1.2"),
        (0.0123, "points", "+1.2"),
        (0.0, "points", "0.0"),
        (1_605_944_064, "millions", "1,606M"),
        (285e6, "millions", "285M"),
        (83_571_360, "millions", "83.6M"),
        (4_253_124, "millions", "4.3M"),
        (9408, "millions", "9K"),
        (0.70312, "distance", "0.703"),
        (29_840, "count", "29,840"),
        (0.00012, "rate", "1.20e-04"),
        (123.4, "seconds", "123"),
    ],
)
def test_a_cell_is_written_by_its_column(value: object, kind: str, text: str) -> None:
    assert cell_text(value, Column("", kind)) == text


def test_figures_stand_at_the_top_of_the_document() -> None:
    document = RESULTS[1].document()
    assert list(document)[:3] == ["tar", "threshold", "status"] and "figures" not in document


def test_values_become_what_json_can_hold() -> None:
    made = plain({"a": np.float32(0.5), 1: [float("nan"), Path("x")], "b": np.arange(2), "c": Column("n")})
    assert made == {
        "a": 0.5,
        "1": [None, "x"],
        "b": [0, 1],
        "c": {"name": "n", "kind": "text", "paper": False},
    }


def test_numbers_in_headlines() -> None:
    assert (percent(None), percent(0.318)) == ("not supported by so few pairs", "31.8 %")
    assert (mean_se(0.353, 0.017), mean_se(0.353, None)) == ("35.3 ± 1.7 %", "35.3 %")
    assert with_interval(None, None) is None and with_interval(0.5, None) == "50.00 %"
    assert with_interval(0.744, Interval(0.707, 0.779, 0.95, 9), digits=1) == "74.4 % (70.7 to 77.9)"
