"""The report's figures as Markdown, for docs/reproduction.md; pictures of people stay out of it."""

from pathlib import Path

from facespace.measure.registry import ENTRIES
from facespace.measure.report import Made, Report
from facespace.measure.result import NOT_RUN, Block, Pictures, Table, cell_text
from facespace.saved_files import write_beside

HEAD = """# Reproduction

Every table and figure of the paper (Schroff, Kalenichenko, Philbin, CVPR 2015) beside what facespace measures on the
available data. This page is written by

    {command}

and the same command writes the page with plots and pictures. Our numbers and the paper's may not be
compared as equals; each section says what differs.

- model: {report.model}, trained on: {report.training_data}
- detector: {report.detector}
- machine: {report.machine}{mode}

| | | outcome |
|---|---|---|
"""


def write_markdown(report: Report, out: Path, *, command: str) -> None:
    """Write the tables and headlines of all parts.

    Args:
        report: what `make_report` made.
        out: Markdown file; replaced in one step.
        command: that makes it, for the reader.

    Raises:
        WriteError: the file cannot be written.
    """
    mode = "; quick run: nothing was trained for it" if report.quick else ""
    head = HEAD.format(report=report, command=command, mode=mode)
    overview = [f"| {p.title} | {p.result.status} | {p.result.headline} |" for p in report.parts]
    sections = ["\n".join(_section(part)) for part in report.parts]
    write_beside(out, (head + "\n".join(overview) + "\n\n" + "\n".join(sections)).encode())


def experiments_table() -> str:
    """All experiments and what the paper says of each, for docs/measure.md."""
    rows = [f"| `{line.name}` | {line.title} | {line.load().paper} |" for line in ENTRIES]
    return "\n".join(["| name | what it measures | the paper |", "| --- | --- | --- |", *rows])


def _section(part: Made) -> list[str]:
    result = part.result
    lines = [f"## {part.title}", "", f"The paper: {part.paper}", ""]
    if result.status == NOT_RUN:
        lines += [f"**Not yet run.** {result.headline}", ""]
    else:
        lines += [f"**{result.headline}**", ""]
    for block in result.blocks:
        lines += _block(block)
    lines += [f"- {text}" for text in result.differs] + [""] * bool(result.differs)
    return lines + ([f"What is missing: `{result.remedy}`", ""] if result.remedy else [])


def _block(block: Block) -> list[str]:
    if isinstance(block, Table):
        return [block.caption, "", *table_lines(block), ""]
    if isinstance(block, Pictures):
        return [f"Pictures (on the page only): {block.caption}", ""]
    return []


def table_lines(table: Table) -> list[str]:
    """A table without its caption."""
    rows = [
        [cell_text(c, column) for c, column in zip(row, table.columns, strict=True)] for row in table.rows
    ]
    head = [f"| {' | '.join(column.name for column in table.columns)} |", f"|{'---|' * len(table.columns)}"]
    return head + [f"| {' | '.join(row)} |" for row in rows]
