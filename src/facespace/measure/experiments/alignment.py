"""Alignment by landmarks against plain crops of the detector's box, on LFW (paper, sections 4 and 5.6)."""

from facespace.measure.context import Context
from facespace.measure.experiment import experiment
from facespace.measure.paper import lfw_differs
from facespace.measure.result import MEASURED, Cell, Column, Result, Table, mean_se, plain
from facespace.measure.sweep import Point, lfw_target, score_pair_set
from facespace.measure.views import View

PLACEMENTS = {
    "similarity": "five landmarks onto the template",
    "box": "the detector's box, scale and shift alone",
    "tight": "the detector's box, tight",
}
CENTRE = "one place for all pictures, no detector"


@experiment(
    "The paper crops tightly, scale and translation only, and found that a similarity transform improves "
    "results slightly; whether it is worth the trouble it leaves open. No number is given.",
    needs=("data", "model", "detector", "workers"),
    report={},
)
def run(context: Context) -> Result:
    """LFW's whole pictures, cropped in four ways; ready crops are aligned already and cannot be undone."""
    lfw, centre = lfw_target(context), context.lfw_centre
    views = [View(placement=name) for name in PLACEMENTS]
    scores = [lfw.score(rows) for rows in context.views(lfw.faces, views)]
    scores.append(score_pair_set(centre, context.rows(centre.faces)))
    texts = (*PLACEMENTS.values(), CENTRE)
    rows: list[tuple[Cell, ...]] = [(t, s.tar, s.folds) for t, s in zip(texts, scores, strict=True)]
    columns = (Column("crop"), Column("LFW: VAL at FAR 1e-2", "percent"), Column("LFW: accuracy", "percent"))
    points = [Point(text, None, {"LFW": score}) for text, score in zip(texts, scores, strict=True)]
    aligned, box = scores[:2]
    return Result(
        MEASURED,
        f"LFW accuracy: {mean_se(aligned.accuracy, aligned.accuracy_se)} aligned by five landmarks, "
        f"{mean_se(box.accuracy, box.accuracy_se)} from the box by scale and shift alone.",
        (Table("LFW by how the face is cropped.", columns, tuple(rows)),),
        (
            f"The model was trained on '{context.embedder.spec.alignment}' crops; it has not seen the others.",
            lfw_differs(),
        ),
        figures={"points": plain(points)},
    )
