"""The scores of all methods as a Markdown page."""

from collections.abc import Sequence
from pathlib import Path

from facespace.saved_files import write_beside
from lab.clustering.scores import ClusterRow

HEADINGS = ("collection", "model", "method", "distance", "pair P", "R", "F1", "BCubed F1", "purity", "adj. Rand",
            "people", "found", "s")  # fmt: skip
INTRODUCTION = """# Clustering, scored

Written by the command below. `people` is 650 photos of 30 people (the largest face of each is labelled, all faces are
grouped), `val` the crops of `faces/val`, `lfw` the photos of LFW's folds 1 to 5. Best thresholds and sizes are chosen
on the collection itself: ceilings, not figures to expect. HDBSCAN knows no distance; its least group size stands
there. Seconds are by the clock of the machine, whatever else it did.

    {command}

"""


def write_cluster_page(rows: Sequence[ClusterRow], path: Path, *, command: str) -> None:
    """Write all rows as one table, and how near the calibrated threshold comes to the best one.

    Args:
        rows: as of `score_collections`.
        path: file to write, in one step.
        command: that made them.
    """
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS), *map(_line, rows)]
    text = INTRODUCTION.format(command=command) + "\n".join([*lines, "", *_losses(rows)]) + "\n"
    write_beside(path, text.encode())


def _line(row: ClusterRow) -> str:
    r = row.report
    scores = (r.pairwise.precision, r.pairwise.recall, r.pairwise.f1, r.bcubed.f1, r.purity, r.adjusted_rand)
    cells = [row.collection, row.model, row.method, f"{row.threshold:.3f}", *(f"{value:.3f}" for value in scores),
             str(r.n_true), str(r.n_found), f"{row.seconds:.2f}"]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _losses(rows: Sequence[ClusterRow]) -> list[str]:
    """What the calibrated threshold loses against the best one, a line for each collection and model."""
    f1 = {(row.collection, row.model, row.method): row.report.pairwise.f1 for row in rows}
    lines = []
    for (collection, model, method), best in f1.items():
        if method == "facespace, best threshold":
            lost = best - f1[collection, model, "facespace, calibrated threshold"]
            lines.append(f"- {collection}, {model}: {lost:.3f} F1 below the best threshold.")
    return lines
