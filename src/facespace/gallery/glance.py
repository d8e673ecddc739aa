"""What is in a gallery: everybody, how many templates of which models, and how it came to them."""

from dataclasses import dataclass
from typing import Any

from facespace.gallery.roster import Entry, Subject
from facespace.gallery.upgrading import Progress
from facespace.store import IndexState


@dataclass(frozen=True)
class Overview:
    """A gallery at a glance.

    Attributes:
        model: label of the gallery's model; None before the first enrolment.
        subjects: everybody, by name.
        templates: how many of each model, by its label.
        indexes: what a search of these rests on, likewise.
        progress: how many faces have a template of the gallery's model; None likewise.
        history: its lines, the oldest first.
    """

    model: str | None
    subjects: tuple[Subject, ...]
    templates: dict[str, int]
    indexes: dict[str, IndexState]
    progress: Progress | None
    history: tuple[Entry, ...]

    @property
    def n_faces(self) -> int:
        """Enrolled."""
        return sum(subject.n_faces for subject in self.subjects)

    def to_json(self) -> dict[str, Any]:
        """The document that `facespace gallery list --json` prints."""
        return {
            "model": self.model,
            "n_subjects": len(self.subjects),
            "n_faces": self.n_faces,
            "templates": self.templates,
            "indexes": {label: state.to_json() for label, state in self.indexes.items()},
            "progress": self.progress.to_json() if self.progress else None,
            "subjects": self.subjects,
            "history": [entry.line() for entry in self.history],
        }
