"""`facespace measure`: one command for each experiment of the registry, loaded when it is called, and the report."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from facespace.measure.registry import ENTRIES, HEADINGS, entry

__all__ = ["app", "evaluate"]

HELP = "Measure models: the usual protocols, and the paper's tables and figures."
REPORT, REPORT_TITLE = (
    "report",
    "Every table and figure of the paper, with its number beside ours, as one page",
)
# Former names under `facespace evaluate`; one that is not here kept its name.
OLD_NAMES: dict[str, str] = {}


class Commands(MutableMapping[str, Any]):
    """The commands by name, each made when it is asked for.

    Args:
        names: what is listed.
        renamed: former names.
    """

    def __init__(self, names: list[str], renamed: dict[str, str]) -> None:
        self.names, self.renamed = names, renamed
        self.made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self.made:
            if name not in self.names and name not in self.renamed:
                raise KeyError(name)
            self.made[name] = _load(self.renamed.get(name, name))
        return self.made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self.made[name] = command

    def __delitem__(self, name: str) -> None:
        del self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self.names, *self.made]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class MeasureGroup(TyperGroup):
    """Lists the experiments under headings without loading any."""

    renamed: ClassVar[dict[str, str]] = {}

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Commands([*(line.name for line in ENTRIES), REPORT], self.renamed)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list."""
        for heading in HEADINGS:
            if rows := [(line.name, line.title) for line in ENTRIES if line.heading == heading]:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        with formatter.section("All of it"):
            formatter.write_dl([(REPORT, REPORT_TITLE)])


class OldEvaluate(MeasureGroup):
    """`facespace evaluate NAME`, as it was called before."""

    renamed = OLD_NAMES


def _load(name: str) -> Any:
    if name == REPORT:
        return import_module("facespace.cli.measure_report").command()
    return import_module("facespace.cli.experiment").command(entry(name))


app = typer.Typer(cls=MeasureGroup, help=HELP, no_args_is_help=True, rich_markup_mode=None)
evaluate = typer.Typer(cls=OldEvaluate, help=HELP, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
@evaluate.callback()
def _group() -> None:
    """Measure models: the usual protocols, and the paper's tables and figures.

    Example: facespace measure holdout --data DIR
    """
