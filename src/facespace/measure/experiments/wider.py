"""Average precision of detectors on WIDER FACE's layout (Yang et al., 2016), with their time per picture.

WIDER's own lists of easy, medium and hard faces are of its val part. The subsets here are ours, by height in the
picture and by occlusion: *large* from 50 px, *middle* from 30 px, both without heavily occluded faces, *all* from
10 px. Times are processor time of the whole detection at the detector's own threshold, in turns.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError
from facespace.faces.detect import DEFAULT_INPUT_PX, Detector
from facespace.faces.split import read_label_lines
from facespace.images import read_image
from facespace.measure.context import Context
from facespace.measure.detection_data import Detectors
from facespace.measure.embedding import OnStep
from facespace.measure.experiment import Option, experiment
from facespace.measure.result import MEASURED, Column, Result, Table, plain
from facespace.metrics.detection import FoundFaces, LabelledFaces, average_precision

HELD_OUT_EVENTS = ("20--Family_Group", "13--Interview")  # to choose models by; no training step sees them

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class WiderPhoto:
    """One photograph."""

    path: Path  # of the picture
    name: str  # its event's folder and file name
    size_hw: tuple[int, int]  # rows and columns
    boxes_xyxy: Floats  # float32, shape (N, 4), in pixels
    invalid: NDArray[np.bool_]  # bool, shape (N,): boxes that WIDER itself marks as not to be used
    occlusion: NDArray[np.int64]  # int64, shape (N,): 0 none, 1 part, 2 heavy

    @property
    def is_held_out(self) -> bool:
        """Whether its event is kept from training."""
        return self.name.split("/")[0] in HELD_OUT_EVENTS


def read_wider(folder: Path) -> list[WiderPhoto]:
    """The photos that ``folder``/labels.jsonl lists, in its order.

    Raises:
        DataError: no such file, or a line that is no label.
    """
    return read_label_lines(folder, "WIDER's labels", _photo)


def _photo(folder: Path, entry: dict[str, Any]) -> WiderPhoto:
    faces = entry["faces"]
    return WiderPhoto(
        path=folder / entry["photo"],
        name=entry["photo"],
        size_hw=(int(entry["height"]), int(entry["width"])),
        boxes_xyxy=np.array([f["box_xyxy"] for f in faces], np.float32).reshape(-1, 4),
        invalid=np.array([f["invalid"] for f in faces], np.bool_),
        occlusion=np.array([f["occlusion"] for f in faces], np.int64),
    )


LEAST_SCORE = 0.02
HEAVY = 2
# Least height, and whether heavily occluded faces count too.
SUBSETS = {"large": (50, False), "middle": (30, False), "all": (10, True)}


@dataclass(frozen=True)
class WiderFigures:
    """What one detector reached: average precision (None without faces that count) and faces that count by subset;
    processor ms per picture."""

    model: str
    score_threshold: float
    ap: dict[str, float | None]
    n_faces: dict[str, int]
    n_photos: int
    ms_mean: float
    ms_median: float


@experiment(
    "The paper's detector is not described.",
    needs=(),
    example="wider --model peers/yunet_n.onnx",
)
def run(
    context: Context,
    *,
    folder: Annotated[
        Path,
        Option("Folder of EVENT/NAME.jpg beside a labels.jsonl with boxes and attributes.", argument=True),
    ],
    models: Detectors = (),
    every: Annotated[int, Option("Measure one photo in so many.", min=1)] = 1,
    all_events: Annotated[
        bool, Option("Measure all events, not only those that are held out from training.")
    ] = False,
    input_px: Annotated[int, Option("Longest side of the network's input.", min=32)] = DEFAULT_INPUT_PX,
) -> Result:
    """Average precision of the built-in detector and of others on photos in WIDER FACE's layout."""
    photos = [photo for photo in read_wider(folder) if all_events or photo.is_held_out]
    photos = photos[::every]
    if not photos:
        raise DataError(f"{folder}: expected photos of held-out events, met none; add --all-events")
    figures = measure_wider(photos, (None, *models), input_px=input_px, on_step=context.on_step)
    columns = (Column("detector"), *(Column(f"AP, {name}") for name in SUBSETS), Column("ms per picture"))
    rows = tuple((f.model, *map(_text, f.ap.values()), f"{f.ms_median:.1f}") for f in figures)
    own = figures[0]
    return Result(
        MEASURED,
        f"{own.model} on {own.n_photos} photos: AP "
        f"{', '.join(f'{_text(ap)} ({name})' for name, ap in own.ap.items())}.",
        (Table("Average precision by subset, and processor time (median).", columns, rows),),
        (
            "Subsets by height and occlusion: "
            + ", ".join(
                f"{name} from {least} px ({own.n_faces[name]} faces)" for name, (least, _) in SUBSETS.items()
            )
            + ". They are not WIDER's own lists, which belong to its val part.",
        ),
        figures={"detectors": plain(figures)},
    )


def _text(ap: float | None) -> str:
    return "–" if ap is None else f"{ap:.3f}"


def subset(photo: WiderPhoto, name: str) -> NDArray[np.bool_]:
    """Which labelled faces of ``photo`` count in one of SUBSETS, shape (N,)."""
    least_height, occluded = SUBSETS[name]
    heights = photo.boxes_xyxy[:, 3] - photo.boxes_xyxy[:, 1]
    return ~photo.invalid & (heights >= least_height) & (occluded | (photo.occlusion < HEAVY))


def measure_wider(
    photos: Sequence[WiderPhoto],
    models: Sequence[str | Path | None],
    *,
    input_px: int = DEFAULT_INPUT_PX,
    on_step: OnStep | None = None,
) -> list[WiderFigures]:
    """Each of ``models`` (None is the built-in detector) on ``photos``."""
    ranked = [Detector(model, score_threshold=LEAST_SCORE, input_px=input_px) for model in models]
    usual = [Detector(model, input_px=input_px) for model in models]
    found: list[list[FoundFaces]] = [[] for _ in models]
    seconds = np.zeros((len(photos), len(models)))
    for row, photo in enumerate(photos):
        pixels = read_image(photo.path).pixels
        for column, (low, own) in enumerate(zip(ranked, usual, strict=True)):
            start = time.process_time()
            own.detect(pixels)
            seconds[row, column] = time.process_time() - start
            faces = low.detect(pixels)
            found[column].append(FoundFaces(faces.boxes_xyxy, faces.scores))
        if on_step:
            on_step(row + 1, len(photos))
    return [
        _figures(detector, photos, faces, taken * 1e3)
        for detector, faces, taken in zip(usual, found, seconds.T, strict=True)
    ]


def _figures(
    detector: Detector, photos: Sequence[WiderPhoto], found: list[FoundFaces], ms: NDArray[np.float64]
) -> WiderFigures:
    labelled = {name: [LabelledFaces(p.boxes_xyxy, subset(p, name)) for p in photos] for name in SUBSETS}
    n_faces = {name: sum(int(faces.counts.sum()) for faces in truth) for name, truth in labelled.items()}
    return WiderFigures(
        detector.spec.label,
        detector.score_threshold,
        {name: average_precision(found, labelled[name]).ap if n else None for name, n in n_faces.items()},
        n_faces,
        len(photos),
        float(ms.mean()),
        float(np.median(ms)),
    )
