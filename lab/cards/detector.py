"""The table of a detector's model card: its report beside the peers'."""

from collections.abc import Sequence

from lab.cards.card import Figures


def render_detectors(reports: Sequence[Figures]) -> str:
    """Reports of `facespace measure detector` as plain values, one a column, as a Markdown table."""
    first = reports[0]
    rows = [
        ("score threshold", [f"{r['score_threshold']:g}" for r in reports]),
        ("recall (95 %)", [_with_interval(r, "recall") for r in reports]),
        ("precision (95 %)", [_with_interval(r, "precision") for r in reports]),
    ]
    for size, n in first["n_by_size"].items():
        rows.append((f"recall, {size} px ({n} faces)", [f"{r['recall_by_size'][size]:.3f}" for r in reports]))
    rows += [
        ("false alarms in 100 faceless pictures", [f"{r['false_alarms_per_100']:.2f}" for r in reports]),
        (
            "landmark error, % of the eye distance (median)",
            [f"{r['landmark_error_pct']:.1f}" for r in reports],
        ),
        (
            f"of yunet_n's faces in group stills ({first['n_stills_faces']})",
            [f"{r['stills_found']:.3f}" for r in reports],
        ),
    ]
    for px in first["ms"]:
        rows.append(
            (f"time at {px} px, over the first's", [f"{r['ms'][px] / first['ms'][px]:.2f}" for r in reports])
        )
    lines = [f"| {what} | {' | '.join(values)} |" for what, values in rows]
    names = " | ".join(r["model"] for r in reports)
    note = (
        f"{first['n_photos']} photos held out by content hash (one in ten) with {first['n_faces']} labelled faces "
        f"that count and {first['n_ignored']} labels and regions that do not; {first['n_faceless']} faceless pictures "
        "(pieces of those photos, enlarged). Recall by size sees the photos at full, half and quarter size. "
        "Intervals resample photos. `facespace measure detector --data DIR`."
    )
    return "\n".join([f"| | {names} |", "|---" * (len(reports) + 1) + "|", *lines, "", note, ""])


def _with_interval(report: Figures, name: str) -> str:
    low, high = report[f"{name}_interval"]
    return f"{report[name]:.3f} ({low:.3f} to {high:.3f})"
