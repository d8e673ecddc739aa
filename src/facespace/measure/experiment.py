"""What an experiment is: a function of a context and of options that gives a result, and what the paper says of it.

Its signature is its command: each keyword of the function, annotated with an `Option`, is an option of `facespace
measure NAME`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from facespace.measure.result import Result


@dataclass(frozen=True)
class Option:
    """How a keyword is given on the command line; its name, type and default are those of the function."""

    help: str
    argument: bool = False  # a positional argument
    flag: str = ""  # such as "--frames"; made from the keyword when absent
    min: float | None = None  # least value
    max: float | None = None  # largest value


@dataclass(frozen=True)
class Experiment:
    """One measurement: a table or figure of the paper, a protocol, or a sweep."""

    run: Callable[..., Result]  # measures, given the context and, by keyword, its options
    paper: str  # what the paper did, in a sentence or two
    # fields of `facespace.measure.context.Setup` that the result depends on: they are offered as options, and a kept
    # result holds while what they name is the same
    needs: tuple[str, ...] = ("data", "model", "workers")
    example: str = "--data DIR"  # arguments to show in the help, after `facespace measure NAME`
    report: Mapping[str, Any] | None = None  # options by which the report runs it; None: it is no part of it
    version: int = 1  # raised when `run` changes so that older results no longer hold

    def __call__(self, context: Any, **options: Any) -> Result:
        """Measure; errors are those of the experiment."""
        return self.run(context, **options)


def experiment(paper: str, **facts: Any) -> Callable[[Callable[..., Result]], Experiment]:
    """Make a function an `Experiment`, of which ``facts`` are further fields."""
    return lambda run: Experiment(run, paper, **facts)
