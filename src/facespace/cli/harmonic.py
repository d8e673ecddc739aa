"""`facespace harmonise` and `facespace evaluate harmonic`: a newer model that meets an older one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, data_folder, progress, say, show_json
from facespace.cli.options import AsJson, Data
from facespace.cli.train import need_torch, show_trained
from facespace.evaluate.defaults import N_SPLITS

if TYPE_CHECKING:
    from facespace.evaluate.harmonic import HarmonicResult

__all__ = ["evaluate_versions", "harmonise"]


def harmonise(
    old: Annotated[
        Path, typer.Option(help="The older model: any ONNX embedder with a ModelSpec.", show_default=False)
    ],
    init: Annotated[
        Path, typer.Option(help="A finished run, trained independently, to begin with.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Run folder to make.", show_default=False)],
    recipe: Annotated[
        Path | None,
        typer.Argument(
            help="Recipe in TOML; what suits the run to begin with unless given.", show_default=False
        ),
    ] = None,
    data: Data = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or another name that torch knows.")] = "auto",
    teacher: Annotated[
        Path | None, typer.Option(help="ONNX file with a ModelSpec to distil from, in place of the recipe's.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Train a newer version whose embeddings may be compared with an older model's (paper, appendix).

    The embedding layer is drawn anew and trained alone, then the whole network. `facespace export` makes it a model
    that says with which it is compatible, and at which distances.

    Example: facespace harmonise --old v1.onnx --init runs/s --data ../shared/data --out runs/s-harmonic
    """
    need_torch()
    import os

    from facespace.embed import Embedder
    from facespace.training.harmonise import harmonise as train_harmonic
    from facespace.training.harmonise import resolve
    from facespace.training.parallel import join
    from facespace.training.processor import keep_freed_memory

    keep_freed_memory()
    chosen = resolve(recipe, init=init, old=old, dim=Embedder(old).spec.dim, teacher=teacher)
    device, world = join(device, os.environ)
    say("reading pictures")
    with progress("asking the older model") as on_lesson, progress("training") as on_step:
        epochs = train_harmonic(
            chosen,
            data_folder(data),
            out,
            init=init,
            open_model=Embedder,
            resume=resume,
            device=device,
            on_lesson=on_lesson,
            on_step=lambda step, n_steps, _: on_step(step, n_steps),
            on_epoch=lambda e: say(e.line()) if world.first else None,
        )
    show_trained(epochs, out, json=json)


def evaluate_versions(
    old: Annotated[str, typer.Option(help="The older model, by name or file.", show_default=False)],
    new: Annotated[str, typer.Option(help="The newer model, likewise.", show_default=False)],
    alone: Annotated[
        str | None,
        typer.Option(help="The newer network trained alone: the price, and where maps of v1 are fitted to."),
    ] = None,
    other: Annotated[
        list[str] | None,
        typer.Option(help="Another newer model, such as one distilled onto the older; may be repeated."),
    ] = None,
    fit_on: Annotated[int, typer.Option(min=0, help="Faces of DATA/faces/train to fit maps on.")] = 10_000,
    splits: Annotated[int, typer.Option(min=1, help="Disjoint splits of the identities.")] = N_SPLITS,
    plot: Annotated[Path | None, typer.Option(help="SVG file to draw the ROC into.")] = None,
    data: Data = None,
    json: AsJson = False,
) -> None:
    """A newer model against an older one, each alone, and other ways to the same end, on `DATA/faces/val` (Figure 8).

    With --alone, maps from the older model's space to that model's (rotation, linear, a small network) are fitted too.

    Example: facespace evaluate harmonic --old v1.onnx --new v2.onnx --alone v2-alone.onnx --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.reproduce.versions import ModelVersions, compare_versions, roc_series

    models = ModelVersions(
        Embedder(old),
        Embedder(new),
        Embedder(alone) if alone else None,
        {Path(name).stem: Embedder(name) for name in other or []},
    )
    with progress("embedding") as on_photo:
        result = compare_versions(
            models, data_folder(data), fit_on=fit_on, n_splits=splits, on_photo=on_photo
        )
    if plot:
        from facespace.reproduce.plots import write_roc

        write_roc(roc_series(result), plot)
    show_json(result) if json else _show(result)


def _show(result: "HarmonicResult") -> None:
    from rich.table import Table

    console.print(
        f"{result.n_faces:,} faces of {result.n_identities} people; {result.n_splits} splits; TAR at FAR {result.far:g}"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("probe-gallery", "all pairs", "splits", "SE", "distance"):
        table.add_column(name, justify="left" if name == "probe-gallery" else "right")
    for score in result.scores:
        table.add_row(
            score.name,
            _percent(score.tar["1e-3"]),
            _percent(score.mean),
            _percent(score.se),
            f"{score.threshold['1e-3'] or float('nan'):.3f}",
        )
    console.print(table)
    for gap in result.gaps:
        size = f"{_percent(gap.mean)} +- {_percent(gap.se)}, {'clear' if gap.clear else 'not clear'}"
        console.print(f"{gap.higher} less {gap.lower}: {_percent(None) if gap.mean is None else size}")
    console.print(
        f"v2-v2 > v2-v1 > v1-v1, each gap above its standard error: {'yes' if result.in_order else 'no'}"
    )
    if result.fitted_on:
        say(f"maps were fitted on {result.fitted_on:,} faces of faces/train")


def _percent(share: float | None) -> str:
    return "not supported" if share is None else f"{100 * share:.2f} %"
