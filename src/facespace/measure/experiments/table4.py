"""Table 4: VAL by JPEG quality and by picture size (paper, section 5.4)."""

from collections.abc import Sequence
from typing import Annotated

from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.paper import JPEG_TAR, SIZE_TAR, training_differs
from facespace.measure.result import MEASURED, Cell, Column, Plot, Result, Series, Table, percent, plain
from facespace.measure.sweep import On, Point, Target, differs, targets
from facespace.measure.views import AS_IT_IS, Change, Recompress, Resize, View

MEASURES = (
    "VAL is at FAR 1e-3 in the paper and on faces/val, and at 1e-2 on LFW, whose pairs are too few for less."
)
SIZES = (
    "Size: the paper counts the pixels of the face thumbnail. On faces/val they are those of the thumbnail too; on "
    "LFW they are those of the whole picture, of which the face takes about half a side: 'face px' is its size."
)


@experiment(
    "VAL at FAR 1e-3 as pictures are compressed as JPEG and made smaller, without training on such pictures: "
    "little is lost down to quality 20 and 120 px, and it stays usable at 80 px.",
    needs=("data", "model", "detector", "workers"),
    example="--data DIR --quality 10 --on lfw",
    report={},
)
def run(
    context: Context,
    *,
    quality: Annotated[tuple[int, ...], Option("JPEG quality; may be repeated.")] = tuple(JPEG_TAR),
    side: Annotated[
        tuple[int, ...],
        Option(
            "Longest side in pixels; may be repeated. Sides beyond the pictures' own are marked as upsampled."
        ),
    ] = tuple(SIZE_TAR),
    on: On = "both",
) -> Result:
    """Compress the pictures again and resize them, and measure; faces stay where they were found."""
    changes = [Recompress(value) for value in quality], [Resize(value) for value in side]
    sets = targets(context, on)
    jpeg = _sweep("quality {}", quality, changes[0], sets, context)
    size = _sweep("{} px", side, changes[1], sets, context)
    notes = [note for chosen in sets for note in chosen.notes()]
    return Result(
        MEASURED,
        _headline(jpeg, size, sets[0]),
        (
            _table("By JPEG quality.", jpeg, JPEG_TAR, sets),
            _plot("JPEG quality", jpeg, JPEG_TAR, sets, limits=(0, 100)),
            _table("By picture size.", size, SIZE_TAR, sets, sized=True),
            _plot("side of the face thumbnail in pixels", size, SIZE_TAR, sets, limits=(0, 270), sized=True),
        ),
        (MEASURES, SIZES, *notes, training_differs(context), *differs(sets, context)),
        figures={"jpeg": plain(jpeg), "size": plain(size)},
    )


def _sweep(
    text: str, values: Sequence[int], changes: Sequence[Change], sets: Sequence[Target], context: Context
) -> list[Point]:
    views = [AS_IT_IS, *(View(change) for change in changes)]
    scores = [
        {chosen.name: chosen.score(rows) for chosen, rows in zip(sets, embedded, strict=True)}
        for embedded in zip(*(context.views(chosen.faces, views) for chosen in sets), strict=True)
    ]
    settings = [("as they are", None), *((text.format(value), float(value)) for value in values)]
    return [Point(name, value, reached) for (name, value), reached in zip(settings, scores, strict=True)]


def _headline(jpeg: list[Point], size: list[Point], chosen: Target) -> str:
    parts = [f"VAL on {chosen.name}, {percent(jpeg[0].scores[chosen.name].tar)} as they are"]
    for points, what, paper in (
        (jpeg, "at JPEG quality {}", "paper: 67.3 % at quality 10 against 86.5 % at 90"),
        (size, "at {} px", "paper: 37.8 % at 40 px against 86.4 % at 256 px"),
    ):
        if points[1:]:
            lowest = min(points[1:], key=lambda point: point.value or 0.0)
            reached = percent(lowest.scores[chosen.name].tar)
            parts.append(f"{reached} {what.format(f'{lowest.value:.0f}')} ({paper})")
    return f"{', '.join(parts)}."


def _table(
    caption: str, points: list[Point], printed: dict[int, float], sets: list[Target], *, sized: bool = False
) -> Table:
    columns = [Column("picture" if sized else "quality"), Column("paper: VAL", "percent", paper=True)]
    for chosen in sets:
        columns.append(Column(f"{chosen.name}: VAL", "percent"))
        if chosen.name == "LFW":
            columns.append(Column("LFW: accuracy", "percent"))
        if sized:
            columns.append(Column(f"{chosen.name}: face px"))
    rows = tuple(_row(point, printed, sets, sized=sized) for point in points)
    return Table(caption, tuple(columns), rows)


def _row(point: Point, printed: dict[int, float], sets: list[Target], *, sized: bool) -> tuple[Cell, ...]:
    row: list[Cell] = [point.setting, None if point.value is None else printed.get(int(point.value))]
    for chosen in sets:
        score = point.scores[chosen.name]
        row.append(score.tar)
        if chosen.name == "LFW":
            row.append(score.folds)
        if sized:
            side, upsampled = _face_px(point, chosen)
            row.append(f"{side:.0f}, upsampled" if upsampled else f"{side:.0f}")
    return tuple(row)


def _face_px(point: Point, chosen: Target) -> tuple[float, bool]:
    """Side of the face in the picture of this size, and whether the picture was made larger than it is."""
    if point.value is None:
        return chosen.face_px, False
    return chosen.face_px * point.value / chosen.own_px, point.value > chosen.own_px


def _plot(
    x_label: str,
    points: list[Point],
    printed: dict[int, float],
    sets: list[Target],
    *,
    limits: tuple[float, float],
    sized: bool = False,
) -> Plot:
    paper = Series("paper", tuple(float(x) for x in printed), tuple(printed.values()), paper=True)
    ours = [_series(points, chosen, sized=sized) for chosen in sets]
    more = " Sizes beyond a picture's own are left out here." if sized else ""
    return Plot(
        f"VAL by {x_label}.{more}", x_label, "VAL", (paper, *ours), x_limits=limits, y_limits=(0.0, 1.0)
    )


def _series(points: list[Point], chosen: Target, *, sized: bool) -> Series:
    known = []
    for point in points:
        tar = point.scores[chosen.name].tar
        x, upsampled = _face_px(point, chosen) if sized else (point.value, False)
        if x is not None and tar is not None and not upsampled:
            known.append((float(x), tar))
    far = "1e-2" if chosen.name == "LFW" else "1e-3"
    known.sort()
    return Series(
        f"{chosen.name}, VAL at FAR {far}", tuple(x for x, _ in known), tuple(tar for _, tar in known)
    )
