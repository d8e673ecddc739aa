import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facespace.errors import InputError
from facespace.training.mining import PAIRS, RULES, distances, mine

MARGIN = 0.2


def unit_rows(rng: np.random.Generator, n: int, dim: int = 4) -> torch.Tensor:
    rows = rng.normal(size=(n, dim))
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True)).float()


ALLOWED = {
    "semi-hard": lambda d_ap, d_an: d_ap < d_an < d_ap + MARGIN,
    "hard": lambda d_ap, d_an: d_an <= d_ap,
    "one-sided": lambda d_ap, d_an: d_an < d_ap + MARGIN,
    "any": lambda d_ap, d_an: True,
}


def plain_loop(
    embeddings,
    labels,
    reference,
    reference_labels,
    *,
    itself: bool,
    rule: str = "semi-hard",
    pairs: str = "all",
) -> dict:
    """Every anchor-positive pair with all negatives that the rule allows, by three nested loops."""
    d = distances(embeddings, reference)
    found = {}
    for a in range(len(labels)):
        positives = [
            p
            for p in range(len(reference_labels))
            if labels[a] == reference_labels[p] and not (itself and a == p)
        ]
        if positives and pairs != "all":
            positives = [(max if pairs == "hardest" else min)(positives, key=lambda p: float(d[a, p]))]
        for p in positives:
            found[a, p] = {
                n
                for n in range(len(reference_labels))
                if labels[a] != reference_labels[n] and ALLOWED[rule](d[a, p], d[a, n])
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
    triplets = mine(embeddings, labels, margin=MARGIN, negatives_per_pair=n)
    assert triplets.n_pairs == len(expected)
    assert {k: set(v) for k, v in by_pair(triplets).items()} == {k: v for k, v in expected.items() if v}


@pytest.mark.parametrize("pairs", PAIRS)
@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), n=st.integers(0, 20), k=st.integers(1, 20))
def test_every_rule_and_kind_of_pairs_is_that_of_the_plain_loop(
    rule: str, pairs: str, seed: int, n: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    embeddings, labels = unit_rows(rng, n), torch.from_numpy(rng.integers(0, 4, n))
    expected = plain_loop(embeddings, labels, embeddings, labels, itself=True, rule=rule, pairs=pairs)
    triplets = mine(embeddings, labels, margin=MARGIN, rule=rule, pairs=pairs, negatives_per_pair=k)
    drawn = by_pair(triplets)
    assert triplets.n_pairs == len(expected)
    assert set(drawn) == {pair for pair, candidates in expected.items() if candidates}
    for pair, negatives in drawn.items():
        assert len(negatives) == len(set(negatives)) == min(k, len(expected[pair]))
        assert set(negatives) <= expected[pair]


@pytest.mark.parametrize("n", [16, 64, 256])
@pytest.mark.parametrize("kind", ["semihard", "hard", "all"])
def test_triplets_are_those_of_pytorch_metric_learning(n: int, kind: str, rng: np.random.Generator) -> None:
    distances_of = pytest.importorskip("pytorch_metric_learning.distances")
    miners = pytest.importorskip("pytorch_metric_learning.miners")
    embeddings, labels = unit_rows(rng, n, 16), torch.from_numpy(rng.integers(0, n // 6, n))
    squared = distances_of.LpDistance(p=2, power=2, normalize_embeddings=True)
    peer = miners.TripletMarginMiner(margin=MARGIN, type_of_triplets=kind, distance=squared)
    a, p, q = peer(embeddings, labels)
    expected = set(zip(a.tolist(), p.tolist(), q.tolist(), strict=True))
    rule = {"semihard": "semi-hard", "hard": "hard", "all": "one-sided"}[kind]
    ours = mine(embeddings, labels, margin=MARGIN, rule=rule, negatives_per_pair=n)
    found = set(
        zip(ours.anchor_idx.tolist(), ours.positive_idx.tolist(), ours.negative_idx.tolist(), strict=True)
    )
    assert len(found) == len(ours) > 0
    # Where a distance stands on a bound, the two round differently.
    d = distances(embeddings.double(), embeddings.double())
    for i, j, k in found ^ expected:
        gap = float(d[i, k] - d[i, j])
        assert min(abs(gap), abs(gap - MARGIN)) < 1e-5
    assert len(found ^ expected) < 1e-3 * len(expected) + 3


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), k=st.integers(1, 4))
def test_up_to_k_different_negatives_are_drawn_of_those(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings, labels = unit_rows(rng, 20), torch.from_numpy(rng.integers(0, 4, 20))
    expected = plain_loop(embeddings, labels, embeddings, labels, itself=True)
    drawn = by_pair(mine(embeddings, labels, margin=MARGIN, negatives_per_pair=k))
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
    taken = by_pair(mine(embeddings, labels, negatives_per_pair=k, choice="nearest"))
    for (a, p), candidates in expected.items():
        by_distance = sorted(candidates, key=lambda n: -float(embeddings[a] @ embeddings[n]))
        assert set(taken.get((a, p), [])) == set(by_distance[:k])


def test_a_second_set_is_mined_by_the_same_call(rng: np.random.Generator) -> None:
    embeddings, reference = unit_rows(rng, 7), unit_rows(rng, 12)
    labels, reference_labels = torch.arange(7) % 3, torch.arange(12) % 3
    expected = plain_loop(embeddings, labels, reference, reference_labels, itself=False)
    triplets = mine(embeddings, labels, reference, reference_labels, negatives_per_pair=12)
    assert {k: set(v) for k, v in by_pair(triplets).items()} == {k: v for k, v in expected.items() if v}


@pytest.mark.parametrize(
    "labels", [[], [0], [0, 1, 2], [5, 5, 5]], ids=["empty", "one", "no pair", "no negative"]
)
def test_without_pairs_or_negatives_there_are_no_triplets(
    labels: list[int], rng: np.random.Generator
) -> None:
    triplets = mine(unit_rows(rng, len(labels)), torch.tensor(labels, dtype=torch.long))
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
        counts += torch.bincount(mine(embeddings, labels, generator=generator).negative_idx, minlength=6)
    assert counts[:2].tolist() == [0, 0]
    assert (counts[2:] / counts.sum() - 0.25).abs().max() < 0.04


def test_reference_embeddings_need_their_labels(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="together with their labels"):
        mine(unit_rows(rng, 2), torch.zeros(2), unit_rows(rng, 2))


def test_an_unknown_choice_is_answered_with_what_there_is(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="uniform, nearest"):
        mine(unit_rows(rng, 2), torch.zeros(2), choice="hardest")
