import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facespace.errors import InputError
from facespace.training.mining import mine_semi_hard

MARGIN = 0.2


def unit_rows(rng: np.random.Generator, n: int, dim: int = 4) -> torch.Tensor:
    rows = rng.normal(size=(n, dim))
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True)).float()


def plain_loop(embeddings, labels, reference, reference_labels, *, itself: bool) -> dict:
    """Every anchor-positive pair with all of its semi-hard negatives, by three nested loops."""
    found = {}
    for a in range(len(labels)):
        for p in range(len(reference_labels)):
            if labels[a] != reference_labels[p] or (itself and a == p):
                continue
            d_ap = float(2 - 2 * embeddings[a] @ reference[p])
            found[a, p] = {
                n
                for n in range(len(reference_labels))
                if labels[a] != reference_labels[n]
                and d_ap < float(2 - 2 * embeddings[a] @ reference[n]) < d_ap + MARGIN
            }
    return found


def by_pair(triplets) -> dict:
    pairs: dict = {}
    for a, p, n in zip(
        triplets.anchor_idx.tolist(),
        triplets.positive_idx.tolist(),
        triplets.negative_idx.tolist(),
        strict=True,
    ):
        pairs.setdefault((a, p), []).append(n)
    return pairs


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), n=st.integers(2, 24), n_labels=st.integers(1, 6))
def test_all_semi_hard_negatives_of_a_plain_loop_are_found(seed: int, n: int, n_labels: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings, labels = unit_rows(rng, n), torch.from_numpy(rng.integers(0, n_labels, n))
    expected = plain_loop(embeddings, labels, embeddings, labels, itself=True)
    triplets = mine_semi_hard(embeddings, labels, margin=MARGIN, negatives_per_pair=n)
    assert triplets.n_pairs == len(expected)
    assert {k: set(v) for k, v in by_pair(triplets).items()} == {k: v for k, v in expected.items() if v}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), k=st.integers(1, 4))
def test_up_to_k_different_negatives_are_drawn_of_those(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings, labels = unit_rows(rng, 20), torch.from_numpy(rng.integers(0, 4, 20))
    expected = plain_loop(embeddings, labels, embeddings, labels, itself=True)
    drawn = by_pair(mine_semi_hard(embeddings, labels, margin=MARGIN, negatives_per_pair=k))
    for pair, candidates in expected.items():
        negatives = drawn.get(pair, [])
        assert len(negatives) == len(set(negatives)) == min(k, len(candidates))
        assert set(negatives) <= candidates


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), k=st.integers(1, 4))
def test_the_nearest_k_are_those_with_the_smallest_distance(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings, labels = unit_rows(rng, 20), torch.from_numpy(rng.integers(0, 4, 20))
    expected = plain_loop(embeddings, labels, embeddings, labels, itself=True)
    taken = by_pair(mine_semi_hard(embeddings, labels, negatives_per_pair=k, choice="nearest"))
    for (a, p), candidates in expected.items():
        by_distance = sorted(candidates, key=lambda n: -float(embeddings[a] @ embeddings[n]))
        assert set(taken.get((a, p), [])) == set(by_distance[:k])


def test_a_second_set_is_mined_by_the_same_call(rng: np.random.Generator) -> None:
    embeddings, reference = unit_rows(rng, 7), unit_rows(rng, 12)
    labels, reference_labels = torch.arange(7) % 3, torch.arange(12) % 3
    expected = plain_loop(embeddings, labels, reference, reference_labels, itself=False)
    triplets = mine_semi_hard(embeddings, labels, reference, reference_labels, negatives_per_pair=12)
    assert {k: set(v) for k, v in by_pair(triplets).items()} == {k: v for k, v in expected.items() if v}


@pytest.mark.parametrize(
    "labels", [[], [0], [0, 1, 2], [5, 5, 5]], ids=["empty", "one", "no pair", "no negative"]
)
def test_without_pairs_or_negatives_there_are_no_triplets(
    labels: list[int], rng: np.random.Generator
) -> None:
    triplets = mine_semi_hard(unit_rows(rng, len(labels)), torch.tensor(labels, dtype=torch.long))
    assert len(triplets) == 0


def test_the_draw_is_uniform(rng: np.random.Generator) -> None:
    # One pair at distance 0 and four negatives at the same small distance.
    angle = np.arccos(1 - 0.05)
    points = [[1, 0, 0], [1, 0, 0]] + [
        [np.cos(angle), np.sin(angle) * np.cos(t), np.sin(angle) * np.sin(t)] for t in (0, 1, 2, 3)
    ]
    embeddings, labels = torch.tensor(points).float(), torch.tensor([0, 0, 1, 2, 3, 4])
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(6)
    for _ in range(1000):
        counts += torch.bincount(
            mine_semi_hard(embeddings, labels, generator=generator).negative_idx, minlength=6
        )
    assert counts[:2].tolist() == [0, 0]
    assert (counts[2:] / counts.sum() - 0.25).abs().max() < 0.04


def test_reference_embeddings_need_their_labels(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="together with their labels"):
        mine_semi_hard(unit_rows(rng, 2), torch.zeros(2), unit_rows(rng, 2))


def test_an_unknown_choice_is_answered_with_what_there_is(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="uniform, nearest"):
        mine_semi_hard(unit_rows(rng, 2), torch.zeros(2), choice="hardest")
