"""Table 4: VAL by JPEG quality and by picture size."""

from collections.abc import Callable

from facespace.evaluate.sweeps import Material, Sweep, sweep_jpeg, sweep_size
from facespace.reproduce.blocks import MEASURED, Cell, Column, Plot, Result, Series, Table
from facespace.reproduce.context import Context
from facespace.reproduce.paper import JPEG_TAR, SIZE_TAR
from facespace.reproduce.part import OnPicture, Part
from facespace.reproduce.parts.differences import holdout_differs, lfw_differs, training_differs
from facespace.reproduce.text import percent

__all__ = ["TABLE4"]

MEASURES = (
    "VAL is at FAR 1e-3 in the paper and on faces/val, and at 1e-2 on LFW, whose pairs are too few for less."
)
SIZES = (
    "Size: the paper counts the pixels of the face thumbnail. On faces/val they are those of the thumbnail "
    "too; on LFW they are "
    "those of the whole picture, of which the face takes about half a side: 'face px' says how large it is."
)


def make(context: Context, on_picture: OnPicture) -> Result:
    """Both sweeps on both sets, each picture read once a sweep."""
    holdout, lfw = context.holdout, context.lfw(on_picture)
    run = _runner(context, on_picture)
    jpeg = run(sweep_jpeg, holdout), run(sweep_jpeg, lfw)
    size = run(sweep_size, holdout), run(sweep_size, lfw)
    notes = tuple(dict.fromkeys(note for sweep in (*jpeg, *size) for note in sweep.notes))
    return Result(
        MEASURED,
        _headline(jpeg[0], size[0]),
        (
            _table("By JPEG quality.", jpeg, JPEG_TAR),
            _plot("JPEG quality", jpeg, JPEG_TAR, (0, 100)),
            _table("By picture size.", size, SIZE_TAR, sized=True),
            _plot("side of the face thumbnail in pixels", size, SIZE_TAR, (0, 270), by_face=True),
        ),
        (MEASURES, SIZES, *notes, training_differs(context), holdout_differs(context), lfw_differs()),
    )


def _runner(context: Context, on_picture: OnPicture) -> Callable[[Callable[..., Sweep], Material], Sweep]:
    return lambda sweep, material: sweep(
        material, context.embedder, workers=context.options.workers, on_photo=on_picture
    )


def _headline(jpeg: Sweep, size: Sweep) -> str:
    whole = jpeg.points[0].score.tar
    at = {point.value: point.score.tar for point in (*jpeg.points, *size.points)}
    return (
        f"VAL at FAR 1e-3 on faces/val, {percent(whole)} as they are: {percent(at[10])} at JPEG quality 10 "
        "(paper: 67.3 % "
        f"against 86.5 % at 90), {percent(at[40])} at 40 px (paper: 37.8 % against 86.4 % at 256 px)."
    )


def _table(
    caption: str, sweeps: tuple[Sweep, Sweep], printed: dict[int, float], *, sized: bool = False
) -> Table:
    val, lfw = sweeps
    rows = []
    for on_val, on_lfw in zip(val.points, lfw.points, strict=True):
        value = on_val.value
        row: list[Cell] = ["as they are" if value is None else f"{value:.0f}{' px' if sized else ''}"]
        row += [None if value is None else printed.get(int(value)), on_val.score.tar]
        row += [on_lfw.score.tar, (on_lfw.score.accuracy or 0.0, on_lfw.score.accuracy_se)]
        if sized:
            row += [f"{on_val.face_px} / {on_lfw.face_px}", _upsampled(on_val.upsampled, on_lfw.upsampled)]
        rows.append(tuple(row))
    columns = [
        Column("picture" if sized else "quality"), Column("paper: VAL", "percent", paper=True),
        Column("faces/val: VAL", "percent"), Column("LFW: VAL", "percent"), Column("LFW: accuracy", "percent"),
    ]  # fmt: skip
    if sized:
        columns += [Column("face px, val / LFW"), Column("upsampled")]
    return Table(caption, tuple(columns), tuple(rows))


def _upsampled(on_val: bool, on_lfw: bool) -> str:
    return " and ".join(name for name, marked in (("faces/val", on_val), ("LFW", on_lfw)) if marked)


def _plot(
    x_label: str,
    sweeps: tuple[Sweep, Sweep],
    printed: dict[int, float],
    limits: tuple[float, float],
    *,
    by_face: bool = False,
) -> Plot:
    paper = Series("paper", tuple(float(x) for x in printed), tuple(printed.values()), paper=True)
    ours = [
        _series(f"{name}, VAL at FAR {far}", sweep, by_face=by_face)
        for name, far, sweep in (("faces/val", "1e-3", sweeps[0]), ("LFW", "1e-2", sweeps[1]))
    ]
    said = " Sizes beyond a picture's own are left out here." if by_face else ""
    return Plot(
        f"VAL by {x_label}.{said}", x_label, "VAL", (paper, *ours), x_limits=limits, y_limits=(0.0, 1.0)
    )


def _series(name: str, sweep: Sweep, *, by_face: bool) -> Series:
    points = [
        (float(p.face_px if by_face else p.value), p.score.tar)
        for p in sweep.points
        if p.value is not None and p.score.tar is not None and not p.upsampled
    ]
    if by_face and sweep.points[0].score.tar is not None:
        points.append((float(sweep.points[0].face_px), sweep.points[0].score.tar))
    return Series(name, tuple(x for x, _ in points), tuple(y for _, y in points))


TABLE4 = Part(
    "table4",
    "Table 4: image quality",
    "VAL at FAR 1e-3 as pictures are compressed as JPEG and made smaller, without training on such pictures: "
    "little is lost down "
    "to quality 20 and 120 px, and it stays usable at 80 px.",
    make,
    ("model", "detector", "data"),
)
