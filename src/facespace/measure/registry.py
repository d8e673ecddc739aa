"""The list of experiments: what `facespace measure` offers, in the report's order. Nothing here loads an experiment.

A new experiment is one file that ends with ``EXPERIMENT = Experiment(...)``, and one line here.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from facespace.errors import InputError

if TYPE_CHECKING:
    from facespace.measure.experiment import Experiment

__all__ = ["ENTRIES", "HEADINGS", "Entry", "by_heading", "entry", "load"]

PROTOCOLS, FIGURES, SWEEPS, TASKS = "Protocols", "Tables and figures of the paper", "Sweeps", "Tasks"
HEADINGS = (PROTOCOLS, FIGURES, SWEEPS, TASKS)


@dataclass(frozen=True)
class Entry:
    """One line of the list.

    Attributes:
        name: of the command.
        title: for people.
        heading: under which the command is listed.
        module: file of the experiment in `facespace.measure.experiments`; that of the name when absent.
        constant: of the experiment in its module.
    """

    name: str
    title: str
    heading: str
    module: str = ""
    constant: str = "EXPERIMENT"

    def load(self) -> "Experiment[Any]":
        """Import the experiment."""
        name = self.module or self.name.replace("-", "_")
        loaded: Experiment[Any] = getattr(
            import_module(f"facespace.measure.experiments.{name}"), self.constant
        )
        return loaded


ENTRIES = (
    Entry("holdout", "Section 4: hold-out set and personal photos", PROTOCOLS),
    Entry("lfw", "Section 5.6: Labeled Faces in the Wild", PROTOCOLS),
    Entry("youtube", "Section 5.7: YouTube Faces", PROTOCOLS),
    Entry("photos", "Section 4: personal photo collections", PROTOCOLS),
    Entry("leaks", "Identities that stand in two sets which should be disjoint", PROTOCOLS),
    Entry("identification", "Identification in a gallery, with unknown people", PROTOCOLS),
    Entry("gallery", "A gallery from photos: enrolled people found in other photos", TASKS),
    Entry("album", "Photos of known people, grouped and scored", TASKS),
    Entry("detector", "Face detectors side by side", TASKS),
    Entry("wider", "Average precision of face detectors, on WIDER FACE's layout", TASKS),
)


def by_heading() -> dict[str, list[Entry]]:
    """The lines of each heading that has any."""
    lines = {heading: [line for line in ENTRIES if line.heading == heading] for heading in HEADINGS}
    return {heading: found for heading, found in lines.items() if found}


def entry(name: str) -> Entry:
    """The line of an experiment.

    Raises:
        InputError: there is none of that name.
    """
    for found in ENTRIES:
        if found.name == name:
            return found
    raise InputError(f"experiment '{name}': expected one of {', '.join(e.name for e in ENTRIES)}")


def load(name: str) -> "Experiment[Any]":
    """The experiment of a name; errors as for `entry`."""
    return entry(name).load()
