"""What an experiment is: what the paper says, options, and a function from options and context to a result."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any

from facespace.measure.result import Result


@dataclass(frozen=True)
class Experiment:
    """One measurement: a table or figure of the paper, a protocol, or a sweep."""

    paper: str  # what the paper did, in a sentence or two
    run: Callable[..., Result]  # measures, given a frozen dataclass of options and the context
    # fields of `facespace.measure.context.Setup` that the result depends on: they are offered as options, and a kept
    # result holds while what they name is the same
    needs: tuple[str, ...] = ("data", "model", "workers")
    example: str = "--data DIR"  # arguments to show in the help, after `facespace measure NAME`
    report: Mapping[str, Any] | None = None  # options by which the report runs it; None: it is no part of it
    version: int = 1  # raised when `run` changes so that older results no longer hold

    @property
    def options(self) -> type[Any]:
        """The class of the options, whose fields are made by `option`: what the first argument of `run` is."""
        first: type[Any] = next(iter(inspect.signature(self.run).parameters.values())).annotation
        return first


def option(
    default: Any = MISSING,
    help: str = "",
    *,
    argument: bool = False,
    flag: str = "",
    min: float | None = None,
    max: float | None = None,
) -> Any:
    """A field of an options class.

    Args:
        default: where it is not given; an argument without one is required.
        help: for the command line.
        argument: a positional argument on the command line.
        flag: name on the command line, such as "--frames"; made from the field's name when absent.
        min: least value.
        max: largest value.
    """
    limits = {name: limit for name, limit in (("min", min), ("max", max)) if limit is not None}
    return field(
        default=default, metadata={"help": help, "argument": argument, "flag": flag, "limits": limits}
    )


@dataclass(frozen=True)
class NoOptions:
    """An experiment without options."""
