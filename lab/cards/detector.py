"""The figures of a detector's model card: its report beside the peers', as `facespace measure detector` shows them."""

from typing import Any

from facespace.measure.context import Context
from facespace.measure.experiments.detector import DetectionReport, compare, evaluate_detector
from facespace.measure.markdown import table_lines
from facespace.measure.result import Table, plain


def measure_detectors(context: Context) -> Any:
    """The built-in detector and the peers, as plain JSON values."""
    return plain(evaluate_detector(context.data, on_step=context.on_step))


def render_detectors(reports: Any) -> str:
    """The reports as a Markdown table, one a column."""
    result = compare([DetectionReport(**report) for report in reports])
    table = result.blocks[0]
    assert isinstance(table, Table)
    note = f"{result.differs[0]} `facespace measure detector --data DIR`."
    return "\n".join([*table_lines(table), "", note, ""])
