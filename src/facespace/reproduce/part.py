"""A part of the report: one table, figure or statement of the paper, and how facespace makes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facespace.reproduce.blocks import NOT_RUN, Result

if TYPE_CHECKING:
    from facespace.reproduce.context import Context

__all__ = ["OnPicture", "Part", "not_run"]

OnPicture = Callable[[int, int], None]


@dataclass(frozen=True)
class Part:
    """One unit of the report; a new capability adds its own to `facespace.reproduce.parts.PARTS`.

    Attributes:
        name: on the command line, such as "table4".
        title: as the paper's heading.
        paper: what the paper did, in a sentence or two.
        make: measures; its second argument follows along with (done, in all).
        needs: what the result depends on, out of "model", "detector", "data", "runs" and "quick": a cached result
            holds while these are the same.
        version: raised when `make` changes so that older results no longer hold.
    """

    name: str
    title: str
    paper: str
    make: "Callable[[Context, OnPicture], Result]"
    needs: tuple[str, ...] = ("model", "data")
    version: int = 1


def not_run(headline: str, *, remedy: str = "", differs: tuple[str, ...] = ()) -> Result:
    """A part that facespace cannot make yet, or not in this run."""
    return Result(NOT_RUN, headline, differs=differs, remedy=remedy)
