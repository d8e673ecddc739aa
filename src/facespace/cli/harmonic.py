"""`facespace evaluate harmonic`: a newer model that meets an older one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, data_folder, progress, say, show_json
from facespace.cli.options import AsJson, Data
from facespace.evaluate.defaults import N_SPLITS

if TYPE_CHECKING:
    from facespace.evaluate.harmonic import HarmonicResult

__all__ = ["evaluate_versions"]


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
