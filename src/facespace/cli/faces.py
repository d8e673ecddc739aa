"""`facespace embed` and `facespace cluster`: photos to a FaceTable, a FaceTable to people."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, progress, say, show_json, warn
from facespace.cli.options import AsJson, DetectorFile, Far, ModelFile, Workers
from facespace.models import GROUP_FAR

if TYPE_CHECKING:
    from facespace.cluster import Clustering
    from facespace.table import FaceTable

__all__ = ["cluster", "embed"]


def embed(
    paths: Annotated[list[Path], typer.Argument(help="Photos, or folders of them.", show_default=False)],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="FaceTable to write or go on with (a folder).")
    ],
    crops: Annotated[
        bool,
        typer.Option("--crops", help="The files are aligned faces already; their folders name the people."),
    ] = False,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Embed every face of the photos into a FaceTable; photos that stand in it already cost nothing.

    Example: facespace embed ~/Pictures -o faces
    """
    from facespace.embed import Embedder
    from facespace.extract import embed_crops, embed_photos
    from facespace.faces.detect import Detector

    embedder = Embedder(model)
    with progress("embedding") as on_photo:
        if crops:
            result = embed_crops(paths, output, embedder, on_photo=on_photo)
        else:
            result = embed_photos(
                paths, output, Detector(detector), embedder, workers=workers, on_photo=on_photo
            )
    for unreadable in result.unreadable:
        warn(f"{unreadable.photo}: {unreadable.reason}")
    document = {
        "faces": result.n_faces,
        "photos": result.n_photos,
        "new": result.n_new,
        "output": str(output),
    }
    if json:
        show_json(
            {
                **document,
                "unreadable": [{"photo": str(u.photo), "reason": u.reason} for u in result.unreadable],
            }
        )
    else:
        console.print(
            f"{result.n_faces} faces of {result.n_photos} photos ({result.n_new} new) in {output}; "
            f"{len(result.unreadable)} not readable"
        )


def cluster(
    faces: Annotated[Path, typer.Argument(help="A FaceTable, as `embed` writes it.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV file to write: photo, box, person.")],
    far: Far = GROUP_FAR,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=4.0, help="Distance in place of the one that the FAR stands for."),
    ] = None,
    model: ModelFile = None,
    json: AsJson = False,
) -> None:
    """Group the faces of a FaceTable by person; scores are given where the table knows the people.

    Example: facespace cluster faces -o people.csv
    """
    import numpy as np

    from facespace.cluster import Constraints, agglomerative
    from facespace.errors import IncompatibleModelsError
    from facespace.metrics import bcubed_scores, pairwise_scores
    from facespace.models import find_model, read_spec
    from facespace.table import FaceTable

    table = FaceTable.load(faces)
    spec = read_spec(find_model(model, "embedder"))
    if threshold is None and table.model != spec.sha256:
        raise IncompatibleModelsError(
            f"{faces}: embedded by model {table.model[:8]}, not by {spec.label}; name its file with --model, "
            "or give --threshold"
        )
    limit = spec.distance_at(far) if threshold is None else threshold
    grouped = agglomerative(
        np.asarray(table.embedding), threshold=limit, constraints=Constraints(photo=table.photo_idx)
    )
    _write_csv(output, table, grouped)
    scores, truth = None, table.labels
    if truth is not None:
        labels = grouped.labels.astype(np.int64)
        pairs, bcubed = pairwise_scores(truth, labels), bcubed_scores(truth, labels)
        scores = {
            "pairwise_precision": pairs.precision,
            "pairwise_recall": pairs.recall,
            "pairwise_f1": pairs.f1,
            "bcubed_f1": bcubed.f1,
        }
    document = {
        "n_faces": len(table),
        "n_people": grouped.n_people,
        "threshold": limit,
        "far": far if threshold is None else None,
        "scores": scores,
    }
    if json:
        show_json(document)
    else:
        console.print(
            f"{len(table)} faces, {grouped.n_people} people at distance {limit:.3f}, written to {output}"
        )
        for name, value in (scores or {}).items():
            console.print(f"{name.replace('_', ' ')}: {value:.4f}")
    say("people are numbered from the largest group on")


def _write_csv(path: Path, table: "FaceTable", grouped: "Clustering") -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(["photo", "x0", "y0", "x1", "y1", "person"])
        for i in range(len(table)):
            box = ["" if v != v else f"{v:.2f}" for v in table.box_xyxy[i].tolist()]
            writer.writerow([table.photos[table.photo_idx[i]], *box, int(grouped.labels[i])])
    partial.replace(path)
