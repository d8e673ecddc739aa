"""Section 5.7: YouTube Faces, where its frames are among the data."""

from facespace.evaluate.youtube import evaluate_youtube
from facespace.reproduce.blocks import MEASURED, Column, Result, Table
from facespace.reproduce.context import Context
from facespace.reproduce.paper import YOUTUBE_100, YOUTUBE_1000
from facespace.reproduce.part import OnPicture, Part, not_run
from facespace.reproduce.parts.differences import training_differs
from facespace.reproduce.text import mean_se, percent

__all__ = ["FRAMES", "YOUTUBE"]

# Below the data folder; the name of the published archive's folder.
FRAMES, SPLITS = "ytf/frame_images_DB", "ytf/splits.txt"
PAPER = f"The paper: {mean_se(*YOUTUBE_100, 2)} on the first 100 detected frames, {percent(YOUTUBE_1000, 2)} on 1,000."


def make(context: Context, on_picture: OnPicture) -> Result:
    """Accuracy on the video pairs."""
    frames, splits = context.data / FRAMES, context.data / SPLITS
    if not frames.is_dir():
        return not_run(
            f"Not measured: the video pairs may be listed in {SPLITS}, but no frames are at hand.",
            remedy=f"put the published frames at DATA/{FRAMES}",
            differs=(PAPER,),
        )
    result = evaluate_youtube(
        frames,
        splits,
        context.embedder,
        context.detector,
        workers=context.options.workers,
        on_video=on_picture,
    )
    accuracy = (result.accuracy_mean, result.accuracy_se)
    columns = (Column("frames"), Column("paper", "percent2", paper=True), Column("ours", "percent2"))
    rows = (("first 100 detected", YOUTUBE_100, accuracy), ("first 1,000", YOUTUBE_1000, None))
    return Result(
        MEASURED,
        f"{mean_se(*accuracy, 2)} over {result.n_folds} splits of {result.n_same + result.n_diff:,} video pairs.",
        (Table("Accuracy, the threshold of each split from the others.", columns, rows),),
        (training_differs(context),),
    )


YOUTUBE = Part(
    "youtube",
    "Section 5.7: YouTube Faces",
    "95.12 ± 0.39 % with the mean similarity of all pairs of the first 100 detected frames of two videos, "
    "95.18 % with 1,000.",
    make,
    ("model", "detector", "data"),
)
