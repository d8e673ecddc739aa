"""A release against the one before: what each comparison is worth where the stated rate holds for all ages and origins.

    python -m lab.embedder.releases OLD.onnx NEW.onnx ../shared/data MORE

Of the three comparisons (new with new, new with old, old with old) the distance that stands for FAR 1e-3 is measured on
the mixed population; TAR there, over all pairs of `faces/val` and of the families that were set aside, is printed as a
table, with its standard error over five splits of the identities.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance_matrix
from facespace.embed import Embedder
from facespace.measure.cache import Cache
from facespace.measure.calibration import balanced
from facespace.measure.context import Context, Setup
from facespace.measure.faces import FaceSet, open_crops
from facespace.measure.unnamed_faces import embed_unnamed, read_held_out
from facespace.metrics import mean_and_se
from lab.embedder.faces import set_aside_families

FAR = 1e-3
N_SPLITS = 5
COMPARISONS = (("new with new", 1, 1), ("new with old", 1, 0), ("old with old", 0, 0))

Rows = NDArray[np.float32]


def threshold_at(far: float, a: Rows, b: Rows) -> float:
    """The distance at which so many pairs of different people are taken for one.

    Args:
        far: the share.
        a: unit rows of N people by one model, and
        b: of the same people by another, or the same.
    """
    distance = distance_matrix(a, b)
    return float(np.quantile(distance[~np.eye(len(a), dtype=bool)], far))


def tar_at(threshold: float, a: Rows, b: Rows, labels: NDArray[np.int64]) -> tuple[float, float | None]:
    """Mean and standard error over splits of the identities of the share of same pairs within ``threshold``."""
    found = []
    for split in range(N_SPLITS):
        of = labels % N_SPLITS == split
        same = (labels[of, None] == labels[of]) & ~np.eye(int(of.sum()), dtype=bool)
        found.append(float((distance_matrix(a[of], b[of])[same] <= threshold).mean()))
    mean, se = mean_and_se(found)
    return float(mean or 0.0), se


def main() -> None:
    """Print the table."""
    old, new, data, more = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    contexts = [Context(Setup(data, model=model), Cache()) for model in (old, new)]
    held_out = read_held_out(data / "faces" / "more", contexts[1])
    mixed = balanced(held_out)
    chosen = held_out.chosen[mixed]
    impostors = [embed_unnamed(held_out.faces, chosen, contexts[0]), held_out.rows[mixed]]
    sets: list[FaceSet] = [contexts[0].holdout, set_aside_families(open_crops(more / "fiw"))]
    rows = [[context.rows(of) for context in contexts] for of in sets]
    print(
        f"old {Embedder(old).spec.label}, new {Embedder(new).spec.label}; {len(chosen)} faces of all ages and origins"
    )
    print("| | distance at FAR 1e-3 | TAR on faces/val | TAR on families |")
    print("|---|---|---|---|")
    for name, i, j in COMPARISONS:
        threshold = threshold_at(FAR, impostors[i], impostors[j])
        found = [tar_at(threshold, of[i], of[j], s.labels) for of, s in zip(rows, sets, strict=True)]
        cells = " | ".join(f"{100 * mean:.1f} +- {100 * (se or 0.0):.1f} %" for mean, se in found)
        print(f"| {name} | {threshold:.3f} | {cells} |")


if __name__ == "__main__":
    main()
