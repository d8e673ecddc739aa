"""What an experiment is: a name, what the paper says, options, and a function from options and context to a result."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, Generic, TypeVar

from facespace.measure.context import Context
from facespace.measure.result import Result

__all__ = ["Experiment", "NoOptions", "field_docs", "option"]

Options = TypeVar("Options")


@dataclass(frozen=True)
class Experiment(Generic[Options]):
    """One measurement: a table or figure of the paper, a protocol, or a sweep.

    Attributes:
        paper: what the paper did, in a sentence or two.
        run: measures.
        options: a frozen dataclass with a default for each field; its "Attributes:" become the command's help.
        needs: fields of `facespace.measure.context.Setup` that the result depends on; they are offered as options, and
            a kept result holds while what they name is the same.
        example: arguments to show in the help, after `facespace measure NAME`.
        report: options by which the report runs it, by name; None where it is no part of the report.
        version: raised when `run` changes so that older results no longer hold.
    """

    paper: str
    run: Callable[[Options, Context], Result]
    options: type[Options]
    needs: tuple[str, ...] = ("data", "model")
    example: str = "--data DIR"
    report: Mapping[str, Any] | None = None
    version: int = 1


@dataclass(frozen=True)
class NoOptions:
    """An experiment without options."""


def option(
    default: Any = MISSING,
    *,
    argument: bool = False,
    flag: str = "",
    min: float | None = None,
    max: float | None = None,
) -> Any:
    """A field of an options class that needs more than a default.

    Args:
        default: where it is not given; an argument without one is required.
        argument: a positional argument on the command line.
        flag: name on the command line, such as "--frames"; made from the field's name when absent.
        min: least value.
        max: largest value.
    """
    return field(default=default, metadata={"argument": argument, "flag": flag, "min": min, "max": max})


def field_docs(options: type[Any]) -> dict[str, str]:
    """What the docstring of a dataclass says of its fields, under "Attributes:"."""
    _, _, attributes = (options.__doc__ or "").partition("Attributes:")
    entries = re.split(r"\n {8}(?=\w+: )", attributes)
    pairs = (entry.partition(": ") for entry in entries if ": " in entry)
    return {name.strip(): " ".join(text.split()) for name, _, text in pairs}
