"""The paper's own numbers (Schroff, Kalenichenko, Philbin, CVPR 2015), and what stands between them and ours."""

from dataclasses import dataclass

from facespace.measure.context import Context
from facespace.measure.views import own_px


@dataclass(frozen=True)
class PaperNetwork:
    """A network of the paper."""

    name: str  # as printed
    key: str  # the same network here
    input_hw: tuple[int, int]  # rows and columns as printed
    weights: float | None  # as printed; None where not
    multiply_adds: float  # as printed ("FLOPS")
    tar: tuple[float, float]  # VAL at FAR 1e-3 on the hold-out set, and its standard error (Table 3)
    layers: str = "the paper's"  # "ours" where the paper gives no layer table


NETWORKS = (
    PaperNetwork("NN1", "nn1", (220, 220), 140e6, 1.6e9, (0.879, 0.019)),
    PaperNetwork("NN2", "nn2", (224, 224), 7.5e6, 1.6e9, (0.894, 0.016)),
    PaperNetwork("NN3", "nn3", (160, 160), None, 815e6, (0.883, 0.017)),
    PaperNetwork("NN4", "nn4", (96, 96), None, 285e6, (0.820, 0.023)),
    PaperNetwork("NNS1", "nns1", (165, 165), 26e6, 220e6, (0.824, 0.024), "ours"),
    PaperNetwork("NNS2", "nns2", (140, 116), 4.3e6, 20e6, (0.519, 0.029), "ours"),
)

JPEG_TAR = {10: 0.673, 20: 0.814, 30: 0.839, 50: 0.855, 70: 0.861, 90: 0.865}
SIZE_TAR = {40: 0.378, 80: 0.795, 120: 0.845, 160: 0.857, 256: 0.864}
DIMENSION_TAR = {64: (0.868, 0.017), 128: (0.879, 0.019), 256: (0.877, 0.019), 512: (0.856, 0.020)}
IMAGES_TAR = {2_600_000: 0.763, 26_000_000: 0.851, 52_000_000: 0.851, 260_000_000: 0.862}
LFW_CENTRE, LFW_DETECTOR = (0.9887, 0.0015), (0.9963, 0.0009)
LFW_THRESHOLD = 1.242
YOUTUBE_100, YOUTUBE_1000 = (0.9512, 0.0039), 0.9518
FIGURE1_THRESHOLD = 1.1

# Table 1, rows of convolutions and fully connected layers: name, output, weights, multiply-adds.
NN1_LAYERS = (
    ("conv1", "110x110x64", 9e3, 115e6), ("conv2a", "55x55x64", 4e3, 13e6), ("conv2", "55x55x192", 111e3, 335e6),
    ("conv3a", "28x28x192", 37e3, 29e6), ("conv3", "28x28x384", 664e3, 521e6), ("conv4a", "14x14x384", 148e3, 29e6),
    ("conv4", "14x14x256", 885e3, 173e6), ("conv5a", "14x14x256", 66e3, 13e6), ("conv5", "14x14x256", 590e3, 116e6),
    ("conv6a", "14x14x256", 66e3, 13e6), ("conv6", "14x14x256", 590e3, 116e6), ("fc1", "1x32x128", 103e6, 103e6),
    ("fc2", "1x32x128", 34e6, 34e6), ("fc7128", "1x1x128", 524e3, 0.5e6),
)  # fmt: skip
# Table 2, block by block.
NN2_BLOCKS = (
    ("conv1", "112x112x64", 9e3, 119e6), ("inception (2)", "56x56x192", 115e3, 360e6),
    ("inception (3a)", "28x28x256", 164e3, 128e6), ("inception (3b)", "28x28x320", 228e3, 179e6),
    ("inception (3c)", "14x14x640", 398e3, 108e6), ("inception (4a)", "14x14x640", 545e3, 107e6),
    ("inception (4b)", "14x14x640", 595e3, 117e6), ("inception (4c)", "14x14x640", 654e3, 128e6),
    ("inception (4d)", "14x14x640", 722e3, 142e6), ("inception (4e)", "7x7x1024", 717e3, 56e6),
    ("inception (5a)", "7x7x1024", 1.6e6, 78e6), ("inception (5b)", "7x7x1024", 1.6e6, 78e6),
    ("fully conn", "1x1x128", 131e3, 0.1e6),
)  # fmt: skip


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
    """LFW in full against the folds available."""
    return (
        "LFW: 6,000 pairs in ten folds in the paper; the 3,000 pairs of folds 1 to 5 here, so that a standard "
        "error is over five folds and no figure is LFW's standard one."
    )
