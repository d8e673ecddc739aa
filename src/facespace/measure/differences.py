"""What stands between our numbers and the paper's, said once."""

from facespace.measure.context import Context
from facespace.measure.degrade import own_px

__all__ = ["holdout_differs", "lfw_differs", "training_differs"]


def training_differs(context: Context) -> str:
    """The paper's training against ours."""
    seen = context.embedder.spec.training_data or "not stated"
    return (
        "Training: 100M to 200M faces of about 8M people, 1,000 to 2,000 hours on a cluster in the paper; "
        f"{context.embedder.spec.name} saw: {seen}."
    )


def holdout_differs(context: Context) -> str:
    """The paper's hold-out set against ours."""
    faces = context.holdout
    n_same, n_diff = faces.n_pairs
    return (
        "Test faces: 1M faces of people unknown to training, in five splits, each 100k x 100k pairs, in the paper; "
        f"here {len(faces.paths):,} aligned {own_px(faces.paths)} px thumbnails of {len(faces.identities):,} people "
        f"({n_same:,} same and {n_diff:,} different pairs), most of them celebrities, whose pictures vary more in "
        "age, make-up and lighting than a personal collection."
    )


def lfw_differs() -> str:
    """LFW in full against the folds at hand."""
    return (
        "LFW: 6,000 pairs in ten folds in the paper; the 3,000 pairs of folds 1 to 5 here, so that a standard "
        "error is over five folds and no figure is LFW's standard one."
    )
