"""A trained run becomes one ONNX file with its ModelSpec: batch norm folded, unit rows, any batch size."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facespace.errors import DataError
from facespace.models import ModelSpec, read_spec, write_spec
from facespace.saved_files import written_beside
from facespace.training.networks import build
from facespace.training.onnx_file import write_onnx
from facespace.training.run_folder import read_facts, read_model

INPUT_NAME = "crops"
# The byte form clips at so many spreads (1/sqrt(dim)) of a component: about 1 value in a million lies beyond.
CLIP_SPREADS = 4.8
IMITATED = "tight crops were imitated in training by random scale, shift and rotation of aligned faces"


class UnitRows(nn.Module):
    """A network whose rows are divided by their length: the embedding of the paper, ||f(x)|| = 1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, 3, H, W) -> unit rows (N, D)."""
        return F.normalize(self.network(x), dim=1)


def byte_scale(dim: int) -> float:
    """The scale of the byte form for embeddings of ``dim`` components, whose spread is 1/sqrt(dim)."""
    return round(127.0 / (CLIP_SPREADS / dim**0.5), 1)


def load_run(run: Path) -> tuple[nn.Module, dict[str, object]]:
    """The averaged network of a finished run folder, in evaluation mode, and what the run says of it.

    Raises:
        DataError: no finished run there.
    """
    state = read_model(run)
    height, width = state["input_hw"]
    network = build(str(state["network"]), dim=int(state["dim"]), input_hw=(height, width))
    network.load_state_dict(state["weights"])
    return network.eval(), state


def export_embedder(run: Path, out: Path, *, training_data: str, licence: str) -> ModelSpec:
    """Write the run's network to ``out`` as ONNX with a ModelSpec that is not yet calibrated.

    Args:
        run: a finished run folder.
        out: the ONNX file to write; replaced in one step.
        training_data: what the weights saw, for the spec.
        licence: of the weights, for the spec.

    Raises:
        DataError: no finished run there.
    """
    network, state = load_run(run)
    input_hw: tuple[int, int] = network.input_hw  # type: ignore[assignment]
    dim, alignment = int(str(state["dim"])), str(state.get("alignment", "similarity"))
    spec = ModelSpec(
        name=str(state["name"]),
        version=str(state["version"]),
        task="embedder",
        input_hw=input_hw,
        alignment=alignment,
        dim=dim,
        byte_scale=byte_scale(dim),
        training_data=training_data,
        licence=licence,
        notes=IMITATED if alignment == "tight" else "",
    )
    with written_beside(out) as partial:
        write_onnx(
            UnitRows(network).eval(),
            torch.zeros(2, 3, *input_hw),  # two, since an example of one would fix the batch at one
            partial,
            input_name=INPUT_NAME,
            output_names=["embeddings"],
            free_axes={0: torch.export.Dim("batch")},
        )
        return write_spec(partial, spec)


def old_version_of(run: Path, named: Path | None = None) -> Path | None:
    """The file of the older model that a harmonic run was trained to meet; None where it was trained alone.

    Args:
        run: a finished run folder.
        named: where the file lies now, if not where the run's recipe says.

    Raises:
        DataError: no finished run there, a file named for a run without an older version, no file, or another model.
    """
    sha256 = str(read_model(run).get("old", ""))
    if not sha256:
        if named is not None:
            raise DataError(
                f"{run}: expected a run of facespace harmonise, it has no older version; leave out --old"
            )
        return None
    path = named or Path(str(read_facts(run)["harmonic"]["old"]))
    if not path.is_file():
        raise DataError(f"{path}: expected the older model of {run}, there is no such file; give it by --old")
    if (met := read_spec(path).sha256) != sha256:
        raise DataError(
            f"{path}: expected the older model that {run} was trained to meet ({sha256[:8]}), got {met[:8]}; give it "
            "by --old"
        )
    return path
