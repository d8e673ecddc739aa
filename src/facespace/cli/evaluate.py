"""`facespace evaluate`: the standard protocols on any model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli import harmonic, measures, sweep
from facespace.cli.console import console, data_folder, say, show_json
from facespace.cli.options import AsJson, Data, DetectorFile

if TYPE_CHECKING:
    from facespace.evaluate.clusters import ClusterRow

__all__ = ["app"]

app = typer.Typer(help="Measure models by the standard protocols.", no_args_is_help=True)
app.add_typer(sweep.app, name="sweep")
app.command("harmonic")(harmonic.evaluate_versions)
app.command("quality")(measures.quality)
app.command("bytes")(measures.byte_form)
app.command()(measures.card)
app.command()(measures.strangers)


@app.command()
def clusters(
    data: Data = None,
    piles: Annotated[
        list[str] | None,
        typer.Option("--pile", help="people, val or lfw; may be repeated. All unless given."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="Calibrated embedder; may be repeated. The built-in unless given."),
    ] = None,
    detector: DetectorFile = None,
    docs: Annotated[
        Path | None, typer.Option(help="Write the scores as a Markdown page to this file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Group piles of known faces: our threshold beside our best one and beside other methods at their best.

    Example: facespace evaluate clusters --data ../shared/data --pile val
    """
    from facespace.embed import Embedder
    from facespace.evaluate.cluster_page import write_cluster_page
    from facespace.evaluate.clusters import PILES, evaluate_clusters
    from facespace.faces.detect import Detector

    embedders = [Embedder(model) for model in models] if models else [Embedder()]
    rows = evaluate_clusters(
        data_folder(data), embedders, Detector(detector), piles=tuple(piles or PILES), on_pile=say
    )
    if docs:
        write_cluster_page(rows, docs, command=_clusters_command(piles, models, docs))
    if json:
        show_json(rows)
    else:
        _show_clusters(rows)


def _clusters_command(piles: list[str] | None, models: list[str] | None, docs: Path) -> str:
    """As a reader would type it; the data and imported models lie elsewhere for them."""
    chosen = [f"--pile {pile}" for pile in piles or ()] + [f"--model {Path(m).name}" for m in models or ()]
    return " ".join(["facespace evaluate clusters --data DIR", *chosen, f"--docs {docs}"])


def _show_clusters(rows: "list[ClusterRow]") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("pile", "model", "method", "distance", "pair P", "pair R", "pair F1", "BCubed F1", "purity",
                 "adj. Rand", "people", "found", "seconds"):  # fmt: skip
        table.add_column(name)
    for row in rows:
        r = row.report
        scores = (
            r.pairwise.precision,
            r.pairwise.recall,
            r.pairwise.f1,
            r.bcubed.f1,
            r.purity,
            r.adjusted_rand,
        )
        table.add_row(
            row.pile, row.model, row.method, f"{row.threshold:.3f}", *(f"{v:.3f}" for v in scores),
            str(r.n_true), str(r.n_found), f"{row.seconds:.2f}",
        )  # fmt: skip
    console.print(table)
