"""The harmonic runs that a report was given, with the older model, the network alone and other ways beside each."""

import json
from dataclasses import dataclass
from pathlib import Path

from facespace.embed import Embedder
from facespace.reproduce.context import Context
from facespace.reproduce.part import OnPicture
from facespace.reproduce.runs import RunModel, open_run_model
from facespace.reproduce.versions import ModelVersions

__all__ = ["HarmonicPair", "find_pairs"]


@dataclass(frozen=True)
class HarmonicPair:
    """A harmonic run and what it is compared with.

    Attributes:
        run: of v2.
        models: v1, v2, v2's network alone where its run is still there, and runs that were distilled onto v1.
    """

    run: RunModel
    models: ModelVersions

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.run.name} (v1: {self.models.old.spec.name} {self.models.old.spec.version})"


def find_pairs(context: Context, on_picture: OnPicture) -> list[HarmonicPair]:
    """Each harmonic run whose older model is still where it was; runs distilled onto one stand beside the others of it.

    Raises:
        DataError, ModelError: a run or a model that cannot be read.
    """
    here = [run for run in context.harmonic_runs if run.old is not None and run.old.is_file()]
    pairs = []
    for run in here:
        if not has_combinations(run):
            continue
        distilled = {r.name: Embedder(r.model) for r in here if r.old == run.old and not has_combinations(r)}
        pairs.append(
            HarmonicPair(
                run, ModelVersions(Embedder(run.old), Embedder(run.model), _alone(run, context), distilled)
            )
        )
    return pairs


def has_combinations(run: RunModel) -> bool:
    """Whether the run made harmonic triplets; one without only learned from a teacher, such as v1 itself."""
    return bool(run.recipe["harmonic"].get("combinations"))


def _alone(run: RunModel, context: Context) -> Embedder | None:
    """The run that v2 began with: before its first stage, and before any harmonic run that it went on from."""
    recipe = run.recipe
    while recipe.get("harmonic", {}).get("old"):
        folder = Path(str(recipe.get("init", "")))
        if not (folder / "recipe.json").is_file():
            return None
        recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    alone = open_run_model(folder, context.cache.folder / "models")
    return None if alone is None else Embedder(alone.model)
