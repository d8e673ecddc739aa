import dataclasses
import math

import pytest

from facespace.errors import TrainingError
from facespace.training.health import PATIENCE, Epoch, check_health, check_loss

GOOD = Epoch(0, 0.15, 0.6, 0.9, 1.0, math.nan, 20.0, 1.0, 1e-3, 0.1, 6.0, 300.0, 250.0, 60.0)


def epochs(n: int, **changes) -> list[Epoch]:
    return [dataclasses.replace(GOOD, epoch=i, **{k: v(i) for k, v in changes.items()}) for i in range(n)]


@pytest.mark.parametrize(
    "history",
    [
        epochs(1),
        epochs(30, loss=lambda i: 0.2 * 0.99**i),
        epochs(30, tar=lambda i: 0.1 + 0.01 * i),
        epochs(PATIENCE),
        epochs(1, active=lambda i: math.nan, teacher_dist=lambda i: 1.0),
        epochs(1, active=lambda i: 0.0),
    ],
    ids=[
        "one",
        "loss falls",
        "VAL rises",
        "too short to tell",
        "distilled without triplets",
        "no triplets, but another term",
    ],
)
def test_a_run_that_learns_goes_on(history: list[Epoch]) -> None:
    check_health(history)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (epochs(1, rank=lambda i: 1.2), "collapsed.*semi-hard"),
        (epochs(1, active=lambda i: 0.0, loss=lambda i: 0.0), "nothing is left to learn.*margin"),
        (epochs(PATIENCE + 1), "standstill.*learning_rate"),
        (epochs(PATIENCE + 1, tar=lambda i: math.nan), "standstill"),
        (epochs(20, loss=lambda i: 0.1 + 0.01 * i, tar=lambda i: 0.2 - 0.01 * i), "standstill"),
    ],
)
def test_a_run_that_does_not_is_stopped_with_the_remedy(history: list[Epoch], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        check_health(history)


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (0.1, math.inf)])
def test_numbers_that_are_none_stop_a_run(loss: float, norm: float) -> None:
    check_loss(0, 0.1, 1.0)
    with pytest.raises(TrainingError, match="--resume"):
        check_loss(3, loss, norm)


def test_an_epochs_line_leaves_out_what_does_not_apply() -> None:
    line = GOOD.line()
    assert "teacher" not in line and "nan" not in line
    assert "active pairs 60 %" in line and "6.0 faces an identity" in line
