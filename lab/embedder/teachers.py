"""A published embedder as a torch network, so that it can answer for every changed picture while another learns."""

from pathlib import Path
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from torch import Tensor, nn


class Teacher(nn.Module):
    """Pictures (N, 3, 112, 112) in [-1, 1] -> unit rows (N, D), without gradient.

    Args:
        path: an ONNX file of convolutions, PReLU, clips and sums, as mobile embedders are.
        bgr: whether it takes blue first.
    """

    def __init__(self, path: Path, *, bgr: bool = False) -> None:
        super().__init__()
        graph = onnx.load(path).graph
        self.bgr = bgr
        self.taken, self.given = graph.input[0].name, graph.output[0].name
        self.weights = nn.ParameterDict({
            _name(i.name): nn.Parameter(torch.from_numpy(numpy_helper.to_array(i).copy()), requires_grad=False)
            for i in graph.initializer
            if i.data_type == onnx.TensorProto.FLOAT
        })  # fmt: skip
        self.constants = {
            node.output[0]: float(numpy_helper.to_array(node.attribute[0].t))
            for node in graph.node
            if node.op_type == "Constant"
        }
        self.nodes = [
            (node.op_type, list(node.input), node.output[0], _attributes(node))
            for node in graph.node
            if node.op_type != "Constant"
        ]
        # Where each value is taken for the last time, so that it need not be kept.
        self.last = {name: i for i, (_, taken, _, _) in enumerate(self.nodes) for name in taken}

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, 3, H, W) -> (N, D)."""
        values = {self.taken: x.flip(1) if self.bgr else x}
        for i, (kind, taken, given, attributes) in enumerate(self.nodes):
            values[given] = self._output(kind, values[taken[0]], taken[1:], values, attributes)
            for name in taken:
                if self.last[name] == i:
                    values.pop(name, None)
        return F.normalize(values[self.given].flatten(1).float(), dim=1)

    def _output(
        self, kind: str, x: Tensor, others: list[str], values: dict[str, Tensor], of: dict[str, Any]
    ) -> Tensor:
        weights = [self.weights[_name(name)] for name in others if _name(name) in self.weights]
        if kind == "Conv":
            bias = weights[1] if len(weights) > 1 else None
            pads = of["pads"]
            return F.conv2d(x, weights[0], bias, of["strides"], pads[:2], of["dilations"], of["group"])
        if kind == "PRelu":
            return F.prelu(x, weights[0].flatten())
        if kind == "Clip":
            low, high = (self.constants[name] for name in others)
            return x.clamp(low, high)
        if kind == "Relu":
            return x.relu()
        if kind == "Add":
            return x + values[others[0]]
        if kind == "Reshape":
            return x.flatten(1)
        raise ValueError(f"expected an embedder of convolutions, met {kind}")


def _name(name: str) -> str:
    return "w" + name.replace(".", "_")


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
