"""`facespace evaluate sweep`: how accuracy changes with pictures, stored bytes, models and training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, data_folder, progress, say, show_json
from facespace.cli.options import AsJson, Data, DetectorFile, ModelFile, Workers

if TYPE_CHECKING:
    from facespace.evaluate.sweeps import HoldoutMaterial, LfwMaterial, Score, Sweep

__all__ = ["app"]

app = typer.Typer(help="Sweeps: one thing varies, accuracy is measured.", no_args_is_help=True)

On = Annotated[str, typer.Option(help="'val' (DATA/faces/val) or 'lfw' (whole pictures of DATA/lfw).")]
Out = Annotated[
    Path, typer.Option(help="Folder of the run folders; sweeps in one folder share what they have in common.")
]
Budget = Annotated[
    int, typer.Option(min=1, help="Faces that each run sees, repeated ones counted each time.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda or another name that torch knows.")]
RecipeFile = Annotated[
    Path | None, typer.Option(help="Recipe to vary; a small network at 56 px unless given.")
]


@app.command()
def jpeg(
    quality: Annotated[
        list[int] | None,
        typer.Option(help="JPEG quality; may be repeated. 10, 20, 30, 50, 70 and 90 unless given."),
    ] = None,
    on: On = "val",
    data: Data = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Accuracy by JPEG quality (the paper's Table 4).

    Example: facespace evaluate sweep jpeg --data ../shared/data --on lfw
    """
    from facespace.embed import Embedder
    from facespace.evaluate.sweeps import JPEG_QUALITIES, sweep_jpeg

    material = _material(data_folder(data), on, detector, workers)
    with progress("JPEG quality") as on_photo:
        sweep = sweep_jpeg(
            material, Embedder(model), quality or JPEG_QUALITIES, workers=workers, on_photo=on_photo
        )
    _show(sweep, json)


@app.command()
def size(
    side: Annotated[
        list[int] | None,
        typer.Option(help="Longest side in pixels; may be repeated. 40, 80, 120, 160 and 256 unless given."),
    ] = None,
    on: On = "val",
    data: Data = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Accuracy by picture size (the paper's Table 4); what lies above a picture's own size is marked as upsampled.

    Example: facespace evaluate sweep size --data ../shared/data --on val
    """
    from facespace.embed import Embedder
    from facespace.evaluate.sweeps import SIDES_PX, sweep_size

    material = _material(data_folder(data), on, detector, workers)
    with progress("picture size") as on_photo:
        sweep = sweep_size(material, Embedder(model), side or SIDES_PX, workers=workers, on_photo=on_photo)
    _show(sweep, json)


@app.command()
def alignment(
    data: Data = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """LFW with faces aligned by landmarks, cut out by their box with scale and shift alone, and cut tightly.

    Example: facespace evaluate sweep alignment --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.evaluate.sweeps import sweep_placement

    material = _material(data_folder(data), "lfw", detector, workers)
    with progress("alignment") as on_photo:
        sweep = sweep_placement(material, Embedder(model), workers=workers, on_photo=on_photo)
    _show(sweep, json)


@app.command("bytes")
def stored_bytes(
    on: On = "val",
    data: Data = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Accuracy with floats, with one byte a component, and with 64 and 32 bytes an embedding.

    Example: facespace evaluate sweep bytes --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.evaluate.sweeps import TRAINING_FACES, embed_views, open_holdout, sweep_bytes

    folder, embedder = data_folder(data), Embedder(model)
    material = _material(folder, on, detector, workers)
    training = open_holdout(folder / "faces" / "train").every(TRAINING_FACES)
    rows = []
    for what, pictures in ((on, material), ("training faces", training)):
        with progress(f"embedding {what}") as on_photo:
            rows.append(embed_views(pictures, embedder, workers=workers, on_photo=on_photo)[0])
    fitted_on = f"{len(training.paths):,} faces of {training.name}"
    _show(sweep_bytes(material, rows[0], embedder.spec, training=rows[1], fitted_on=fitted_on), json)


@app.command()
def models(
    model: Annotated[
        list[str],
        typer.Argument(help="Embedders: built-in names or ONNX files with a ModelSpec.", show_default=False),
    ],
    data: Data = None,
    plot: Annotated[Path | None, typer.Option(help="SVG file to draw the ROC into.")] = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Several models on `DATA/faces/val`: VAL, multiply-adds and weights (Figure 4), and ROC (Figure 5).

    Example: facespace evaluate sweep models facespace-s my.onnx --data ../shared/data --plot roc.svg
    """
    from facespace.embed import Embedder
    from facespace.evaluate.sweeps import embed_views, model_curve, open_holdout
    from facespace.models.summary import summarise

    material, curves = open_holdout(data_folder(data) / "faces" / "val"), []
    for embedder in [Embedder(name) for name in model]:
        with progress(embedder.spec.name) as on_photo:
            rows = embed_views(material, embedder, workers=workers, on_photo=on_photo)[0]
        curves.append(model_curve(material, rows, embedder.spec, summarise(embedder.path)))
    if plot:
        from facespace.reproduce.blocks import Series
        from facespace.reproduce.plots import write_roc

        write_roc([Series(curve.name, curve.far, curve.tar) for curve in curves], plot)
    if json:
        show_json(curves)
    else:
        for curve in curves:
            console.print(
                f"{curve.model}: {curve.weights:,} weights, {curve.multiply_adds:,} multiply-adds; "
                + _score(curve.score)
            )


@app.command()
def dimension(
    out: Out,
    data: Data = None,
    budget: Budget = 200_000,
    recipe: RecipeFile = None,
    device: Device = "cpu",
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Train embeddings of 64, 128, 256 and 512 components, equally long, and measure each (the paper's Table 5).

    Example: facespace evaluate sweep dimension --data ../shared/data --out runs/sweeps --budget 200000
    """
    _trained("dimension", out, data, budget, recipe, device, workers, json)


@app.command()
def images(
    out: Out,
    data: Data = None,
    budget: Budget = 200_000,
    recipe: RecipeFile = None,
    device: Device = "cpu",
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Train on an eighth to all of the images, fewer by image and fewer by identity, equally long (Table 6).

    Example: facespace evaluate sweep images --data ../shared/data --out runs/sweeps --budget 200000
    """
    _trained("images", out, data, budget, recipe, device, workers, json)


@app.command()
def resolution(
    out: Out,
    data: Data = None,
    budget: Budget = 200_000,
    recipe: RecipeFile = None,
    device: Device = "cpu",
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Train with and without low-resolution faces, equally long, and measure on faces as they are and small ones.

    Example: facespace evaluate sweep resolution --data ../shared/data --out runs/sweeps --budget 200000
    """
    _trained("resolution", out, data, budget, recipe, device, workers, json)


def _trained(
    name: str,
    out: Path,
    data: Path | None,
    budget: int,
    recipe: Path | None,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    from facespace.evaluate.sweeps import open_holdout
    from facespace.reproduce.trained import finished_runs, measure_runs, read_recipe_file, train_sweep

    folder, chosen = data_folder(data), read_recipe_file(recipe) if recipe else None
    with progress("training") as on_step:
        train_sweep(name, folder, out, budget=budget, recipe=chosen, device=device, on_step=on_step)
    runs = finished_runs(name, out, out / "models")
    with progress("measuring") as on_photo:
        sweep = measure_runs(
            name, runs, open_holdout(folder / "faces" / "val"), workers=workers, on_photo=on_photo
        )
    _show(sweep, as_json)


def _material(
    folder: Path, on: str, detector: str | None, workers: int | None
) -> "HoldoutMaterial | LfwMaterial":
    from facespace.errors import InputError
    from facespace.evaluate.sweeps import open_holdout, open_lfw
    from facespace.faces.detect import Detector

    if on == "val":
        return open_holdout(folder / "faces" / "val")
    if on != "lfw":
        raise InputError(f"--on: expected 'val' or 'lfw', got '{on}'")
    with progress("finding faces") as on_photo:
        return open_lfw(folder / "lfw", Detector(detector), workers=workers, on_photo=on_photo)


def _show(sweep: "Sweep", as_json: bool) -> None:
    if as_json:
        show_json(sweep)
        return
    console.print(
        f"{sweep.model} on {sweep.material}: {sweep.n_same:,} same and {sweep.n_diff:,} different pairs"
    )
    width = max(len(point.setting) for point in sweep.points)
    for point in sweep.points:
        note = f"  ({point.note})" if point.note else ""
        console.print(f"{point.setting:{width}}  {_score(point.score)}{note}")
    for note in sweep.notes:
        say(f"note: {note}")


def _score(score: "Score") -> str:
    tar = "not supported" if score.tar is None else f"{100 * score.tar:.1f} %"
    parts = [f"TAR (VAL) at FAR {score.far:g}: {tar}"]
    if score.tar_mean is not None and score.tar_se is not None:
        parts.append(f"over five splits {100 * score.tar_mean:.1f} +- {100 * score.tar_se:.1f} %")
    if score.accuracy is not None and score.accuracy_se is not None:
        parts.append(f"accuracy {100 * score.accuracy:.2f} +- {100 * score.accuracy_se:.2f} %")
    return "; ".join(parts)
