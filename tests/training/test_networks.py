import pytest
import torch

from facespace.errors import InputError
from facespace.training.describe import describe
from facespace.training.networks import NETWORKS, build
from facespace.training.networks.layers import L2Pool
from facespace.training.networks.zeiler_fergus import Maxout


@pytest.mark.parametrize(
    ("name", "weights", "multiply_adds", "input_hw"),
    [
        ("nn1", 140_006_592, 1_605_944_064, (220, 220)),
        ("nn2", 7_448_256, 1_596_530_688, (224, 224)),
        ("nn3", 7_448_256, 814_620_672, (160, 160)),
        ("nn4", 6_600_384, 284_741_632, (96, 96)),
        ("table6", 5_958_848, 251_969_536, (96, 96)),
        ("plain-residual", 849_408, 83_571_360, (112, 112)),
    ],
)
def test_a_network_has_the_papers_integers(
    name: str, weights: int, multiply_adds: int, input_hw: tuple[int, int]
) -> None:
    summary = describe(name)
    assert (summary.weights, summary.multiply_adds, summary.input_hw) == (weights, multiply_adds, input_hw)


def test_nn2_with_biases_and_batch_norm_is_what_others_count() -> None:
    assert describe("nn2").parameters == 7_472_144


@pytest.mark.parametrize(
    ("name", "weights", "multiply_adds", "input_hw"),
    [("nns1", 26e6, 220e6, (165, 165)), ("nns2", 4.3e6, 20e6, (140, 116))],
)
def test_our_designs_are_within_a_twentieth_of_the_papers_figures(
    name: str, weights: float, multiply_adds: float, input_hw: tuple[int, int]
) -> None:
    summary = describe(name)
    assert summary.weights == pytest.approx(weights, rel=0.05)
    assert summary.multiply_adds == pytest.approx(multiply_adds, rel=0.05)
    assert summary.input_hw == input_hw


PRINTED_K = {
    "3a": 164,
    "3b": 228,
    "3c": 398,
    "4a": 545,
    "4b": 595,
    "4c": 654,
    "4d": 722,
    "4e": 717,
    "5a": 1600,
}


@pytest.mark.parametrize("block", PRINTED_K)
def test_blocks_of_nn2_weigh_what_the_paper_prints_in_thousands(block: str) -> None:
    layers = [layer for layer in describe("nn2").layers if layer.name.startswith(f"blocks.{block}.")]
    assert sum(layer.weights for layer in layers) / 1e3 == pytest.approx(PRINTED_K[block], rel=0.01)


@pytest.mark.parametrize(
    ("block", "shape"),
    [
        ("3b", (320, 28, 28)),
        ("3c", (640, 14, 14)),
        ("4d", (640, 14, 14)),
        ("4e", (1024, 7, 7)),
        ("5b", (1024, 7, 7)),
    ],
)
def test_blocks_of_nn2_have_the_shapes_of_the_printed_table(block: str, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        network = build("nn2").eval()
    seen: list[tuple[int, ...]] = []
    network.get_submodule(f"blocks.{block}").register_forward_hook(
        lambda *a: seen.append(tuple(a[2].shape[1:]))
    )
    network(torch.zeros(1, 3, 224, 224, device="meta"))
    assert seen == [shape]


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"nn1", "nns1"}))
def test_gradients_reach_every_weight(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, dim=16)
    height, width = (96, 96) if name in ("nn2", "nn3") else network.input_hw  # type: ignore[misc]
    out = network(torch.randn(2, 3, height, width))
    assert out.shape == (2, 16) and out.dtype == torch.float32
    out.square().mean().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None]
    assert without == []


@pytest.mark.parametrize("dim", [64, 256])
def test_any_embedding_dimension(dim: int) -> None:
    assert describe("nn4", dim=dim).weights == 6_600_384 + 896 * (dim - 128)


def test_nn1_has_the_papers_normalisation_and_the_others_batch_norm() -> None:
    with torch.device("meta"):
        norms = {name: {type(m).__name__ for m in build(name).modules()} for name in ("nn1", "nn2", "nns2")}
    assert "LocalResponseNorm" in norms["nn1"] and "BatchNorm2d" not in norms["nn1"]
    assert all("BatchNorm2d" in norms[n] and "LocalResponseNorm" not in norms[n] for n in ("nn2", "nns2"))


def test_the_root_mean_square_pool_of_a_plain_loop() -> None:
    x = torch.randn(1, 2, 6, 6)
    pooled = L2Pool()(x)
    assert pooled.shape == x.shape
    assert pooled[0, 1, 2, 3] == pytest.approx(x[0, 1, 1:4, 2:5].square().mean().sqrt().item(), abs=1e-5)


def test_maxout_takes_the_larger_of_two_maps() -> None:
    layer = Maxout(5, 3)
    x = torch.randn(4, 5)
    both = layer.linear(x).reshape(4, 3, 2)
    assert torch.equal(layer(x), torch.maximum(both[..., 0], both[..., 1]))


def test_an_unknown_network_is_answered_with_what_there_is() -> None:
    with pytest.raises(InputError, match="nn1, nn2"):
        build("nn9")
