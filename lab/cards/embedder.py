"""Every figure of an embedder's model card, measured in one go, and the table that shows them."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from facespace.measure.context import Context
from facespace.measure.experiments import album, bytes, false_accepts, holdout, lfw, quality
from facespace.measure.result import plain
from facespace.measure.speed import time_embedder
from facespace.models.summary import summarise
from lab.cards.card import Figures
from lab.cards.cross_fit import cross_fit

BASELINE = Path("peers") / "mobilefacenet.onnx"


def measure_embedder(context: Context, *, on_part: Callable[[str], None] = lambda _: None) -> Figures:
    """Every figure of an embedder's card, as plain JSON values.

    Args:
        context: its data folder holds `faces`, `lfw`, `albums/people` and `peers/mobilefacenet.onnx`.
        on_part: called with the name of each part as it begins.

    Raises:
        DataError: one of them is missing.
    """
    embedder = context.embedder
    spec, summary = embedder.spec, summarise(embedder.path)

    def figures_of(experiment: ModuleType, **options: Any) -> Figures:
        found: Figures = experiment.run(context, **options).figures
        return found

    def speed() -> Figures:
        milliseconds, ratio = time_embedder(embedder, context.data / BASELINE)
        return {"embed_ms": milliseconds, "embed_ratio": ratio, "baseline": BASELINE.name}

    figures: Figures = {
        "model": spec.name,
        "version": spec.version,
        "sha256": spec.sha256,
        "detector": context.detector.spec.label,
        "weights": summary.weights,
        "multiply_adds": summary.multiply_adds,
        "input_hw": list(spec.input_hw),
        "file_bytes": embedder.path.stat().st_size,
    }
    parts: dict[str, Callable[[], Any]] = {
        "holdout": lambda: figures_of(holdout),
        "cross_fit": lambda: cross_fit(context.embedded(context.holdout)),
        "bytes": lambda: figures_of(bytes, on="val")["byte_form"],
        "quality": lambda: figures_of(quality),
        "lfw": lambda: figures_of(lfw),
        "lfw_centre": lambda: figures_of(lfw, mode="centre"),
        "false_accepts": lambda: figures_of(false_accepts),
        "album": lambda: figures_of(album),
        "speed": speed,
    }
    for name, measure in parts.items():
        on_part(name)
        figures[name] = plain(measure())
    return figures


def render_embedder(figures: Figures) -> str:
    """The figures as a Markdown table, each row with the command that gives it alone."""
    name = str(figures["model"])
    option = "" if name == "facespace-s" else f" --model {name}"
    parts = (_size_rows, _holdout_rows, _use_rows, _form_rows, _group_rows)
    rows = [row for part in parts for row in part(figures)]
    lines = [f"| {what} | {value} | {_command(by, name, option)} |" for what, value, by in rows]
    h, c = figures["holdout"], figures["cross_fit"][0]
    notes = (
        f"`faces/val`: {h['n_faces']:,} faces of {h['n_identities']} people, {h['n_same']:,} pairs of the same and "
        f"{h['n_diff']:,} of different people; {h['split_pairs'][1]:,} different pairs in the five splits together; "
        f"{c['n_same']:,} and {c['n_diff']:,} pairs within its halves. Intervals resample people. LFW has "
        f"{figures['lfw']['n_folds']} of its ten folds here, {figures['lfw']['n_same']:,} pairs of each kind. "
        f"Faces were found by {figures['detector']}."
    )
    return "\n".join(["| what | figure | command |", "|---|---|---|", *lines, "", notes, ""])


def _command(by: str, name: str, option: str) -> str:
    return f"`facespace {by if name in by else by + option}`" if by else ""


def _size_rows(figures: Figures) -> list[tuple[str, str, str]]:
    rows, columns = figures["input_hw"]
    size = (
        f"{figures['weights']:,} weights, {figures['multiply_adds'] / 1e6:.1f}M multiply-adds at {rows}x{columns}, "
        f"{figures['file_bytes'] / 1e6:.2f} MB"
    )
    ratio = f"{figures['speed']['embed_ratio']:.2f} times its time"
    return [
        ("size", size, "models show " + figures["model"]),
        ("a face on one thread, beside a published MobileFaceNet", ratio, "bench PHOTOS --baseline PEER"),
    ]


def _holdout_rows(figures: Figures) -> list[tuple[str, str, str]]:
    tar, interval = figures["holdout"]["tar"], figures["holdout"]["interval"]
    rows = []
    for key in (key for key, value in tar.items() if value["all"] is not None):
        low, high = interval[key]["low"], interval[key]["high"]
        value = f"{_percent(tar[key]['all'])} ({100 * low:.1f} to {100 * high:.1f})"
        rows.append((f"VAL at FAR {key}, all pairs (95 %)", value, "measure holdout"))
    split = tar["1e-3"]
    rows.append((
        "VAL at FAR 1e-3, half against half of five splits",
        f"{100 * split['mean']:.1f} +- {_percent(split['se'])}",
        "measure holdout",
    ))  # fmt: skip
    for row in figures["cross_fit"]:
        low, high = row["tar_interval"]
        value = f"{_percent(row['tar'])} ({100 * low:.1f} to {100 * high:.1f}); FAR met: {row['far_met']:.1e}"
        what = f"VAL at FAR {row['far']:.0e}, threshold from the other half of the people"
        rows.append((what, value, ""))
    return [(what.replace("e-0", "e-"), value.replace("e-0", "e-"), by) for what, value, by in rows]


def _use_rows(figures: Figures) -> list[tuple[str, str, str]]:
    album, rows = figures["album"], []
    for key, crop in (("lfw", "our detector and alignment"), ("lfw_centre", "fixed centre crop")):
        lfw = figures[key]
        value = f"{100 * lfw['accuracy_mean']:.2f} +- {_percent(lfw['accuracy_se'], 2)}"
        command = "measure lfw" + (" --mode centre" if key == "lfw_centre" else "")
        rows.append((f"LFW, {crop}", value, command))
    pairwise = ", ".join(f"{album['pairwise'][part]:.3f}" for part in ("precision", "recall", "f1"))
    rows.append((
        f"album of 30 people, {album['n_photos']} photos: pairwise precision, recall, F1", pairwise,
        "measure album DIR/albums/people --labels DIR/albums/people/labels.csv",
    ))  # fmt: skip
    best = f"{album['bcubed']['f1']:.3f}; best pairwise F1 {album['best_f1']:.3f}"
    rows.append(("the same, BCubed F1; at its best threshold", best, ""))
    return rows


def _form_rows(figures: Figures) -> list[tuple[str, str, str]]:
    form, quality = figures["bytes"], figures["quality"]
    change = _points(form["tar_bytes"] - form["tar_floats"], form["change"])
    gain = _points(quality["gain"], quality["gain_interval"])
    return [
        ("bytes in place of floats, VAL at FAR 1e-3 (95 %)", change, "measure bytes"),
        ("dropping the worst tenth by quality, more than a random tenth (95 %)", gain, "measure quality"),
    ]


def _group_rows(figures: Figures) -> list[tuple[str, str, str]]:
    """How often the stated rate is exceeded within each group by age and origin."""
    rows = []
    for kind in ("age", "origin"):
        groups = [
            g for g in figures["false_accepts"]["groups"] if g["kind"] == kind and g["first"] == g["second"]
        ]
        value = ", ".join(f"{g['first']} {g['times']:.1f}" for g in groups)
        rows.append((
            f"two people of one {kind} taken for one, times the stated FAR 1e-3", value, "measure false-accepts"
        ))  # fmt: skip
    return rows


def _points(value: float, interval: dict[str, float]) -> str:
    low, high = (100 * interval[end] for end in ("low", "high"))
    return f"{100 * value:+.2f} points ({low:+.2f} to {high:+.2f})"


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"
