"""The pairs of LFW that are decided wrongly, as pictures (paper, Figure 6)."""

import numpy as np
from numpy.typing import NDArray

from facespace.measure.context import Context
from facespace.measure.experiment import experiment
from facespace.measure.pairs import PairDistances, PairSet, score_pairs
from facespace.measure.paper import lfw_differs, training_differs
from facespace.measure.result import MEASURED, Picture, PictureRow, Pictures, Result, mean_se

WHOLE_XYXY = (0.0, 0.0, 249.0, 249.0)


@experiment(
    "All pairs of LFW that were classified wrongly, false accepts and false rejects.",
    needs=("data", "model", "detector", "workers"),
    example="--data DIR -o errors.html",
    report={},
)
def run(context: Context) -> Result:
    """Every pair that its fold's threshold decides wrongly; the clearest errors first."""
    pictures = context.lfw
    measured = pictures.measured(context.rows(pictures.faces), mode="detector")
    figures, same, wrong = score_pairs(measured), measured.listed.same, ~measured.right()
    beyond = measured.distance - measured.thresholds
    accepts, rejects = np.flatnonzero(wrong & ~same), np.flatnonzero(wrong & same)
    accepts, rejects = accepts[np.argsort(beyond[accepts])], rejects[np.argsort(-beyond[rejects])]
    blocks = tuple(
        Pictures(
            f"{title}: {len(pairs)} of {total:,} {kind} pairs; those farthest beyond the threshold first.",
            _rows(context, pictures, measured, pairs), pairs=True,
        )
        for title, kind, pairs, total in (
            ("False accepts", "different", accepts, figures.n_diff),
            ("False rejects", "same", rejects, figures.n_same),
        )
    )  # fmt: skip
    return Result(
        MEASURED,
        f"{len(accepts) + len(rejects)} of {len(same):,} pairs are decided wrongly "
        f"({mean_se(figures.accuracy_mean, figures.accuracy_se, 2)} accuracy): {len(accepts)} false accepts, "
        f"{len(rejects)} false rejects.",
        blocks,
        (
            "The paper shows all its errors, 13 false rejects among them, of which 5 are labelled wrongly in LFW "
            "itself; the page shows the clearest of ours and the JSON beside it lists them all.",
            lfw_differs(),
            training_differs(context),
        ),
        figures={"n_false_accepts": len(accepts), "n_false_rejects": len(rejects)},
    )


def _rows(
    context: Context, pictures: PairSet, measured: PairDistances, pairs: NDArray[np.int64]
) -> tuple[PictureRow, ...]:
    left, right = pictures.sides
    return tuple(
        PictureRow(
            f"{measured.distance[k]:.2f}",
            (_picture(context, pictures, int(left[k])), _picture(context, pictures, int(right[k]))),
        )
        for k in pairs
    )


def _picture(context: Context, pictures: PairSet, i: int) -> Picture:
    path, place = pictures.faces.paths[i], pictures.faces.places[i]
    box = place.box_xyxy.tolist() if place.found else WHOLE_XYXY
    return context.picture(path, box, path.stem.replace("_", " "))
