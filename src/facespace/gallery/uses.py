"""Which model a gallery uses: the last of those in its history."""

from pathlib import Path

from facespace.embed import Embedder
from facespace.errors import GalleryError, ModelError
from facespace.extract import FaceEmbedder
from facespace.gallery.roster import USE, Entry, Roster
from facespace.models import ModelSpec
from facespace.models.devices import AUTO
from facespace.store.candidates import moment_now


def model_in_use(roster: Roster) -> Entry | None:
    """The line that says which model is the gallery's; None before the first enrolment."""
    uses = [entry for entry in roster.history() if entry.action == USE]
    return uses[-1] if uses else None


def use_model(roster: Roster, spec: ModelSpec, file: str | Path | None = None) -> None:
    """Make ``spec``'s model the gallery's, with a line in its history unless it is so already.

    Raises:
        GalleryError: the file cannot be written.
    """
    with roster.transaction():
        now = model_in_use(roster)
        if now is None or now.spec.sha256 != spec.sha256 or (file is not None and now.file != str(file)):
            roster.templates.add_model(spec)
            roster.note(Entry(moment_now(), USE, spec, None if file is None else str(file)))


def current_spec(roster: Roster) -> ModelSpec:
    """The gallery's model.

    Raises:
        GalleryError: nobody is enrolled yet.
    """
    now = model_in_use(roster)
    if now is None:
        raise GalleryError(f"{roster.place}: expected a gallery with a model, nobody is enrolled yet")
    return now.spec


def check_model(roster: Roster, spec: ModelSpec) -> None:
    """Only faces by the gallery's own model are enrolled.

    Raises:
        GalleryError: it has another one.
    """
    now = model_in_use(roster)
    if now is not None and now.spec.sha256 != spec.sha256:
        raise GalleryError(
            f"{roster.place}: expected faces by the gallery's model {now.spec.label}, got {spec.label}; go "
            "over to it first: facespace gallery upgrade GALLERY --to MODEL"
        )


class UsingModel:
    """What a gallery does with its model."""

    roster: Roster

    def model(self) -> ModelSpec | None:
        """The gallery's model; None before the first enrolment."""
        now = model_in_use(self.roster)
        return None if now is None else now.spec

    def use_model(self, embedder: FaceEmbedder, *, model_file: str | Path | None = None) -> None:
        """Make a model that of a gallery without faces, before anybody is enrolled.

        Args:
            embedder: of the model.
            model_file: its name or file, for later commands.

        Raises:
            GalleryError: the gallery has another one.
        """
        check_model(self.roster, embedder.spec)
        use_model(self.roster, embedder.spec, model_file)

    def open_embedder(
        self, model: str | Path | None = None, *, threads: int = 1, device: str = AUTO
    ) -> Embedder:
        """The embedder to use here: ``model`` if given, else the gallery's own, else the built-in one.

        Raises:
            ModelError: no such model.
            GalleryError: where the gallery's model lay, there is another one now.
        """
        now = model_in_use(self.roster)
        if model is not None or now is None:
            return Embedder(model, threads=threads, device=device)
        try:
            embedder = Embedder(now.file, threads=threads, device=device)
        except ModelError as error:
            raise GalleryError(
                f"{self.roster.place}: cannot open the gallery's model {now.spec.label}; name its file: --model FILE "
                f"({error})"
            ) from error
        if embedder.spec.sha256 != now.spec.sha256:
            raise GalleryError(
                f"{self.roster.place}: expected the gallery's model {now.spec.label} at {now.file or 'hand'}, met "
                f"{embedder.spec.label}; name its file: --model FILE, or go over: facespace gallery upgrade"
            )
        return embedder
