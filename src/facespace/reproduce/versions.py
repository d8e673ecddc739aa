"""Models and pictures to the comparison of Figure 8: embed the faces, fit the maps, evaluate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.embed import Embedder
from facespace.errors import MissingExtraError
from facespace.evaluate.defaults import N_SPLITS
from facespace.evaluate.harmonic import HarmonicResult, RowMap, Versions, evaluate_harmonic
from facespace.evaluate.holdout import HoldoutFaces
from facespace.evaluate.sweeps import HoldoutMaterial, embed_views, open_holdout
from facespace.reproduce.blocks import Series

__all__ = ["ModelVersions", "RowsOf", "compare_versions", "roc_series"]

OnPhoto = Callable[[int, int], None]
# A model, faces and what they are called -> unit rows (N, D).
RowsOf = Callable[[Embedder, HoldoutMaterial, str], NDArray[np.float32]]


@dataclass(frozen=True)
class ModelVersions:
    """An older model, a newer one trained to meet it, the same network alone, and further newer ones by name."""

    old: Embedder
    new: Embedder
    alone: Embedder | None = None
    others: Mapping[str, Embedder] = field(default_factory=dict)


def compare_versions(
    models: ModelVersions,
    data: Path,
    *,
    fit_on: int = 10_000,
    n_splits: int = N_SPLITS,
    rows_of: RowsOf | None = None,
    on_photo: OnPhoto | None = None,
) -> HarmonicResult:
    """Compare the versions on `data/faces/val`, with maps fitted on `data/faces/train`.

    Args:
        models: by which the faces are embedded.
        data: the data sets' folder.
        fit_on: training faces for the maps from the older model to the newer network alone; 0 for no maps.
        n_splits: disjoint splits of the identities.
        rows_of: embeds faces, from a cache perhaps; all cores and no cache when absent.
        on_photo: called with (done, in all) for each model.

    Raises:
        MissingExtraError: maps are asked for, and there is no torch.
        DataError: pictures are missing.
        InputError: embeddings of different dimensions.
    """
    embed = rows_of or (lambda model, faces, _: embed_views(faces, model, on_photo=on_photo)[0])
    val = open_holdout(data / "faces" / "val")
    maps: dict[str, RowMap] = {}
    fitted_on = 0
    if models.alone is not None and fit_on:
        need_torch()
        from facespace.training.maps import fit_maps

        train = open_holdout(data / "faces" / "train").every(fit_on)
        maps = fit_maps(embed(models.old, train, "train"), embed(models.alone, train, "train"))
        fitted_on = len(train.paths)

    def faces(model: Embedder) -> HoldoutFaces:
        return val.faces(embed(model, val, "val"))

    versions = Versions(
        faces(models.old),
        faces(models.new),
        faces(models.alone) if models.alone else None,
        {name: faces(model) for name, model in models.others.items()},
    )
    return evaluate_harmonic(versions, maps=maps, fitted_on=fitted_on, n_splits=n_splits)


def roc_series(result: HarmonicResult) -> list[Series]:
    """The curves of Figure 8: v2-v2, v2-v1 and v1-v1, and v2 alone where it was measured."""
    names = ("v2-v2", "v2-v1", "v1-v1", "alone-alone")
    known = [score for name in names for score in result.scores if score.name == name]
    return [Series(score.name, score.curve_far, score.curve_tar) for score in known]


def need_torch() -> None:
    """Fail before the work.

    Raises:
        MissingExtraError: torch is not installed.
    """
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingExtraError("fitting maps", "train")
