"""Section 4: the hold-out and personal-photos protocols on the validation faces."""

from facespace.evaluate.holdout import evaluate_holdout
from facespace.reproduce.blocks import MEASURED, Cell, Column, Result, Table
from facespace.reproduce.context import Context
from facespace.reproduce.part import OnPicture, Part
from facespace.reproduce.parts.differences import holdout_differs, training_differs
from facespace.reproduce.text import mean_se, percent

__all__ = ["PROTOCOLS"]

PAPER = {"1e-3": (0.894, 0.016)}


def make(context: Context, on_picture: OnPicture) -> Result:
    """VAL at each FAR that the pairs support."""
    result = evaluate_holdout(context.holdout.faces(context.holdout_rows(on_picture)))
    rows: list[tuple[Cell, ...]] = []
    for far, tar in result.tar.items():
        splits = None if tar["mean"] is None else (tar["mean"], tar["se"])
        rows.append((far, PAPER.get(far), splits, tar["all"], result.threshold[far]))
    columns = (
        Column("FAR"), Column("paper, NN2: VAL, hold-out", "percent", paper=True),
        Column("ours: VAL, five splits (hold-out protocol)", "percent"),
        Column("ours: VAL, all pairs (personal-photos protocol)", "percent"),
        Column("threshold, all pairs", "distance"),
    )  # fmt: skip
    at = result.tar["1e-3"]
    return Result(
        MEASURED,
        f"VAL at FAR 1e-3: {mean_se(at['mean'], at['se'])} over {result.n_splits} splits, "
        f"{percent(at['all'])} over all pairs.",
        (Table(f"{result.n_same:,} same and {result.n_diff:,} different pairs.", columns, tuple(rows)),),
        (
            "A split is a fifth of the people; half of their faces meet the other half, as in the paper: "
            f"{result.split_pairs[1]:,} different pairs in all splits.",
            "A rate is stated only where ten false accepts or more stand behind it.",
            training_differs(context), holdout_differs(context),
        ),
    )  # fmt: skip


PROTOCOLS = Part(
    "protocols",
    "Section 4: hold-out set and personal photos",
    "VAL at a FAR over all pairs: of a hold-out set of 1M faces in five splits (mean and standard error), and "
    "of three clean personal "
    "collections, 12k faces, all 12k x 12k pairs.",
    make,
)
