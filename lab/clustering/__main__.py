"""`python -m lab.clustering methods | rule`: compare methods of clustering, or choose the rule of the threshold."""

from pathlib import Path
from typing import Annotated

import typer

from facespace.measure.context import Context, Setup
from facespace.measure.faces import open_crops
from facespace.saved_files import write_beside
from lab.clustering.methods import COLLECTIONS, read_collection, render_page, score_methods
from lab.clustering.rule import TRIED, RuleScores, best_number, measure_rule

app = typer.Typer(
    help="Clustering compared with other methods, and its threshold's rule.", no_args_is_help=True
)

Data = Annotated[Path, typer.Option(help="Folder of the data sets.")]
Models = Annotated[list[str] | None, typer.Option("--model", help="Calibrated embedder; may be repeated.")]


@app.command()
def methods(
    data: Data,
    docs: Annotated[Path, typer.Option(help="Markdown page to write.")] = Path("docs/cluster_scores.md"),
    model: Models = None,
    collection: Annotated[list[str], typer.Option(help="people, val or lfw.")] = list(COLLECTIONS),  # noqa: B006
) -> None:
    """Score our clustering beside scikit-learn's methods and chinese whispers, and write the page."""
    rows = {}
    contexts = [Context(Setup(data, model=name)) for name in model or (None,)]
    for name in collection:
        for context in contexts:
            spec = context.embedder.spec
            typer.echo(f"{name}: {spec.name}")
            rows[name, spec.name] = list(score_methods(read_collection(context, name), spec.distances))
    models = "".join(f" --model {name}" for name in model or ())
    page = render_page(rows, f"python -m lab.clustering methods --data DIR{models}")
    write_beside(docs, page.encode())


@app.command()
def rule(
    data: Data,
    model: Models = None,
    faces: Annotated[
        Path | None, typer.Option(help="Aligned faces, a folder a person; DATA/faces/val unless given.")
    ] = None,
) -> None:
    """Group whole people at many thresholds: which number of impostors suits best?"""
    found: list[RuleScores] = []
    for name in model or (None,):
        context = Context(Setup(data, model=name))
        known = context.holdout if faces is None else open_crops(faces)
        scores = measure_rule(context.embedded(known), context.embedder.spec.distances)
        found += scores
        typer.echo(f"{context.embedder.spec.label}: pairwise precision and F1 by impostors")
        typer.echo("people  faces" + "".join(f"{value:>12g}" for value in TRIED))
        for row in scores:
            cells = "".join(f"{p:6.3f} {f:.3f}" for p, f in zip(row.precision, row.f1, strict=True))
            typer.echo(f"{row.n_people:6}{row.n_faces:7.0f}{cells}")
    typer.echo(f"best F1 over all of these: {best_number(found):g}")


if __name__ == "__main__":
    app()
