"""The list of experiments: what `facespace measure` offers, in the report's order. Nothing here loads an experiment.

A new experiment is one file with a function ``run`` that `experiment` decorates, and one line here.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from facespace.errors import InputError

if TYPE_CHECKING:
    from facespace.measure.experiment import Experiment

PROTOCOLS, FIGURES, SWEEPS, TASKS = "Protocols", "Tables and figures of the paper", "Sweeps", "Tasks"
HEADINGS = (PROTOCOLS, FIGURES, SWEEPS, TASKS)


@dataclass(frozen=True)
class Entry:
    """One line of the list."""

    name: str  # of the command
    title: str  # for people
    heading: str  # under which the command is listed
    # file in `facespace.measure.experiments` of several experiments, whose function has this one's name; an experiment
    # alone is `run` in the file of its name
    module: str = ""
    listed: bool = True  # a command of its own; else it is made by `facespace measure report --only NAME`

    def load(self) -> "Experiment":
        """Import the experiment."""
        name = self.name.replace("-", "_")
        module = import_module(f"facespace.measure.experiments.{self.module or name}")
        loaded: Experiment = getattr(module, name if self.module else "run")
        return loaded


ENTRIES = (
    Entry("figure1", "Figure 1: distances under pose and light", FIGURES, listed=False),
    Entry("table1", "Table 1: NN1", FIGURES, "networks", listed=False),
    Entry("table2", "Table 2: NN2", FIGURES, "networks", listed=False),
    Entry("holdout", "Section 4: hold-out set and personal photos", PROTOCOLS),
    Entry("photos", "Section 4: personal photo collections", PROTOCOLS),
    Entry("alignment", "Section 4: alignment against the plain crop", SWEEPS, listed=False),
    Entry(
        "figure4",
        "Figure 4: multiply-adds against accuracy",
        FIGURES,
        "architectures",
        listed=False,
    ),
    Entry("table3", "Table 3: network architectures", FIGURES, "architectures", listed=False),
    Entry("figure5", "Figure 5: ROC of the networks", FIGURES, "architectures", listed=False),
    Entry("models", "Several models on the same faces", SWEEPS, "architectures"),
    Entry("table4", "Table 4: image quality", FIGURES),
    Entry("resolution", "Section 5.4: training with low-resolution faces", SWEEPS, "trained", listed=False),
    Entry("table5", "Table 5: embedding dimension", FIGURES, "trained", listed=False),
    Entry("bytes", "Section 5.5: an embedding in 128 bytes", SWEEPS),
    Entry("quality", "Faces of little quality dropped", SWEEPS),
    Entry("table6", "Table 6: number of training images", FIGURES, "trained", listed=False),
    Entry("lfw", "Section 5.6: Labeled Faces in the Wild", PROTOCOLS),
    Entry("figure6", "Figure 6: errors on LFW", FIGURES, listed=False),
    Entry("cross-age", "Pairs of people at different ages", PROTOCOLS),
    Entry("false-accepts", "False accepts by age, sex and origin", PROTOCOLS),
    Entry("youtube", "Section 5.7: YouTube Faces", PROTOCOLS),
    Entry("leaks", "Identities that stand in two sets which should be disjoint", PROTOCOLS),
    Entry("figure7", "Figure 7: face clustering", FIGURES, listed=False),
    Entry("album", "Photos of known people, grouped and scored", TASKS),
    Entry("clustering", "Section 5.7: clustering at size", TASKS),
    Entry("identification", "Identification in a gallery, with unknown people", PROTOCOLS),
    Entry("gallery", "A gallery from photos: enrolled people found in other photos", TASKS),
    Entry("detector", "Face detectors side by side", TASKS),
    Entry("wider", "Average precision of face detectors, on WIDER FACE's layout", TASKS),
    Entry("harmonic", "A newer model against an older one", TASKS, "harmonic"),
    Entry("figure8", "Figure 8: ROC of harmonic embeddings", FIGURES, "harmonic", listed=False),
    Entry("figure9", "Figure 9: harmonic triplets", FIGURES, listed=False),
    Entry("figure10", "Figure 10: the shared space", FIGURES, listed=False),
)


def by_heading() -> dict[str, list[Entry]]:
    """The commands of each heading."""
    return {heading: [e for e in ENTRIES if e.heading == heading and e.listed] for heading in HEADINGS}


def entry(name: str) -> Entry:
    """The line of an experiment.

    Raises:
        InputError: there is none of that name.
    """
    for found in ENTRIES:
        if found.name == name:
            return found
    raise InputError(f"experiment '{name}': expected one of {', '.join(e.name for e in ENTRIES)}")


def load(name: str) -> "Experiment":
    """The experiment of a name; errors as for `entry`."""
    return entry(name).load()
