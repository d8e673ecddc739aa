"""What facespace cannot make yet, said in its place: the appendix on harmonic embeddings."""

from facespace.reproduce.blocks import Result
from facespace.reproduce.context import Context
from facespace.reproduce.part import OnPicture, Part, not_run

__all__ = ["FIGURE8", "FIGURE9", "FIGURE10"]


def make_harmonic(context: Context, on_picture: OnPicture) -> Result:
    """Needs a second model that was trained to meet the first."""
    return not_run(
        "Needs two models whose embeddings may be compared with each other; none has been trained yet."
    )


FIGURE8 = Part(
    "figure8",
    "Figure 8: ROC of harmonic embeddings",
    "ROC of the newer model alone above newer against older, and that above the older model alone.",
    make_harmonic,
    (),
)
FIGURE9 = Part(
    "figure9",
    "Figure 9: harmonic triplets",
    "Which version the anchor, positive and negative of a harmonic triplet may come from; semi-hard negatives "
    "are chosen from both.",
    make_harmonic,
    (),
)
FIGURE10 = Part(
    "figure10",
    "Figure 10: the shared space",
    "A sketch of how embeddings of two versions lie in one space after harmonic training.",
    make_harmonic,
    (),
)
