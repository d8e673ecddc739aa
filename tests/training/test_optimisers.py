import pytest
import torch

from facespace.training.optimisers import learning_rate_at, make_optimiser, take_step
from facespace.training.recipe import Optimiser

TRAPEZOID = Optimiser(learning_rate=1.0, warmup=0.1, decay=0.5)
ONE_CYCLE = Optimiser(learning_rate=1.0, warmup=0.1, schedule="one-cycle")
STEPS = Optimiser(learning_rate=0.05, warmup=0.0, schedule="steps", lower_at=(0.6, 0.9))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (TRAPEZOID, {0.0: 0.0, 0.05: 0.5, 0.1: 1.0, 0.5: 1.0, 0.75: 0.5, 1.0: 0.0}),
        (ONE_CYCLE, {0.0: 0.0, 0.05: 0.5, 0.1: 1.0, 0.55: 0.5, 1.0: 0.0}),
        (STEPS, {0.0: 0.05, 0.59: 0.05, 0.6: 0.005, 0.9: 0.0005, 1.0: 0.0005}),
    ],
    ids=["trapezoid", "one-cycle", "steps"],
)
def test_the_learning_rate_at_parts_of_a_run(options: Optimiser, expected: dict[float, float]) -> None:
    for progress, rate in expected.items():
        assert learning_rate_at(options, progress) == pytest.approx(rate, abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "expected"), [("adagrad", torch.optim.Adagrad), ("adamw", torch.optim.AdamW)]
)
def test_the_optimiser_is_the_one_named(kind: str, expected: type) -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    assert isinstance(make_optimiser(Optimiser(kind=kind), [weight]), expected)


def test_adagrad_takes_the_papers_first_step() -> None:
    weight = torch.nn.Parameter(torch.zeros(2))
    optimiser = make_optimiser(Optimiser(kind="adagrad", learning_rate=0.05, weight_decay=0.0), [weight])
    weight.grad = torch.tensor([4.0, -0.1])
    optimiser.step()
    assert torch.allclose(weight.detach(), torch.tensor([-0.05, 0.05]), atol=1e-6)


@pytest.mark.parametrize(("clip", "moved"), [(0.0, 5.0), (1.0, 1.0)])
def test_a_step_is_as_long_as_the_clipped_gradient_and_its_rate(clip: float, moved: float) -> None:
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimiser = torch.optim.SGD([{"params": [weight]} for weight in weights], lr=9.0)
    for weight, gradient in zip(weights, (3.0, 4.0), strict=True):
        weight.grad = torch.tensor([gradient])
    options = Optimiser(learning_rate=2.0, warmup=0.0, decay=1.0, clip=clip)
    assert float(take_step(optimiser, options, 0.5)) == pytest.approx(5.0)
    assert float(torch.cat(weights).detach().norm()) == pytest.approx(moved, rel=1e-4)
