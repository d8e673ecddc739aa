"""A finished run whose weights were drawn, for tests that need a model file and not what it knows."""

from pathlib import Path

import torch

from facespace.training.networks import build


def finished_run(folder: Path, **state: object) -> torch.nn.Module:
    """A run folder with a network whose batch norms have seen something."""
    torch.manual_seed(0)
    network = build("plain-residual", dim=32)
    network.train()
    network(torch.randn(8, 3, 112, 112))
    about = {
        "network": "plain-residual",
        "dim": 32,
        "input_hw": [112, 112],
        "name": "tiny",
        "version": "3",
        **state,
    }
    torch.save({**about, "weights": network.state_dict()}, folder / "model.pt")
    return network
