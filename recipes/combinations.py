"""What each combination of the harmonic triplets does: it is left out, and the embedding layer trained again.

    python recipes/combinations.py ../shared/data runs/s-80 runs/nns2.onnx

The first stage of `facespace harmonise` alone, on features that are computed once: unaugmented faces, no teacher, the
embedding layer drawn anew. Each line is one set of combinations, on `faces/val`: TAR at FAR 1e-3, mean over the splits
and over the seeds, and what it is more than with all seven, paired over the seeds, with its standard error.

Hardware: one core of a server CPU with AVX2, 20 minutes beside other work. Outcome: docs/harmonic.md.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from facespace.embed import Embedder
from facespace.measure.embedding import embed_faces
from facespace.measure.faces import open_crops
from facespace.measure.versions import Versions, evaluate_harmonic
from facespace.training.augment import to_input
from facespace.training.data import Faces, open_faces
from facespace.training.export import load_run
from facespace.training.harmonic import COMBINATIONS, harmonic_loss
from facespace.training.material import ask_old_version
from facespace.training.networks import EMBEDDING_LAYERS
from facespace.training.sampler import TripletSampler

EPOCHS, RATE, SEEDS, DIM = 8, 1e-2, (0, 1, 2), 128

# Options of `harmonic_loss`.
VARIANTS: dict[str, dict[str, Any]] = {
    "all seven": {},
    **{
        f"without {one}": {"combinations": tuple(c for c in COMBINATIONS if c != one)} for one in COMBINATIONS
    },
    "222 alone": {"combinations": ("222",)},
    "211 and 121 alone": {"combinations": ("211", "121")},
    "without pairs of one face": {"same_face": False},
    "any violating negative": {"rule": "any"},
}


def main(data: Path, run: Path, old: Path) -> None:
    v1 = Embedder(old)
    network = features_of(run)
    side = max(*network.input_hw, *v1.spec.input_hw)  # type: ignore[arg-type]
    faces, held_out = (open_faces(data / "faces" / part, size_hw=(side, side)) for part in ("train", "val"))
    seen, of_val = looked_at(network, faces), looked_at(network, held_out)
    rows = torch.from_numpy(ask_old_version(v1, faces, None, run.parent / "targets").rows)
    val = open_crops(data / "faces" / "val")
    of_old = val.embedded(embed_faces(val, v1)[0])
    base: dict[int, np.ndarray] = {}
    print("combinations | v2-v2 | v2-v1 | more than all seven: v2-v2, v2-v1")
    for name, options in VARIANTS.items():
        found = {}
        for seed in SEEDS:
            layer = train(seen, rows, faces.labels, options, seed)
            with torch.no_grad():
                embeddings = F.normalize(layer(of_val)).numpy()
            new = dataclasses.replace(of_old, embeddings=embeddings)
            result = evaluate_harmonic(Versions(of_old, new))
            found[seed] = 100 * np.array([result.score(which).mean for which in ("v2-v2", "v2-v1")])
        base = base or found
        more = np.array([found[seed] - base[seed] for seed in SEEDS])
        error = more.std(0, ddof=1) / len(SEEDS) ** 0.5
        (new, mixed), gap = np.mean(list(found.values()), 0), more.mean(0)
        print(
            f"{name} | {new:.1f} | {mixed:.1f} | {gap[0]:+.1f} +- {error[0]:.1f}, {gap[1]:+.1f} +- {error[1]:.1f}"
        )


def features_of(run: Path) -> nn.Module:
    """The run's network as it stands before its embedding layer."""
    network, _ = load_run(run)
    for layer in EMBEDDING_LAYERS:
        setattr(network, layer, nn.Identity())
    return network


@torch.no_grad()
def looked_at(network: nn.Module, faces: Faces) -> torch.Tensor:
    """Features of all faces, shape (N, width)."""
    parts = np.array_split(np.arange(len(faces)), -(-len(faces) // 128))
    pictures = (torch.from_numpy(faces.crops(part)) for part in parts)
    return torch.cat([network(to_input(crops, network.input_hw)) for crops in pictures])  # type: ignore[arg-type]


def train(
    seen: torch.Tensor, old: torch.Tensor, labels: np.ndarray, options: dict[str, Any], seed: int
) -> nn.Module:
    """An embedding layer that meets ``old``, v1's rows, by the triplets that ``options`` make."""
    torch.manual_seed(seed)
    layer = nn.Sequential(nn.Linear(seen.shape[1], DIM, bias=False), nn.BatchNorm1d(DIM, affine=False))
    sampler = TripletSampler(labels, batch_size=192, faces_per_identity=4, anchor_share=0.9, seed=seed)
    batches = [batch for epoch in range(EPOCHS) for batch in sampler.batches(epoch)]
    optimiser = torch.optim.AdamW(layer.parameters(), lr=RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=len(batches), pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    for batch in batches:
        new, rows = F.normalize(layer(seen[batch])), old[batch]
        loss = harmonic_loss(new, rows, torch.from_numpy(labels[batch]), generator=generator, **options).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return layer.eval()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*map(Path, sys.argv[1:4]))
