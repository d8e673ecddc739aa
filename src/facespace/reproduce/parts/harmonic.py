"""Figures 8, 9 and 10 (appendix): a newer version that meets an older one."""

from facespace.evaluate.harmonic import HarmonicResult
from facespace.evaluate.harmonic_plane import PlaneView, find_moves, view_plane
from facespace.reproduce.blocks import COMPUTED, MEASURED, Cell, Column, Plot, Result, Series, Table
from facespace.reproduce.context import Context
from facespace.reproduce.part import OnPicture, Part, not_run
from facespace.reproduce.parts.differences import holdout_differs
from facespace.reproduce.text import mean_se, percent
from facespace.reproduce.versions import compare_versions, roc_series
from facespace.reproduce.versions_of_runs import HarmonicPair, find_pairs

__all__ = ["FIGURE8", "FIGURE9", "FIGURE10"]

REMEDY = (
    "facespace harmonise --old v1.onnx --init RUNS/ALONE --data DIR --out RUNS/NAME, then "
    "facespace reproduce --runs RUNS"
)
NOT_TRAINED = "Needs a newer model that was trained to meet an older one; none was given."
BUDGET = (
    "Both versions were trained for minutes on a few tens of thousands of faces: v1 and v2 fit the training people far "
    "better than others, and what v2 learns to meet there is more than what v1 shows of new people."
)
WAYS = {
    "v1-v1": "the older version alone",
    "v2-v1": "mixed: newer probe, older gallery",
    "v2-v2": "the newer version, harmonic",
    "alone-alone": "the newer network without regard to v1",
    "alone-v1": "that against the older version",
    "alone-rotation(v1)": "that against v1 turned towards it (rotation)",
    "alone-linear(v1)": "that against v1 mapped to it (linear)",
    "alone-mlp(v1)": "that against v1 mapped to it (small network)",
}
WHAT = {
    "222": "the triplet loss of v2 alone",
    "221": "v2 keeps its people together and away from where v1 has others",
    "212": "a new face is nearer to the old ones of its person than to new ones of others",
    "211": "a new probe in an old gallery: nearer to the right old template than to the wrong ones",
    "122": "an old probe in a new gallery",
    "121": "an old face is nearer to the new one of its person than to the old ones of others",
    "112": "a new face of another stays farther from an old one than the old ones of one person are",
    "111": "v1 alone: nothing in it moves, so it has no gradient and is not made",
}


def make_roc(context: Context, on_picture: OnPicture) -> Result:
    """ROC and table of each harmonic run."""
    pairs = find_pairs(context, on_picture)
    if not pairs:
        return not_run(NOT_TRAINED, remedy=REMEDY)
    blocks: list[Plot | Table] = []
    headlines = []
    for pair in pairs:
        result = compare_versions(
            pair.models,
            context.data,
            rows_of=lambda model, faces, name: context.rows_of(model, faces, name, on_picture),
        )
        blocks += [_roc(pair, result), _table(pair, result)]
        headlines.append(_headline(pair, result))
    return Result(MEASURED, " ".join(headlines), tuple(blocks), (BUDGET, holdout_differs(context)))


def make_combinations(context: Context, on_picture: OnPicture) -> Result:
    """The drawing, and what each combination asks for."""
    rows = tuple((name[0], name[1], name[2], _moved(name), text) for name, text in WHAT.items())
    columns = tuple(Column(name) for name in ("anchor", "positive", "negative", "moves", "asks"))
    table = Table(
        "Versions of anchor, positive and negative: 2 is learned, 1 is fixed. Each but the last takes part unless a "
        "recipe leaves it out.",
        columns,
        rows,
    )
    return Result(
        COMPUTED,
        "Seven of the eight combinations of versions have a gradient and are trained on; semi-hard negatives are drawn "
        "from both versions as one set.",
        (_sketch(), table),
        ("The paper draws the idea and does not say which combinations took part.",),
    )


def make_plane(context: Context, on_picture: OnPicture) -> Result:
    """Three people by both versions of the first harmonic run."""
    pairs = find_pairs(context, on_picture)
    if not pairs:
        return not_run(NOT_TRAINED, remedy=REMEDY)
    pair = pairs[0]
    old, new = (
        context.holdout.faces(context.rows_of(model, context.holdout, "val", on_picture))
        for model in (pair.models.old, pair.models.new)
    )
    moves = find_moves(old, new)
    view = view_plane(old, new, moves)
    n, right, spoilt = len(moves.labels), int(moves.put_right.sum()), int(moves.spoilt.sum())
    wrong = int((moves.old_nearest != moves.labels).sum())
    return Result(
        MEASURED,
        f"{pair.title}: {wrong:,} of {n:,} faces are nearest to another person's place by v1; v2 puts {right:,} of "
        f"them right, and {spoilt:,} that v1 has right it has wrong.",
        (_plane(view, old.identities),),
        (
            "The paper draws a sketch with one misplaced face; these are measured. A person's place is the mean of "
            "their faces by v1, without the face itself; misplaced is a face nearest to another's place by v1, put "
            "right one that is nearest to its own, of v1 too, by v2.",
            "The three people are the two between whom most faces are put right, and the one who adds most to them; "
            "the plane is that of their three places, so that distances in it are shorter than in the space.",
        ),
    )


def _moved(name: str) -> str:
    parts = [part for part, v in zip(("anchor", "positive", "negative"), name, strict=True) if v == "2"]
    return ", ".join(parts) or "nothing"


def _roc(pair: HarmonicPair, result: HarmonicResult) -> Plot:
    return Plot(
        f"{pair.title}: VAL at each FAR over all pairs of faces/val.", "FAR", "VAL", tuple(roc_series(result)),
        x_log=True, x_limits=(1e-5, 1.0), y_limits=(0.0, 1.0),
    )  # fmt: skip


def _table(pair: HarmonicPair, result: HarmonicResult) -> Table:
    columns = (
        Column("compared"), Column("what"), Column("VAL, all pairs", "percent"), Column("VAL, splits", "percent"),
        Column("distance at FAR 1e-3", "distance"), Column("v2-v1 less this, paired", "percent"),
    )  # fmt: skip
    gaps = {gap.lower: (gap.mean, gap.se) for gap in result.gaps if gap.higher == "v2-v1"}
    rows: list[tuple[Cell, ...]] = []
    for score in result.scores:
        mean, se = gaps.get(score.name, (None, None))
        rows.append((
            score.name, WAYS.get(score.name, "distilled onto v1"), score.tar["1e-3"],
            None if score.mean is None else (score.mean, score.se), score.threshold["1e-3"],
            None if mean is None else (mean, se),
        ))  # fmt: skip
    return Table(
        f"{pair.title}: VAL at FAR 1e-3 on faces/val; {result.n_splits} splits of the identities; maps fitted on "
        f"{result.fitted_on:,} faces of faces/train.",
        columns,
        tuple(rows),
    )


def _headline(pair: HarmonicPair, result: HarmonicResult) -> str:
    new, mixed, old = (result.score(name) for name in ("v2-v2", "v2-v1", "v1-v1"))
    gaps = [mean_se(gap.mean, gap.se) for gap in result.gaps]
    price = (
        f"; the price against the network alone is {gaps[2]}"
        if result.gaps[2:] and result.gaps[2].lower == "v2-v2"
        else ""
    )
    order = (
        "in the paper's order" if result.in_order else "not in the paper's order with gaps above their errors"
    )
    return (
        f"{pair.title}: VAL at FAR 1e-3 {percent(new.mean)} for v2-v2, {percent(mixed.mean)} for v2-v1, "
        f"{percent(old.mean)} for v1-v1, {order} (gaps {gaps[0]}, {gaps[1]}){price}."
    )


def _sketch() -> Plot:
    """Anchors in the middle, positives left and negatives right, each of both versions."""
    positive, anchor, negative, old, new = 0.0, 1.3, 2.6, 0.0, 1.0

    def lines(x: float, *, moving: bool) -> list[tuple[float, float]]:
        ends = [
            ((anchor, a), (x, b)) for a in (new, old) for b in (new, old) if ((a, b) != (old, old)) == moving
        ]
        return [point for line in ends for point in line]

    fixed = lines(positive, moving=False) + lines(negative, moving=False)
    x = (positive, anchor, negative)
    return Plot(
        "Harmonic triplets: an anchor of either version is drawn to a positive and pushed from a negative of either.",
        "",
        "",
        (
            Series("drawn together", *_columns(lines(positive, moving=True)), arrows=True, colour=2),
            Series(
                "pushed apart", *_columns(lines(negative, moving=True)), arrows=True, dashed=True, colour=5
            ),
            Series("fixed, as both are v1's", *_columns(fixed), arrows=True, paper=True),
            Series(
                "v2, learned", x, (new,) * 3, line=False, colour=0, labels=("positive", "anchor", "negative")
            ),
            Series("v1, fixed", x, (old,) * 3, line=False, colour=1, hollow=True),
        ),
        x_limits=(-0.4, 3.0),
        y_limits=(-0.2, 1.25),
        bare=True,
    )


def _plane(view: PlaneView, identities: tuple[str, ...]) -> Plot:
    series = []
    for colour, person in enumerate(view.people):
        whose = view.person_idx == person
        for xy, version in ((view.old_xy, "v1"), (view.new_xy, "v2")):
            name = f"{identities[person]}, {version}"
            series.append(
                Series(
                    name,
                    *_columns(xy[whose].round(4).tolist()),
                    line=False,
                    colour=colour,
                    hollow=version == "v1",
                )
            )
    moved = [p for a, b in zip(view.old_xy[view.moved], view.new_xy[view.moved], strict=True) for p in (a, b)]
    if moved:
        points = [p.round(4).tolist() for p in moved]
        series.append(Series("misplaced by v1, put right by v2", *_columns(points), arrows=True, colour=5))
    return Plot(
        "Faces of three people by v1 (rings) and v2 (dots) in one plane.", "", "", tuple(series), bare=True
    )


def _columns(points: list[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(float(p[0]) for p in points), tuple(float(p[1]) for p in points)


FIGURE8 = Part(
    "figure8",
    "Figure 8: ROC of harmonic embeddings",
    "ROC of the newer model alone above newer against older, and that above the older model alone.",
    make_roc,
    ("data", "runs"),
)
FIGURE9 = Part(
    "figure9",
    "Figure 9: harmonic triplets",
    "Which version the anchor, positive and negative of a harmonic triplet may come from; semi-hard negatives "
    "are chosen from both.",
    make_combinations,
    (),
)
FIGURE10 = Part(
    "figure10",
    "Figure 10: the shared space",
    "A sketch of how embeddings of two versions lie in one space after harmonic training.",
    make_plane,
    ("data", "runs"),
)
