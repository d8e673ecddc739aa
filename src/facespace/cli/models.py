"""`facespace models`: what models there are, and what is inside one."""

from typing import Annotated, Any

import typer

from facespace.cli.console import console, say, show_json, warn
from facespace.cli.importing import import_model
from facespace.cli.options import AsJson, Data

__all__ = ["app"]

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

app = typer.Typer(help="Built-in models and models from files.", no_args_is_help=True)

app.command("import")(import_model)


@app.command("list")
def list_models(json: AsJson = False) -> None:
    """The built-in models, and those in your model folder.

    Example: facespace models list
    """
    from facespace.models import ModelSpec, built_in_models, installed_models, user_models_folder

    found = dict(installed_models())
    specs = [*built_in_models(), *(spec for spec in found.values() if isinstance(spec, ModelSpec))]
    for path, error in found.items():
        if not isinstance(error, ModelSpec):
            warn(f"{path}: passed over: {error}")
    if json:
        show_json(specs)
        return
    for spec in specs:
        console.print(
            f"{spec.name:20} {spec.task:10} version {spec.version}  {spec.sha256[:12]}  {spec.licence}"
        )
    say(f"your own: {user_models_folder()}")


@app.command()
def show(
    model: Annotated[
        str,
        typer.Argument(
            help="Built-in name, path of an ONNX file, or a network such as nn2.", show_default=False
        ),
    ],
    json: AsJson = False,
) -> None:
    """A model's size, cost, layers and spec; or those of a network that can be trained.

    Example: facespace models show facespace-s
    """
    summary = _summary(model)
    if json:
        show_json(summary)
        return
    for layer in summary.layers:
        console.print(f"{layer.name:32} {layer.out!s:18} {layer.weights:>12,} {layer.multiply_adds:>14,}")
    console.print(
        f"{summary.weights:,} weights, {summary.multiply_adds:,} multiply-adds at {summary.input_hw}"
    )
    if printed := PRINTED.get(model):
        console.print(f"the paper: {printed}")
    if summary.spec:
        for name in (
            "name",
            "version",
            "sha256",
            "alignment",
            "distances",
            "calibration",
            "training_data",
            "licence",
        ):
            console.print(f"{name}: {getattr(summary.spec, name)}")


def _summary(model: str) -> Any:
    from importlib.util import find_spec

    if model in PRINTED and find_spec("torch"):
        from facespace.training.describe import describe

        return describe(model)
    from facespace.models import find_model
    from facespace.models.summary import summarise

    return summarise(find_model(model, "embedder"))


@app.command()
def calibrate(
    model: Annotated[str, typer.Argument(help="Path of an ONNX file with a ModelSpec.", show_default=False)],
    beside: Annotated[
        str | None,
        typer.Option(
            "--with",
            help="A model of the same space (one teacher, a harmonic run), by name or file: declare that the two may "
            "meet, and measure the distances of mixed comparison.",
        ),
    ] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Measure the distance at each false-accept rate on `DATA/faces/val` and write it into the file.

    Example: facespace models calibrate my.onnx --data ../shared/data
    """
    from facespace.cli.holdout_faces import embed_val
    from facespace.evaluate.compatibility import declare_compatible
    from facespace.evaluate.holdout import calibrate as write_distances

    other = embed_val(beside, data) if beside else None
    embedder, faces = embed_val(model, data)
    spec = write_distances(embedder.path, embedder.spec, faces, source="faces/val, all pairs")
    distances = spec.distances
    if other is not None:
        met, of_met = other
        spec = declare_compatible(embedder.path, spec, faces, other=met.spec, of_other=of_met)
        distances = spec.compatible_with[met.spec.sha256]
    show_json(distances) if json else console.print(f"{spec.label}: {distances}")
