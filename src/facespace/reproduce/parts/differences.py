"""What stands between our numbers and the paper's, said once."""

from facespace.reproduce.context import Context

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
    material = context.holdout
    n_same, n_diff = material.n_pairs
    return (
        "Test faces: 1M faces of people unknown to training, in five splits, each 100k x 100k pairs, in the paper; "
        f"here {len(material.paths):,} aligned {material.own_px} px thumbnails of "
        f"{len(material.identities):,} people "
        f"({n_same:,} same and {n_diff:,} different pairs), most of them celebrities, whose pictures vary "
        "more in age, "
        "make-up and lighting than a personal collection."
    )


def lfw_differs() -> str:
    """LFW in full against the folds at hand."""
    return (
        "LFW: 6,000 pairs in ten folds in the paper; the 3,000 pairs of folds 1 to 5 here, so that a standard "
        "error is "
        "over five folds and no figure is LFW's standard one."
    )
