"""What facespace cannot make yet, said in its place: YouTube Faces and the appendix on harmonic embeddings."""

from facespace.reproduce.blocks import Result
from facespace.reproduce.context import Context
from facespace.reproduce.paper import YOUTUBE_100, YOUTUBE_1000
from facespace.reproduce.part import OnPicture, Part, not_run
from facespace.reproduce.text import mean_se, percent

__all__ = ["FIGURE8", "FIGURE9", "FIGURE10", "YOUTUBE"]


def make_youtube(context: Context, on_picture: OnPicture) -> Result:
    """No frames are at hand, only the list of pairs."""
    return not_run(
        "Not measured: the 5,000 video pairs are listed in ytf/splits.txt, but no frames are at hand.",
        differs=(
            f"The paper: {mean_se(*YOUTUBE_100, 2)} on the first 100 detected frames, "
            f"{percent(YOUTUBE_1000, 2)} on 1,000.",
        ),
    )


def make_harmonic(context: Context, on_picture: OnPicture) -> Result:
    """Needs a second model that was trained to meet the first."""
    return not_run(
        "Needs two models whose embeddings may be compared with each other; none has been trained yet."
    )


YOUTUBE = Part(
    "youtube",
    "Section 5.7: YouTube Faces",
    "95.12 ± 0.39 % with the mean similarity of all pairs of the first 100 detected frames of two videos, "
    "95.18 % with 1,000.",
    make_youtube,
    (),
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
