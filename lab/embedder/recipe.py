"""The networks of facespace-s and facespace-xs, trained side by side on one GPU; the paper's networks beside them.

    python -m lab.embedder.pack ../shared/data MORE PACK
    python -m lab.embedder.recipe train PACK PEERS RUN facespace-s nns2 nns1 nn4 --minutes 10.4
    python -m lab.embedder.recipe finish PACK RUN/facespace-s.pt RUN/facespace-s.onnx --version 8
    python -m lab.embedder.recipe run PACK RUN/nns2.pt RUNS/nns2

PACK holds all faces, PEERS the two published embedders mobilefacenet.onnx and fr_feature.onnx. A network begins with
RUN/NAME.pt where there is one, else with the model RUN/NAME.onnx, whatever it lacks of blocks: facespace-s 8 began
with version 6, which `git show c44a72e:src/facespace/models/weights/facespace-s.onnx` gives. ``finish`` fits the last
layers once more, in large batches, and writes the model; `lab.embedder.shipped` makes of it what ships. ``run``
writes one of the paper's networks as `facespace measure` takes it.

facespace-s 8, one block more at the last stage. Hardware: an H100 with 16 cores, which the detector's training
shared. A step of 1,248 pictures takes 45 ms with facespace-s alone (teachers 16, changing the pictures 12, the
network 16), 58 with the paper's three at every eighth, 74 beside the detector. All batches are of one size: cuDNN
plans every new shape of a convolution anew. Reading the pack takes 45 s.
Duration: the machine was gone after 8 of 10.4 minutes; what was kept is the average at 6.2 minutes, 4,620 steps, 5.8
million pictures, at half of the learning rate. The paper's networks were lost.
Outcome, TAR at FAR 1e-3 on people and families set aside, of a face and its mirror image together: 71.1 and 62.6 %
(version 6) at the start, 72.2 and 61.7 after 2 minutes, 74.0 and 62.7 after 4, 75.5 and 63.7 % after 6.2. On
`faces/val` VAL at FAR 1e-3 80.2 % for one picture in floats (76.8), 82.9 as it ships. On the shared sets:
docs/models.

facespace-s 6 and facespace-xs 3: 1,692 steps of 1,248 pictures, four minutes of an H100, from versions 5 and 2: 53.9
and 49.5 % at first (its input had just become smaller), 71.1 and 60.9 at the end, 71.2 and 62.6 with new last layers;
facespace-xs 44.9 and 43.5, 55.8 and 49.9, 56.0 and 51.6 %. 1,200 further steps of 310 pictures on one core, at a
falling learning rate, moved them little (0.5 points).
The paper's networks from nothing, 588 steps of 608 pictures each, of which the last 177 by triplets alone, tell
nobody apart: VAL at FAR 1e-3 on `faces/val` 2.1 % (NNS2), 0.6 (NN2), 0.4 (NN3) and 0.5 % (NN4). They need tens of
thousands.
A wider network on fewer pixels (80x80, widths 32, 64, 112 and 192, as quick as facespace-s) began afresh and reached
60.0 and 54.1 % after those 1,692 steps, still rising.
"""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facespace.models import find_model, read_spec, write_spec
from facespace.saved_files import written_beside
from facespace.training.augment import resize_images, to_input
from facespace.training.frozen import keep_rows
from facespace.training.networks import build
from facespace.training.networks.plain_residual import PlainResidual
from facespace.training.onnx_file import narrow_weights, write_onnx
from facespace.training.processor import keep_freed_memory
from facespace.training.recipe import Recipe
from facespace.training.run_folder import RunFolder, read_state, write_state
from lab.embedder.faces import FacePool
from lab.embedder.head import Head, embed, fit_head
from lab.embedder.network import Embedding, read_network
from lab.embedder.pack import read_pack
from lab.embedder.teachers import Teacher
from lab.embedder.train import OPTIMISER, Student, Targets, TrainRecipe, embed_by, train, trunk_features

TRUNKS: dict[str, Callable[[], PlainResidual]] = {
    "facespace-s": lambda: PlainResidual(widths=(24, 48, 96, 160), blocks=(0, 3, 3), input_hw=(96, 96)),
    "facespace-xs": lambda: PlainResidual(widths=(16, 32, 64, 120), blocks=(0, 2, 1), input_hw=(80, 80)),
}
HIDDEN = 256
# The paper's networks learn beside them, each from the same pictures: from the teachers, then by triplets alone.
PAPER = ("nns1", "nns2", "nn4")
PAPER_EVERY, PAPER_BLENDS, PAPER_TRIPLETS_FROM = 8, 128, 0.75
N_STATISTICS = 512
LARGE = 1000  # values of a tensor that is kept as float16
FAR = 1e-3
N_DEV = 1500
TRAINING_DATA = (
    "29,840 aligned faces of 6,113 people from CelebA, PINS and Glint360K, none of whom is in LFW; 14,932 faces of "
    "3,319 people of Families in the Wild; 47,437 faces of unnamed people (UTKFace, All-Age-Faces, FFHQ thumbnails, "
    "portraits of athletes and office holders) and the larger faces of 3,048 photographs of WIDER FACE, of the first "
    "three a tenth, an eighth and a quarter set aside; taught by two published embedders, whose training people are "
    "unknown and may be in LFW and in faces/val"
)


def blank_network(name: str) -> nn.Module:
    """The network ``name``, ours (an `Embedding`) or the paper's, with drawn weights."""
    if name in PAPER:
        return build(name)
    trunk = TRUNKS[name]()
    return Embedding(trunk, Head(trunk.embedding.in_features, hidden=HIDDEN))


def first_student(name: str, run: Path, pictures: Tensor) -> Student:
    """The network ``name`` as training begins: with the weights in ``run``, of earlier training or else of a model; the
    paper's begin with drawn weights."""
    kept, of_paper = run / f"{name}.pt", name in PAPER
    if kept.is_file():
        network = kept_network(name, kept)
    elif of_paper:
        network = blank_network(name)
    else:
        trunk = TRUNKS[name]()
        network = read_network(run / f"{name}.onnx", trunk, resize_images(pictures, trunk.input_hw))
    if of_paper:
        return Student(network, PAPER_EVERY, PAPER_BLENDS, PAPER_TRIPLETS_FROM)
    return Student(network)


def dev_line(rows: NDArray[np.float32], pool: FacePool) -> str:
    """TAR at FAR 1e-3 among people set aside, and how often unnamed faces set aside meet at that distance.

    Args:
        rows: unit rows (N, D) of the faces set aside, in their order.
        pool: the faces.
    """
    texts, threshold, aside = [], 1.0, np.flatnonzero(pool.dev)
    for source in ("train", "fiw", "more"):
        chosen = np.flatnonzero(pool.source[aside] == source)
        chosen = chosen[:: max(1, len(chosen) // N_DEV)]
        upper = np.triu_indices(len(chosen), 1)
        cosine = (rows[chosen] @ rows[chosen].T)[upper]
        if source == "more":
            texts.append(f"unnamed {(cosine > threshold).mean() / FAR:.1f} times")
            continue
        labels = pool.labels[aside[chosen]]
        same = (labels[:, None] == labels)[upper]
        threshold = np.quantile(cosine[~same], 1 - FAR)
        texts.append(f"{source} {100 * (cosine[same] > threshold).mean():.1f} %")
    return ", ".join(texts)


def export(network: Embedding, name: str, path: Path, *, version: str) -> None:
    """Write ``network`` to ``path`` as a newer version of the built-in model ``name``, not yet calibrated."""
    spec = read_spec(find_model(name, "embedder"))
    with written_beside(path) as beside:
        write_onnx(
            network.eval(), torch.zeros(2, 3, *network.input_hw), beside, input_name="crops",
            output_names=["embeddings"], free_axes={0: torch.export.Dim("batch")},
        )  # fmt: skip
        narrow_weights(beside)
        changed = spec.uncalibrated(
            version=version, input_hw=network.input_hw, training_data=TRAINING_DATA, options={}
        )
        write_spec(beside, changed)


def run_training(
    names: list[str], pack: Path, peers: Path, run: Path, device: str, recipe: TrainRecipe
) -> None:
    """Train networks by name; ``run`` receives the averaged weights of each as NAME.pt, and training begins with them
    where they are there."""
    torch.manual_seed(0)
    run.mkdir(parents=True, exist_ok=True)
    pool = read_pack(pack)
    print(len(pool), "faces,", [len(pool.people(source)) for source in ("train", "fiw")], flush=True)
    if device == "cpu":
        keep_freed_memory()
    vectors = _moved(Teacher(peers / "mobilefacenet.onnx"), device)
    pairs = _moved(Teacher(peers / "fr_feature.onnx", bgr=True), device)
    by_label = ~pool.dev & (pool.source != "crowd")
    known = by_label & (pool.source != "more")
    targets = Targets(
        _asked_once(run / "vectors.npy", vectors, pool, by_label, flip=True),
        _asked_once(run / "pairs.npy", pairs, pool, known, flip=False),
    )
    some = np.random.default_rng(0).choice(len(pool), N_STATISTICS, replace=False)
    pictures = to_input(torch.from_numpy(pool.crops[some]))
    students = {name: first_student(name, run, pictures) for name in names}
    aside = torch.from_numpy(pool.crops[pool.dev])

    def report(networks: dict[str, nn.Module], after: float, losses: dict[str, float]) -> None:
        print(f"{after:.2f} min", {name: round(loss, 3) for name, loss in losses.items()}, flush=True)
        for name, network in networks.items():
            keep(network, run / f"{name}.pt")
            if name not in PAPER or after >= recipe.minutes:
                rows = embed_by(network, aside).numpy()
                print(f"{after:.2f} min, {name}: {dev_line(rows, pool)}", flush=True)

    report({name: student.network.to(device).eval() for name, student in students.items()}, 0.0, {})
    met = train(students, pool, vectors, targets, recipe, device=device, report=report)
    report(met, recipe.minutes, {})


def _moved(network: nn.Module, device: str) -> nn.Module:
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _asked_once(
    path: Path, teacher: nn.Module, pool: FacePool, needed: NDArray[np.bool_], *, flip: bool
) -> Tensor:
    """What a teacher says of the faces needed, zero for others; kept in ``path``."""
    if not path.is_file():
        rows = embed_by(teacher, torch.from_numpy(pool.crops[needed]), flip=flip).numpy()
        every = np.zeros((len(pool), rows.shape[1]), np.float32)
        every[needed] = rows
        keep_rows(path, every)
    return torch.from_numpy(np.load(path))


def kept_network(name: str, path: Path) -> nn.Module:
    """The network ``name`` with the weights that `keep` wrote."""
    network = blank_network(name)
    network.load_state_dict(read_state(path))
    return network


def keep(network: nn.Module, path: Path) -> None:
    """Write weights, the large ones as float16."""
    state = {name: value.cpu() for name, value in network.state_dict().items()}
    write_state(path, {name: v.half() if v.numel() >= LARGE else v for name, v in state.items()})


def finish(pool: FacePool, weights: Path, path: Path, *, version: str) -> None:
    """Fit the last layers of a trained network, ``weights``/NAME.pt, once more and write it as a newer version."""
    name = weights.stem
    network = kept_network(name, weights)
    assert isinstance(network, Embedding)
    pool = pool.part(np.flatnonzero(pool.source != "crowd"))
    features = trunk_features(network.eval(), pool.crops)
    fit_head(network.head, pool, features, embed(network.head, features))
    export(network, name, path, version=version)


def write_run(pool: FacePool, weights: Path, out: Path) -> None:
    """Trained weights of one of the paper's networks, ``weights``/NAME.pt, as a run folder that `facespace measure`
    takes."""
    name, state = weights.stem, kept_network(weights.stem, weights).state_dict()
    steps = next(int(value) for key, value in state.items() if key.endswith("num_batches_tracked"))
    labelled = ~pool.dev & np.isin(pool.source, ("train", "fiw"))
    recipe = Recipe(f"paper-{name}", network=name, epochs=1, epoch_steps=steps)
    folder = RunFolder(out)
    folder.write_recipe(
        recipe, n_faces=int((~pool.dev).sum()), n_identities=len(np.unique(pool.labels[labelled]))
    )
    folder.write_model(recipe, state, input_hw=build(name).input_hw)  # type: ignore[arg-type]


def main() -> None:
    """The three commands."""
    parser = argparse.ArgumentParser(prog="lab.embedder.recipe")
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    for name in ("pack", "peers", "run"):
        training.add_argument(name, type=Path)
    training.add_argument("names", nargs="+", choices=[*TRUNKS, *PAPER])
    training.add_argument("--device", default="cuda")
    training.add_argument("--minutes", type=float, default=7.0)
    training.add_argument("--by-label", type=int, default=480)
    training.add_argument("--blends", type=int, default=768)
    training.add_argument("--learning-rate", type=float, default=2e-3)
    training.add_argument("--decay", type=float, default=0.75)
    training.add_argument("--threads", type=int, default=0)
    finishing = commands.add_parser("finish")
    for name in ("pack", "weights", "path"):
        finishing.add_argument(name, type=Path)
    finishing.add_argument("--version", required=True)
    writing = commands.add_parser("run")
    for name in ("pack", "weights", "out"):
        writing.add_argument(name, type=Path)
    given = parser.parse_args()
    if given.command == "train":
        if given.threads:
            torch.set_num_threads(given.threads)
        optimiser = dataclasses.replace(OPTIMISER, learning_rate=given.learning_rate, decay=given.decay)
        recipe = TrainRecipe(given.minutes, optimiser, by_label=given.by_label, blends=given.blends)
        run_training(given.names, given.pack, given.peers, given.run, given.device, recipe)
    elif given.command == "run":
        write_run(read_pack(given.pack), given.weights, given.out)
    else:
        finish(read_pack(given.pack), given.weights, given.path, version=given.version)


if __name__ == "__main__":
    main()
