"""Which model a gallery uses, which it used before, and what was dropped: the lines of its history."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from facespace.embed import Embedder
from facespace.errors import GalleryError, ModelError
from facespace.gallery.roster import Roster
from facespace.models import ModelSpec

__all__ = ["Entry", "current_spec", "history", "model_in_use", "note_drop", "open_embedder", "use_model"]

USE, DROP = "use", "drop"


@dataclass(frozen=True)
class Entry:
    """A line of a gallery's history.

    Attributes:
        moment: ISO 8601, UTC.
        action: "use": the model became the gallery's; "drop": its superseded templates were dropped.
        spec: of the model.
        file: of "use": the model's name or file; None where only embeddings came.
        n_templates: of "drop": how many; else None.
    """

    moment: str
    action: str
    spec: ModelSpec
    file: str | None
    n_templates: int | None

    def line(self) -> str:
        """For people."""
        if self.action == DROP:
            return f"{self.moment}: {self.n_templates} templates of {self.spec.label} dropped"
        return f"{self.moment}: {self.spec.label} became the gallery's model"


def history(roster: Roster) -> list[Entry]:
    """All lines, the oldest first."""
    with roster.database.snapshot():
        specs = {spec.sha256: spec for spec in roster.templates.models()}
        rows = roster.rows(
            "SELECT moment, action, sha256, file, n_templates FROM history JOIN models USING (model_id)"
            " ORDER BY entry_id"
        )
    return [Entry(r["moment"], r["action"], specs[r["sha256"]], r["file"], r["n_templates"]) for r in rows]


def model_in_use(roster: Roster) -> Entry | None:
    """The line that says which model is the gallery's; None before the first enrolment."""
    uses = [entry for entry in history(roster) if entry.action == USE]
    return uses[-1] if uses else None


def use_model(roster: Roster, spec: ModelSpec, file: str | Path | None = None) -> None:
    """Make ``spec``'s model the gallery's, with a line in its history unless it is so already.

    Raises:
        GalleryError: the file cannot be written.
    """
    with roster.database.transaction():
        now = model_in_use(roster)
        if now is None or now.spec.sha256 != spec.sha256 or (file is not None and now.file != str(file)):
            roster.templates.add_model(spec)
            _write(roster, USE, spec, file=None if file is None else str(file))


def current_spec(roster: Roster) -> ModelSpec:
    """The gallery's model.

    Raises:
        GalleryError: nobody is enrolled yet.
    """
    now = model_in_use(roster)
    if now is None:
        raise GalleryError(f"{roster.path}: expected a gallery with a model, nobody is enrolled yet")
    return now.spec


def note_drop(roster: Roster, spec: ModelSpec, n_templates: int) -> None:
    """Add the line that says how many templates of a model were dropped."""
    _write(roster, DROP, spec, n_templates=n_templates)


def open_embedder(roster: Roster, model: str | Path | None = None, *, threads: int = 1) -> Embedder:
    """The embedder to use with a gallery: ``model`` if given, else the gallery's own, else the built-in one.

    Raises:
        ModelError: no such model.
        GalleryError: where the gallery's model lay, there is another one now.
    """
    now = model_in_use(roster)
    if model is not None or now is None:
        return Embedder(model, threads=threads)
    try:
        embedder = Embedder(now.file, threads=threads)
    except ModelError as error:
        raise GalleryError(
            f"{roster.path}: cannot open the gallery's model {now.spec.label}; name its file: --model FILE "
            f"({error})"
        ) from error
    if embedder.spec.sha256 != now.spec.sha256:
        raise GalleryError(
            f"{roster.path}: expected the gallery's model {now.spec.label} at {now.file or 'hand'}, met "
            f"{embedder.spec.label}; name its file: --model FILE, or go over: facespace gallery upgrade"
        )
    return embedder


def _write(
    roster: Roster, action: str, spec: ModelSpec, *, file: str | None = None, n_templates: int | None = None
) -> None:
    with roster.database.transaction() as connection:
        connection.execute(
            "INSERT INTO history (moment, action, model_id, file, n_templates)"
            " SELECT ?, ?, model_id, ?, ? FROM models WHERE sha256 = ?",
            (datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), action, file, n_templates, spec.sha256),
        )
