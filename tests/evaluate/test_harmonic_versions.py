"""Figure 8 on made-up versions of one space, where the right answers are known."""

import dataclasses

import numpy as np
import pytest

from facespace.errors import InputError
from facespace.evaluate.harmonic import Versions, evaluate_harmonic
from facespace.evaluate.holdout import HoldoutFaces

N_PEOPLE, N_EACH, DIM = 60, 20, 32


def space(noise: float, *, seed: int, turned: bool = False) -> HoldoutFaces:
    """People at fixed places, each face off by ``noise``; ``turned``, in a space of its own."""
    places = np.random.default_rng(7).normal(size=(N_PEOPLE, DIM))
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(N_PEOPLE), N_EACH)
    rows = places[labels] + noise * rng.normal(size=(len(labels), DIM))
    if turned:
        rows = rows @ np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return HoldoutFaces(rows.astype(np.float32), labels, tuple(f"p{i:02}" for i in range(N_PEOPLE)))


OLD, NEW = space(1.2, seed=1), space(0.7, seed=2)
ALONE = space(0.7, seed=3, turned=True)


def test_the_order_of_figure_8_with_its_gaps() -> None:
    result = evaluate_harmonic(Versions(OLD, NEW, ALONE), n_splits=3)
    assert [score.name for score in result.scores] == ["v1-v1", "v2-v1", "v2-v2", "alone-alone", "alone-v1"]
    old, mixed, new = (result.score(name).mean for name in ("v1-v1", "v2-v1", "v2-v2"))
    assert old < mixed < new and result.in_order  # type: ignore[operator]
    gap = result.gaps[0]
    differences = np.subtract(result.score("v2-v2").splits, result.score("v2-v1").splits)
    assert gap.mean == pytest.approx(differences.mean())
    assert gap.se == pytest.approx(differences.std(ddof=1) / 3**0.5)
    assert result.score("alone-v1").mean < 0.01, "a space of its own: chance"  # type: ignore[operator]
    assert result.score("alone-alone").mean == pytest.approx(new, abs=0.05)


def test_versions_the_wrong_way_round_are_not_in_order() -> None:
    result = evaluate_harmonic(Versions(NEW, OLD), n_splits=3)
    assert not result.in_order and not result.gaps[0].clear


def test_a_map_is_applied_to_the_old_rows_and_others_are_listed() -> None:
    back = np.linalg.lstsq(OLD.embeddings, ALONE.embeddings, rcond=None)[0]

    def apply(rows: np.ndarray) -> np.ndarray:
        made = rows @ back
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    result = evaluate_harmonic(
        Versions(OLD, NEW, ALONE, {"taught": NEW}), maps={"linear": apply}, fitted_on=9, n_splits=3
    )
    assert [s.name for s in result.scores][5:] == ["alone-linear(v1)", "taught-taught", "taught-v1"]
    assert result.score("alone-linear(v1)").mean > 0.3  # type: ignore[operator]
    assert result.score("taught-v1") == dataclasses.replace(result.score("v2-v1"), name="taught-v1")
    assert {(g.higher, g.lower) for g in result.gaps} >= {
        ("v2-v1", "alone-linear(v1)"),
        ("alone-alone", "v2-v2"),
    }


def test_what_cannot_be_compared_is_refused() -> None:
    fewer = HoldoutFaces(NEW.embeddings[1:], NEW.labels[1:], NEW.identities)
    with pytest.raises(InputError, match="the same faces by every model"):
        evaluate_harmonic(Versions(OLD, fewer))
    with pytest.raises(InputError, match="v2 alone beside them"):
        evaluate_harmonic(Versions(OLD, NEW), maps={"linear": lambda rows: rows})
    with pytest.raises(InputError, match="n_splits"):
        evaluate_harmonic(Versions(OLD, NEW), n_splits=0)
    narrow = NEW.embeddings[:, :16] / np.linalg.norm(NEW.embeddings[:, :16], axis=1, keepdims=True)
    with pytest.raises(InputError, match="one dimension, got 16 and 32"):
        evaluate_harmonic(Versions(OLD, HoldoutFaces(narrow, NEW.labels, NEW.identities)))
