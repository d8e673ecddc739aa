"""`facespace models`: what models there are, and what is inside one."""

from typing import Annotated

import typer

from facespace.cli.console import console, data_folder, progress, show_json
from facespace.cli.options import AsJson, Data

__all__ = ["app"]

app = typer.Typer(help="Built-in models and models from files.", no_args_is_help=True)


@app.command("list")
def list_models(json: AsJson = False) -> None:
    """The built-in models.

    Example: facespace models list
    """
    from facespace.models import built_in_models

    specs = built_in_models()
    if json:
        show_json(specs)
        return
    for spec in specs:
        console.print(
            f"{spec.name:20} {spec.task:10} version {spec.version}  {spec.sha256[:12]}  {spec.licence}"
        )


@app.command()
def show(
    model: Annotated[
        str, typer.Argument(help="Built-in name, or the path of an ONNX file.", show_default=False)
    ],
    json: AsJson = False,
) -> None:
    """A model's size, cost, layers and spec.

    Example: facespace models show facespace-s
    """
    from facespace.models import find_model
    from facespace.models.summary import summarise

    summary = summarise(find_model(model, "embedder"))
    if json:
        show_json(summary)
        return
    for layer in summary.layers:
        console.print(f"{layer.name:28} {layer.out!s:20} {layer.weights:>10,} {layer.multiply_adds:>14,}")
    console.print(
        f"{summary.weights:,} weights, {summary.multiply_adds:,} multiply-adds at {summary.input_hw}"
    )
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


@app.command()
def calibrate(
    model: Annotated[str, typer.Argument(help="Path of an ONNX file with a ModelSpec.", show_default=False)],
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Measure the distance at each false-accept rate on `DATA/faces/val` and write it into the file.

    Example: facespace models calibrate my.onnx --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.evaluate.holdout import calibrate as write_distances
    from facespace.evaluate.holdout import embed_holdout

    embedder = Embedder(model)
    with progress("calibrating") as on_face:
        faces = embed_holdout(data_folder(data) / "faces" / "val", embedder, on_face=on_face)
    spec = write_distances(embedder.path, embedder.spec, faces, source="faces/val, all pairs")
    show_json(spec.distances) if json else console.print(f"{spec.label}: {spec.distances}")
