"""`facespace models`: what models there are, what is inside one."""

from importlib.util import find_spec
from typing import Annotated, Any

import typer

from facespace.cli.console import data_folder, say, show, show_json, warn
from facespace.cli.holdout_faces import embed_val
from facespace.cli.options import AsJson, Data
from facespace.measure.calibration import calibrate as write_distances
from facespace.measure.calibration import declare_compatible, measure_mixed, measure_populations
from facespace.measure.context import Context, Setup
from facespace.measure.unnamed_faces import read_held_out
from facespace.models import ModelSpec, built_in_models, find_model, installed_models, user_models_folder
from facespace.models.summary import summarise

# What the paper says of its networks' weights and multiply-adds (section 3.3, tables 1, 2 and 6).
PRINTED = {
    "nn1": "140M weights, 1.6B multiply-adds",
    "nn2": "7.5M weights, 1.6B multiply-adds",
    "nn3": "NN2 at 160x160",
    "nn4": "6.6M weights, 285M multiply-adds",
    "nns1": "26M weights, 220M multiply-adds; the layers are ours",
    "nns2": "4.3M weights, 20M multiply-adds; the layers are ours",
    "table6": "96x96, like NN2 without any 5x5",
}
SHOWN = (
    "name",
    "version",
    "sha256",
    "alignment",
    "distances",
    "populations",
    "calibration",
    "training_data",
    "licence",
)


def list_models(json: AsJson = False) -> None:
    """List the built-in models and your own.

    Example: facespace models list
    """
    found = dict(installed_models())
    specs = [*built_in_models(), *(spec for spec in found.values() if isinstance(spec, ModelSpec))]
    for path, error in found.items():
        if not isinstance(error, ModelSpec):
            warn(f"{path}: skipped: {error}")
    if json:
        show_json(specs)
        return
    for spec in specs:
        show(f"{spec.name:20} {spec.task:10} version {spec.version}  {spec.sha256[:12]}  {spec.licence}")
    say(f"your own: {user_models_folder()}")


def show_model(
    model: Annotated[
        str,
        typer.Argument(help="Built-in name, ONNX file, or a network such as nn2.", show_default=False),
    ],
    json: AsJson = False,
) -> None:
    """Show a model's size, cost, layers and ModelSpec.

    Of a network that can be trained: its size, cost and layers.

    Example: facespace models show facespace-s
    """
    summary = _summary(model)
    if json:
        show_json(summary)
        return
    for layer in summary.layers:
        show(f"{layer.name:32} {layer.out!s:18} {layer.weights:>12,} {layer.multiply_adds:>14,}")
    show(f"{summary.weights:,} weights, {summary.multiply_adds:,} multiply-adds at {summary.input_hw}")
    if printed := PRINTED.get(model):
        show(f"the paper: {printed}")
    for name in SHOWN if summary.spec else ():
        show(f"{name}: {getattr(summary.spec, name)}")


def _summary(model: str) -> Any:
    if model in PRINTED and find_spec("torch"):
        from facespace.training.describe import describe  # torch is optional, and slow to load

        return describe(model)
    return summarise(find_model(model, "embedder"))


def calibrate(
    model: Annotated[str, typer.Argument(help="ONNX file with a ModelSpec.", show_default=False)],
    beside: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="A model of the same space (same teacher, or a harmonic run), by name or file; may be repeated. "
            "Declares that the two are compatible, and measures the distances between them.",
        ),
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Measure the distance at each false-accept rate.

    It is measured on `DATA/faces/val`, and, where `DATA/faces/more` has faces of all ages and origins, on those too;
    the distances of these are then the model's. They are written into the model's file.

    Example: facespace models calibrate my.onnx --data DIR
    """
    root = data_folder(data)
    others = [embed_val(other, root) for other in beside or ()]
    embedder, faces = embed_val(model, root)
    more = root / "faces" / "more"
    held_out = read_held_out(more, Context(Setup(root, model=str(embedder.path)))) if more.is_dir() else None
    populations = measure_populations(held_out) if held_out else None
    spec = write_distances(
        embedder.path, embedder.spec, faces, source="faces/val, all pairs", populations=populations
    )
    distances = {spec.label: spec.distances}
    for met, of_met in others:
        mixed = measure_mixed(held_out, Context(Setup(root, model=str(met.path)))) if held_out else None
        spec = declare_compatible(
            embedder.path, spec, faces, other=met.spec, of_other=of_met, distances=mixed
        )
        distances[f"with {met.spec.label}"] = spec.compatible_with[met.spec.sha256]
    if json:
        show_json(distances)
    else:
        for name, at_rates in distances.items():
            show(f"{name}: {at_rates}")
