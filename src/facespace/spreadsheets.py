"""CSV as spreadsheet programs write it, read row by row; and cells that they take for text, not for formulas.

A table may begin with a byte-order mark or a `sep=;` line, have commas, semicolons or tabs between cells, and name its
columns in any letters.
"""

import codecs
import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facespace.errors import DataError, InputError
from facespace.saved_files import reason_of

# Called with one line of text for each row that cannot be used.
OnBroken = Callable[[str], None]

MAX_BYTES = 64_000_000
DELIMITERS = ",;\t"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What begins a formula (OWASP, CSV Injection), in the wide letters of East Asian keyboards too.
FORMULAS = ("names", "all", "keep")
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
SHOWN = 3


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file.

    Attributes:
        path: of the file.
        columns: as the first line names them, without blanks around them.
        rows: number of the line, cells without blanks around them, as many as columns.
        broken: rows that cannot be used: number of the line, reason.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    broken: tuple[tuple[int, str], ...]

    def select(self, *names: str) -> list[tuple[int, tuple[str, ...]]]:
        """The cells of some columns, named in any letters, with the line of each row.

        Raises:
            DataError: there is no such column, or two.
        """
        known = [column.casefold() for column in self.columns]
        if any(known.count(name.casefold()) != 1 for name in names):
            met = " ".join(",".join(self.columns).split())[:200]
            raise DataError(f"{self.path}: expected the columns {','.join(names)}, got {met}")
        places = [known.index(name.casefold()) for name in names]
        return [(line, tuple(cells[place] for place in places)) for line, cells in self.rows]


def read_table(path: Path) -> Table:
    """The rows of a CSV file in UTF-8, or in UTF-16 with a byte-order mark.

    Raises:
        DataError: no such file, larger than 64 MB, or no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DataError(f"{path}: expected a table of {MAX_BYTES / 1e6:g} MB at most")
        text = content.decode("utf-16" if content.startswith(UTF16) else "utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: expected a CSV file, it cannot be read: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: expected text in UTF-8; save the table as UTF-8") from error
    return _parse(path, text)


def _parse(path: Path, text: str) -> Table:
    lines, start = list(io.StringIO(text, newline="")), 0
    delimiter = max(DELIMITERS, key=(lines or [""])[0].count)
    if lines and lines[0].lower().startswith("sep="):
        delimiter, start = lines[0][4] if lines[0][4:5] in tuple(DELIMITERS) else delimiter, 1
    (_, columns, _), *found = list(_rows(lines[start:], delimiter, start + 1)) or [(0, [], "")]
    rows, broken = [], []
    for line, cells, reason in found:
        while len(cells) > len(columns) and not cells[-1]:
            cells.pop()
        if not reason and len(cells) != len(columns):
            reason = f"expected {len(columns)} cells, met {len(cells)}"
        if reason:
            broken.append((line, reason))
        else:
            rows.append((line, tuple(cells)))
    return Table(path, tuple(columns), tuple(rows), tuple(broken))


def _rows(lines: list[str], delimiter: str, first: int) -> Iterator[tuple[int, list[str], str]]:
    """Of each row that is not empty: the number of its first line, its cells, and why it is broken, if it is."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    while True:
        line, reason, cells = first + reader.line_num, "", [""]
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            reason = str(error)
        last = first + reader.line_num - 1
        if last > line:
            reason = f"a quotation mark is not closed up to line {last}"
        elif any("\0" in cell for cell in cells):
            reason = "a cell holds bytes that are no text"
        if reason or any(cells):
            yield line, cells, reason


def refuse_rows(path: Path, broken: list[tuple[int, str]], on_broken: OnBroken | None) -> None:
    """Report each broken row, or refuse the table where nobody asked for reports.

    Raises:
        DataError: there are broken rows and no ``on_broken``.
    """
    reasons = [f"line {line}: {reason}" for line, reason in sorted(broken)]
    if on_broken is None:
        if not reasons:
            return
        more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
        raise DataError(f"{path}: {'; '.join(reasons[:SHOWN])}{more}")
    for reason in reasons:
        on_broken(f"{path}, {reason}; the row is left out")


def check_formulas(formulas: str) -> None:
    """Refuse what `text_cells` does not know.

    Raises:
        InputError: it is none of `FORMULAS`.
    """
    if formulas not in FORMULAS:
        raise InputError(f"formulas: expected one of {', '.join(FORMULAS)}, got {formulas}")


def text_cells(
    columns: Sequence[str], cells: Sequence[object], formulas: str, *, names: Collection[str]
) -> list[object]:
    """The cells of a row, none of which a spreadsheet program takes for a formula.

    Args:
        columns: of the table.
        cells: as many.
        formulas: which cells are made text: of columns with ``names``, "all", or none ("keep").
        names: columns with names of people.
    """
    return [
        text_cell(cell)
        if isinstance(cell, str) and (formulas == "all" or (formulas == "names" and column in names))
        else cell
        for column, cell in zip(columns, cells, strict=True)
    ]


def text_cell(text: str) -> str:
    """A cell that a spreadsheet program takes for text: an apostrophe before what would be a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def cell_text(cell: str) -> str:
    """The text of a cell that `text_cell` wrote."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell
