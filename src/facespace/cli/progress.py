"""Tables on stdout and progress bars on stderr, drawn by rich."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import Task as RichTask
from rich.table import Table
from rich.text import Text

from facespace.cli.console import readable

# A file or pipe has no width to keep to.
WIDE = 1000

console = Console(highlight=False, soft_wrap=True)
messages = Console(stderr=True, highlight=False, soft_wrap=True)


class RateColumn(TextColumn):
    """How many a second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: RichTask) -> Text:
        """The task's speed, empty before it is known."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


@contextmanager
def progress(what: str) -> Iterator[Callable[..., None]]:
    """A bar on stderr; yields a function to call with (done, in all). Silent where stderr is no terminal.

    A third argument, a few words, takes the place of ``what``.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total, now=what: bar.update(
            task, completed=done, total=total, description=readable(now)
        )


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """A table on stdout.

    Args:
        columns: their headings.
        rows: a cell for each column.
        right: the columns whose cells stand at the right, such as numbers.
    """
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in right else "left")
    for row in rows:
        table.add_row(*(Text(readable(cell)) for cell in row))
    (console if console.is_terminal else Console(highlight=False, width=WIDE)).print(table)
