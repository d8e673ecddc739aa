"""The harmonic triplet loss against three nested loops, and each combination of versions by itself."""

import dataclasses
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facespace.training.harmonic import COMBINATIONS, harmonic_loss, mine_versions
from facespace.training.losses import triplet_loss
from facespace.training.mining import RULES, distances, mine

MARGIN = 0.2


def versions(seed: int, n: int, n_labels: int, dim: int = 4) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    new, old = (torch.nn.functional.normalize(torch.randn(n, dim, generator=generator), dim=1) for _ in "21")
    return new, old, torch.randint(0, n_labels, (n,), generator=generator)


def plain_loop(new, old, labels, combinations, *, same_face: bool, rule: str = "semi-hard") -> dict:
    """(anchor, positive), each a (version, face) -> every negative that the combinations and the rule allow."""
    rows = {"2": new, "1": old}
    faces = list(itertools.product("21", range(len(labels))))
    gaps = {v: distances(rows[v[0]], rows[v[1]]).tolist() for v in ("22", "21", "12", "11")}
    d = {(x, y): gaps[x[0] + y[0]][x[1]][y[1]] for x in faces for y in faces}
    found = {}
    for a, p in itertools.product(faces, faces):
        negatives = [c[2] for c in combinations if c[:2] == a[0] + p[0]]
        own = a[1] == p[1] and (a[0] == p[0] or not same_face)
        if not negatives or own or labels[a[1]] != labels[p[1]]:
            continue
        low, high = (float(x) for x in RULES[rule].limits(torch.tensor(d[a, p]), MARGIN))
        found[a, p] = {
            n
            for n in faces
            if n[0] in negatives
            and labels[n[1]] != labels[a[1]]
            and (low < d[a, n] < high if rule == "semi-hard" else d[a, n] < high)
        }
    return found


def by_pair(triplets, n: int) -> dict:
    def face(row: int) -> tuple[str, int]:
        return ("2", row) if row < n else ("1", row - n)

    pairs: dict = {}
    for rows in zip(triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx, strict=True):
        a, p, negative = (face(int(row)) for row in rows)
        pairs.setdefault((a, p), set()).add(negative)
    return pairs


@given(
    seed=st.integers(0, 2**16),
    n=st.integers(0, 8),
    n_labels=st.integers(1, 4),
    combinations=st.sets(st.sampled_from(COMBINATIONS)),
    same_face=st.booleans(),
    rule=st.sampled_from(["semi-hard", "one-sided"]),
)
def test_all_triplets_of_a_plain_loop_are_found(seed, n, n_labels, combinations, same_face, rule) -> None:
    new, old, labels = versions(seed, n, n_labels)
    triplets = mine_versions(
        new, old, labels, combinations=tuple(sorted(combinations)), same_face=same_face, margin=MARGIN, rule=rule,
        negatives_per_pair=2 * n + 1,
    )  # fmt: skip
    expected = plain_loop(new, old, labels, combinations, same_face=same_face, rule=rule)
    assert triplets.n_pairs == len(expected)
    assert by_pair(triplets, n) == {pair: negatives for pair, negatives in expected.items() if negatives}


@given(seed=st.integers(0, 2**16), same_face=st.booleans())
def test_the_loss_is_that_of_its_triplets_and_each_pair_draws_one_negative(
    seed: int, same_face: bool
) -> None:
    new, old, labels = versions(seed, 10, 3)
    generator = torch.Generator().manual_seed(seed)
    result = harmonic_loss(new, old, labels, same_face=same_face, generator=generator)
    triplets = mine_versions(new, old, labels, same_face=same_face, generator=generator.manual_seed(seed))
    both, total = torch.cat([new, old]), 0.0
    for a, p, n in zip(triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx, strict=True):
        d_ap, d_an = ((both[a] - both[x]).square().sum() for x in (p, n))
        total += max(0.0, float(d_ap - d_an) + MARGIN)
    assert result.loss.item() == pytest.approx(total / max(1, len(triplets)), abs=1e-5)
    allowed = plain_loop(new, old, labels, COMBINATIONS, same_face=same_face)
    drawn = by_pair(triplets, 10)
    assert drawn.keys() == {pair for pair, negatives in allowed.items() if negatives}
    assert all(len(negatives) == 1 and negatives <= allowed[pair] for pair, negatives in drawn.items())


def test_the_negative_is_drawn_from_both_versions_alike() -> None:
    new, old, labels = versions(3, 40, 8)
    allowed = plain_loop(new, old, labels, COMBINATIONS, same_face=True)
    pair = max(allowed, key=lambda p: min(sum(n[0] == v for n in allowed[p]) for v in "21"))
    anchor, positive = (40 * (version == "1") + face for version, face in pair)

    def drawn(seed: int) -> bool:
        found = mine_versions(new, old, labels, generator=torch.Generator().manual_seed(seed))
        (row,) = ((found.anchor_idx == anchor) & (found.positive_idx == positive)).nonzero()[:, 0]
        return int(found.negative_idx[row]) >= 40

    expected = sum(n[0] == "1" for n in allowed[pair]) / len(allowed[pair])
    assert sum(map(drawn, range(300))) / 300 == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_a_combination_by_itself_moves_its_new_faces_only(combination: str) -> None:
    new, old, labels = versions(5, 24, 4)
    new, old = new.requires_grad_(), old.requires_grad_()
    options = {"combinations": (combination,), "negatives_per_pair": 3}
    triplets = mine_versions(new, old, labels, generator=torch.Generator().manual_seed(0), **options)
    assert len(triplets)
    for name, version in zip(("anchor_idx", "positive_idx", "negative_idx"), combination, strict=True):
        assert ((getattr(triplets, name) >= 24) == (version == "1")).all()
    harmonic_loss(new, old, labels, generator=torch.Generator().manual_seed(0), **options).loss.backward()
    moved = torch.cat([getattr(triplets, f"{r}_idx") for r in ("anchor", "positive", "negative")])
    touched = new.grad.abs().sum(1) > 0  # type: ignore[union-attr]
    assert old.grad is None
    assert set(touched.nonzero()[:, 0].tolist()) <= set(moved[moved < 24].tolist())
    assert touched.any()


def test_the_old_version_alone_makes_no_triplets() -> None:
    assert "111" not in COMBINATIONS and len(COMBINATIONS) == 7
    new, old, labels = versions(0, 12, 3)
    result = harmonic_loss(new.requires_grad_(), old, labels, combinations=())
    result.loss.backward()
    assert result.loss.item() == 0.0 and not new.grad.any()  # type: ignore[union-attr]


def test_new_faces_alone_are_the_ordinary_triplet_loss() -> None:
    new, old, labels = versions(7, 30, 5)
    options = {"margin": 0.3, "rule": "one-sided", "pairs": "hardest", "choice": "nearest"}
    harmonic = harmonic_loss(new, old, labels, combinations=("222",), **options)
    plain = triplet_loss(new, mine(new, labels, **options), margin=0.3)
    assert dataclasses.asdict(harmonic) == dataclasses.asdict(plain)
