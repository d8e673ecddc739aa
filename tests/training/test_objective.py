import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facespace.training.distillation import distillation_loss
from facespace.training.margin_softmax import MarginSoftmax
from facespace.training.objective import NO_IDENTITY, Objective, pairs_and_depth
from facespace.training.recipe import (
    Curriculum,
    Distillation,
    Harmonic,
    MarginSoftmaxOptions,
    Mining,
    Recipe,
)


def unit_rows(n: int, dim: int = 8, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_margin_softmax_is_cross_entropy_of_the_scaled_cosines_less_the_margin() -> None:
    head, rows, labels = MarginSoftmax(3, 8, scale=10.0, margin=0.2), unit_rows(4), torch.tensor([0, 2, 2, 1])
    total = 0.0
    for row, label in zip(rows, labels.tolist(), strict=True):
        cosines = [float(row @ F.normalize(d, dim=0)) for d in head.directions.detach()]
        cosines[label] -= 0.2
        weights = [math.exp(10 * c) for c in cosines]
        total += -math.log(weights[label] / sum(weights))
    assert head(rows, labels).item() == pytest.approx(total / 4, rel=1e-5)


def test_the_teachers_directions_stay() -> None:
    directions = unit_rows(3)
    head = MarginSoftmax(3, 8, directions=directions)
    assert not [p for p in head.parameters() if p.requires_grad]
    assert (
        float(MarginSoftmax(3, 8, directions=directions)(unit_rows(0), torch.zeros(0, dtype=torch.int64)))
        == 0.0
    )


def test_distillation_is_zero_at_the_teacher_and_relations_ignore_a_rotation() -> None:
    targets = unit_rows(6)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1))).Q
    assert float(distillation_loss(targets, targets, relations=3.0)) == pytest.approx(0.0, abs=1e-6)
    turned = distillation_loss(targets @ rotation, targets)
    both = distillation_loss(targets @ rotation, targets, relations=3.0)
    assert float(turned) > 0.5
    assert float(both - turned) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(
    ("recipe", "with_targets"),
    [
        (Recipe("triplets"), False),
        (Recipe("softmax", dim=8, mining=Mining(weight=0), margin_softmax=MarginSoftmaxOptions(1.0)), False),
        (Recipe("mixed", dim=8, margin_softmax=MarginSoftmaxOptions(weight=0.1)), True),
        (Recipe("distilled", mining=Mining(weight=0.0), distillation=Distillation("t")), True),
    ],
    ids=lambda r: getattr(r, "name", ""),
)
def test_each_mixture_gives_a_gradient_and_says_what_it_did(recipe: Recipe, with_targets: bool) -> None:
    embeddings = unit_rows(12).requires_grad_()
    labels = torch.arange(12) // 3
    labels[-1] = NO_IDENTITY
    objective = Objective(recipe, 4)
    outcome = objective(embeddings, labels, targets=unit_rows(12, seed=5) if with_targets else None)
    outcome.loss.backward()
    assert embeddings.grad is not None and embeddings.grad.abs().sum() > 0
    assert math.isnan(outcome.active) == (recipe.mining.weight == 0)
    assert math.isnan(outcome.teacher_dist) == (not with_targets)
    if not with_targets:
        assert embeddings.grad[-1].abs().sum() == 0, "nobody in particular is taught by a teacher alone"


@pytest.mark.parametrize("mining", [Mining(weight=0.0), Mining()], ids=["alone", "beside triplets"])
def test_a_harmonic_run_may_hold_each_face_to_its_own_older_version(mining: Mining) -> None:
    new, old, labels = unit_rows(9), unit_rows(9, seed=1), torch.arange(9) // 3
    labels[-1] = NO_IDENTITY

    def loss(vectors: float) -> float:
        recipe = Recipe("new", mining=mining, harmonic=Harmonic("v1", vectors=vectors))
        generator = torch.Generator().manual_seed(0)
        return float(Objective(recipe, 3)(new, labels, old=old, generator=generator).loss)

    distances = [float((a - b).square().sum()) for a, b in zip(new[:8], old[:8], strict=True)]
    assert loss(0.5) - loss(0.0) == pytest.approx(0.5 * sum(distances) / 8, rel=1e-5)


def test_a_curriculum_goes_through_its_stages() -> None:
    mining = Mining(rule="hard", curriculum=(Curriculum(0.2, "any", "easiest"), Curriculum(0.7)))
    stages = [(o["rule"], o["pairs"]) for o in map(mining.options_at, (0.0, 0.19, 0.2, 0.69, 0.7, 1.0))]
    assert stages == [("any", "easiest")] * 2 + [("semi-hard", "all")] * 2 + [("hard", "all")] * 2


@pytest.mark.parametrize(
    ("labels", "expected"), [([], (0, 0.0)), ([1, 2], (0, 0.0)), ([0, 0, 0, 1, 1, 2, -1, -1], (8, 2.5))]
)
def test_pairs_and_faces_an_identity_of_a_batch(labels: list[int], expected) -> None:
    assert pairs_and_depth(np.array(labels, np.int64)) == expected
