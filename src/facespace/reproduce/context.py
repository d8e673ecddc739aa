"""What parts share: the options, the models, and pictures and embeddings that are made once and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.embed import Embedder
from facespace.evaluate.sweeps import (
    TRAINING_FACES,
    HoldoutMaterial,
    LfwMaterial,
    Material,
    embed_views,
    open_holdout,
    open_lfw,
)
from facespace.faces.detect import Detector
from facespace.reproduce.cache import Cache
from facespace.reproduce.part import OnPicture
from facespace.reproduce.runs import RunModel, find_runs

__all__ = ["Context", "Options"]


@dataclass(frozen=True)
class Options:
    """What a report is made of.

    Attributes:
        data: the data sets' folder.
        model: embedder by name or path; None for the built-in one.
        detector: likewise.
        runs: folder of run folders of trained networks; None for none.
        quick: train nothing and cluster no large sets; what is not trained already stays "not yet run".
        budget: faces that each run of a trained sweep sees, repeated ones counted each time.
        device: torch's name of where sweeps are trained.
        workers: threads; all cores when absent.
    """

    data: Path
    model: str | None = None
    detector: str | None = None
    runs: Path | None = None
    quick: bool = False
    budget: int = 200_000
    device: str = "cpu"
    workers: int | None = None


class Context:
    """The models and pictures of one report; everything costly is made at first use and kept in ``cache``.

    Args:
        options: what to report on.
        cache: where embeddings are kept.

    Raises:
        ModelError: no such model.
    """

    def __init__(self, options: Options, cache: Cache) -> None:
        self.options, self.cache, self.data = options, cache, options.data
        self.embedder, self.detector = Embedder(options.model), Detector(options.detector)

    @cached_property
    def holdout(self) -> HoldoutMaterial:
        """The validation faces."""
        return open_holdout(self.data / "faces" / "val")

    @property
    def sweeps_folder(self) -> Path:
        """Where the trained sweeps' runs lie: in the runs' folder, else beside the report."""
        return (self.options.runs or self.cache.folder) / "sweeps"

    @cached_property
    def _all_runs(self) -> list[RunModel]:
        if self.options.runs is None:
            return []
        return find_runs(self.options.runs, self.cache.folder / "models")

    @property
    def runs(self) -> list[RunModel]:
        """The networks trained by themselves that the report was given, exported."""
        return [run for run in self._all_runs if run.old is None]

    @property
    def harmonic_runs(self) -> list[RunModel]:
        """Those that were trained to meet an older model, exported."""
        return [run for run in self._all_runs if run.old is not None]

    @property
    def sweep_runs(self) -> list[RunModel]:
        """The finished runs of trained sweeps, exported."""
        if not self.sweeps_folder.is_dir():
            return []
        return find_runs(self.sweeps_folder, self.cache.folder / "models")

    def lfw(self, on_picture: OnPicture) -> LfwMaterial:
        """LFW with the face of each picture found."""
        if self._lfw is None:
            root = self.data / "lfw"
            self._lfw = open_lfw(root, self.detector, workers=self.options.workers, on_photo=on_picture)
        return self._lfw

    _lfw: LfwMaterial | None = None

    def holdout_rows(self, on_picture: OnPicture, embedder: Embedder | None = None) -> NDArray[np.float32]:
        """Embeddings (N, D) of the validation faces, by the report's model or another."""
        return self._rows("val", self.holdout, on_picture, embedder=embedder)

    def lfw_rows(self, on_picture: OnPicture) -> NDArray[np.float32]:
        """Embeddings (N, D) of LFW's pictures, each cropped where its face was found."""
        return self._rows("lfw", self.lfw(on_picture), on_picture, detector=self.detector.spec.sha256)

    @cached_property
    def lfw_centre(self) -> LfwMaterial:
        """LFW with one fixed crop for all pictures."""
        return open_lfw(self.data / "lfw", None, workers=self.options.workers)

    def lfw_centre_rows(self, on_picture: OnPicture) -> NDArray[np.float32]:
        """Embeddings (N, D) of LFW's pictures by that crop."""
        return self._rows("lfw-centre", self.lfw_centre, on_picture)

    def training_rows(self, on_picture: OnPicture) -> NDArray[np.float32]:
        """Embeddings (M, D) of every so many-th training face, for what must be fitted on other people."""
        faces = open_holdout(self.data / "faces" / "train").every(TRAINING_FACES)
        return self._rows("train", faces, on_picture)

    def rows_of(
        self, embedder: Embedder, faces: HoldoutMaterial, name: str, on_picture: OnPicture
    ) -> NDArray[np.float32]:
        """Embeddings (N, D) of faces by any model; ``name`` of the set, with its size, is what they are kept by."""
        return self._rows(f"{name}-{len(faces.paths)}", faces, on_picture, embedder=embedder)

    def relative(self, path: Path) -> str:
        """A path below the data folder, for results."""
        return path.relative_to(self.data).as_posix()

    def facts(self, needs: Sequence[str]) -> dict[str, Any]:
        """What a result depends on, as plain values."""
        known: dict[str, Any] = {
            "model": self.embedder.spec.sha256,
            "detector": self.detector.spec.sha256,
            "data": str(self.data.resolve()),
            "quick": self.options.quick,
        }
        if "runs" in needs:
            known["runs"] = [[run.name, run.sha256] for run in self._all_runs]
        if "sweeps" in needs:
            known["sweeps"] = [[run.name, run.sha256] for run in self.sweep_runs]
        return {need: known[need] for need in needs}

    def _rows(
        self,
        name: str,
        material: Material,
        on_picture: OnPicture,
        *,
        embedder: Embedder | None = None,
        **facts: str,
    ) -> NDArray[np.float32]:
        chosen = embedder or self.embedder
        known = {"model": chosen.spec.sha256, "data": str(self.data.resolve()), **facts}
        workers = self.options.workers
        return self.cache.rows(
            name, known, lambda: embed_views(material, chosen, workers=workers, on_photo=on_picture)[0]
        )
