"""Two gloo processes do what one does with the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from drawn import drawn_faces
from facespace.training.augment import Augmentation, to_input
from facespace.training.chunks import backward_in_chunks
from facespace.training.loop import Trainer
from facespace.training.losses import triplet_loss
from facespace.training.material import Material
from facespace.training.mining import mine
from facespace.training.networks import build
from facespace.training.parallel import World
from facespace.training.recipe import Batches, MarginSoftmaxOptions, Optimiser, Recipe

N = 23  # does not divide by two
LABELS = torch.arange(N) // 4
RECIPE = Recipe(
    name="parallel",
    input_px=32,
    dim=16,
    epochs=2,
    threads=1,
    freeze_norms=True,
    batches=Batches(batch_size=25, faces_per_identity=4),
    margin_softmax=MarginSoftmaxOptions(weight=0.1),
    optimiser=Optimiser(kind="adagrad", schedule="steps", warmup=0.0, learning_rate=0.001, ema=0.5),
    augmentation=Augmentation(**dict.fromkeys(Augmentation.__dataclass_fields__, 0.0)),
)
CHILD = """
import sys
import torch
import torch.distributed
from pathlib import Path
import test_parallel
from facespace.training.run_folder import RunFolder

RunFolder._draw_curves = RunFolder._log = lambda *_: None
torch.distributed.init_process_group("gloo")
test_parallel.work(Path(sys.argv[1]))
torch.distributed.destroy_process_group()
"""


def work(out: Path) -> None:
    """What every rank does, and one process alone: one step's loss and gradients, then a short run."""
    world = World.current()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = build("plain-residual", dim=16, input_hw=(32, 32)).eval()
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(N, 3, 32, 32))).float()
    own = images[world.share(N)]

    def objective(embeddings: torch.Tensor) -> tuple[torch.Tensor, float]:
        everyone = world.gather(embeddings, N)
        generator = torch.Generator().manual_seed(0)
        triplets = mine(everyone.detach(), LABELS, rule="one-sided", generator=generator)
        loss = triplet_loss(everyone, triplets).loss
        return loss, loss.item()

    chunks = own.split(5)
    _, loss = backward_in_chunks(
        network, lambda i: F.normalize(network(chunks[i]), dim=1), len(chunks), objective
    )
    world.sum_gradients(list(network.parameters()))
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    out.mkdir(exist_ok=True)
    torch.save({"loss": loss, "gradients": gradients}, out / f"step-{world.rank}.pt")
    faces = drawn_faces(8, 6, 32)
    trainer = Trainer(RECIPE, Material(faces, drawn_faces(side=32)), out / "run")
    with torch.no_grad():  # frozen norms need statistics that fit
        for _ in range(40):
            trainer.network.train()(to_input(torch.from_numpy(faces.crops(np.arange(len(faces))))))
    trainer.run()
    torch.save(trainer.network.state_dict(), out / f"weights-{world.rank}.pt")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    one, two = (tmp_path_factory.mktemp("parallel") / name for name in ("one", "two"))
    work(one)
    two.mkdir()
    here = Path(__file__).parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in range(2):
        environment = {
            **os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": str(rank), "WORLD_SIZE": "2",
            "PYTHONPATH": os.pathsep.join([str(here), *sys.path]),
        }  # fmt: skip
        processes.append(subprocess.Popen([sys.executable, "-c", CHILD, str(two)], env=environment))
    assert [p.wait(timeout=120) for p in processes] == [0, 0]
    return one, two


def load(path: Path) -> dict:
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("rank", [0, 1])
def test_loss_and_gradients_are_those_of_one_process(both: tuple[Path, Path], rank: int) -> None:
    one, two = load(both[0] / "step-0.pt"), load(both[1] / f"step-{rank}.pt")
    assert one["loss"] == pytest.approx(two["loss"], rel=1e-5) and one["loss"] > 0.01
    assert len(one["gradients"]) == len(two["gradients"]) > 5
    for name, gradient in one["gradients"].items():
        assert (gradient - two["gradients"][name]).abs().max() < 1e-5 * max(1, gradient.abs().max())


def test_a_run_ends_at_the_weights_of_one_process_on_every_rank(both: tuple[Path, Path]) -> None:
    one, first, second = (
        load(p) for p in (both[0] / "weights-0.pt", both[1] / "weights-0.pt", both[1] / "weights-1.pt")
    )
    for name, weights in one.items():
        assert torch.equal(first[name], second[name]), name
        assert torch.allclose(weights.float(), first[name].float(), atol=2e-4), name
    assert (both[1] / "run" / "model.pt").is_file()


@pytest.mark.parametrize(("n", "size"), [(0, 1), (0, 3), (1, 2), (7, 3), (1800, 7)])
def test_shares_are_runs_that_cover_a_batch_evenly(n: int, size: int) -> None:
    shares = [World(rank, size).share(n) for rank in range(size)]
    assert [i for s in shares for i in range(n)[s]] == list(range(n))
    assert max(s.stop - s.start for s in shares) - min(s.stop - s.start for s in shares) <= 1
