"""Face detectors on held-out photos and group stills, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from facespace.faces.detect import Detector
from facespace.faces.matching import FALSE_ALARM
from facespace.measure.context import Context
from facespace.measure.detection import DetectionReport, Matched, evaluate_detector, match_photos
from facespace.measure.detection_data import Peers, held_out_photos
from facespace.measure.experiment import Experiment, option
from facespace.measure.result import (
    MEASURED,
    Cell,
    Column,
    Picture,
    PictureRow,
    Pictures,
    Result,
    Table,
    plain,
)

__all__ = ["EXPERIMENT", "Options"]


@dataclass(frozen=True)
class Options:
    """Which detectors, and which labels count."""

    models: tuple[str, ...] = option(
        (), "Detector file to set beside the built-in one; may be repeated.", flag="--model"
    )
    every_label: bool = option(False, "Count also the labels that show no face to the eye.")


def run(options: Options, context: Context) -> Result:
    """Precision, recall, landmark error and speed on held-out photos and group stills, beside published detectors.

    The published detectors under `DATA/peers` are measured too.
    """
    reports = evaluate_detector(
        context.data, [None, *options.models], seen_by_eye=not options.every_label, on_step=context.on_step
    )
    own = reports[0]
    return Result(
        MEASURED,
        f"{own.model}: recall {100 * own.recall:.1f} %, precision {100 * own.precision:.1f} % on {own.n_faces} "
        f"labelled faces of {own.n_photos} held-out photos.",
        (_table(reports), *_faults(context)),
        (
            f"{own.n_photos} photos held out by content hash (one in ten) with {own.n_faces} labelled faces that count "
            f"and {own.n_ignored} labels and regions that do not; {own.n_faceless} faceless pictures (pieces of those "
            "photos, enlarged). Recall by size sees the photos at full, half and quarter size. Intervals resample "
            "photos.",
        ),
        figures={"detectors": plain(reports)},
    )


def _table(reports: Sequence[DetectionReport]) -> Table:
    first = reports[0]
    rows: list[tuple[Cell, ...]] = [
        ("score threshold", *(f"{r.score_threshold:g}" for r in reports)),
        ("recall (95 %)", *(_with_interval(r.recall, r.recall_interval) for r in reports)),
        ("precision (95 %)", *(_with_interval(r.precision, r.precision_interval) for r in reports)),
        *(
            (f"recall, {size} px ({n} faces)", *(f"{r.recall_by_size[size]:.3f}" for r in reports))
            for size, n in first.n_by_size.items()
        ),
        ("false alarms in 100 faceless pictures", *(f"{r.false_alarms_per_100:.2f}" for r in reports)),
        ("landmark error, % of the eye distance (median)", *(f"{r.landmark_error_pct:.1f}" for r in reports)),
        (
            f"of yunet_n's faces in group stills ({first.n_stills_faces})",
            *(f"{r.stills_found:.3f}" for r in reports),
        ),
        *(
            (f"time at {px} px, over the first's", *(f"{r.ms[px] / first.ms[px]:.2f}" for r in reports))
            for px in first.ms
        ),
    ]
    columns = (Column(""), *(Column(report.model) for report in reports))
    return Table("Detectors side by side.", columns, tuple(rows))


def _with_interval(share: float, interval: tuple[float, float]) -> str:
    return f"{share:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _faults(context: Context) -> tuple[Pictures, Pictures]:
    """What the built-in detector missed, and what it found where no label is."""
    photos = held_out_photos(context.data / "photos", Peers.under(context.data))
    matched = match_photos(Detector(), photos)
    missed = [
        _face(context, m, m.truth_xyxy[i]) for m in matched for i in (m.matching.found_idx < 0).nonzero()[0]
    ]
    wrong = [
        _face(context, m, m.found.boxes_xyxy[i], f"{m.found.scores[i]:.2f}")
        for m in matched
        for i in (m.matching.truth_idx == FALSE_ALARM).nonzero()[0]
    ]
    return (
        Pictures(
            f"Labelled faces that the built-in detector missed: {len(missed)}.",
            (PictureRow("", tuple(missed)),),
        ),
        Pictures(f"Its false alarms, with their scores: {len(wrong)}.", (PictureRow("", tuple(wrong)),)),
    )


def _face(context: Context, m: Matched, box: Sequence[float], text: str = "") -> Picture:
    x0, y0, x1, y1 = (round(float(v), 1) for v in box)
    return Picture(context.relative(m.photo.label.path), (x0, y0, x1, y1), text)


EXPERIMENT = Experiment(
    paper="The paper's detector is not described.",
    run=run,
    needs=("data",),
)
