"""Which versions the faces of a harmonic triplet come from (paper, appendix and Figure 9)."""

from facespace.measure.context import Context
from facespace.measure.experiment import experiment
from facespace.measure.result import COMPUTED, Column, Plot, Result, Series, Table

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


@experiment(
    "Which version the anchor, positive and negative of a harmonic triplet may come from; semi-hard negatives "
    "are chosen from both.",
    needs=(),
    example="-o figure9.html",
    report={},
)
def run(context: Context) -> Result:
    """The drawing, and what each combination of versions asks for."""
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


def _moved(name: str) -> str:
    parts = [part for part, v in zip(("anchor", "positive", "negative"), name, strict=True) if v == "2"]
    return ", ".join(parts) or "nothing"


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


def _columns(points: list[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(float(p[0]) for p in points), tuple(float(p[1]) for p in points)
