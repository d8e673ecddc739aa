"""What experiments share: the setup, the models, and pictures and embeddings that are made once and kept."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from facespace.embed import Embedder
from facespace.errors import DataError, InputError
from facespace.faces.detect import Detector
from facespace.measure.cache import Cache
from facespace.measure.embedding import OnStep, embed_faces, find_places
from facespace.measure.experiment import Option
from facespace.measure.faces import EmbeddedFaces, FaceSet, is_embedded, open_crops, read_embedded
from facespace.measure.pairs import PairList, PairSet, check_present, read_pairs
from facespace.measure.result import Picture
from facespace.measure.runs import RunModel, find_runs
from facespace.measure.views import AS_IT_IS, View

# So many training faces are enough to fit a rotation or a scale on.
TRAINING_FACES = 10_000


@dataclass(frozen=True)
class Setup:
    """What is measured, and what may be spent."""

    data: Annotated[
        Path | None, Option("Folder of the data sets; FACESPACE_DATA in the environment unless given.")
    ] = None
    model: Annotated[str | None, Option("Embedder: a built-in name or an ONNX file with a ModelSpec.")] = None
    detector: Annotated[
        str | None, Option("Detector: a built-in name or an ONNX file (YuNet, SCRFD layouts too).")
    ] = None
    runs: Annotated[Path | None, Option("Folder of run folders of `facespace train`.")] = None
    old: Annotated[
        tuple[str, ...],
        Option("Older embedder that the model was made to meet, by name or file; may be repeated."),
    ] = ()
    quick: Annotated[bool, Option("Train nothing and cluster no large sets.")] = False
    budget: Annotated[
        int, Option("Faces that each run of a trained sweep sees, repeated ones counted each time.")
    ] = 200_000
    device: Annotated[str, Option("Where sweeps are trained: cpu, cuda or another of torch's names.")] = "cpu"
    workers: Annotated[int | None, Option("Threads; all cores unless given.")] = None

    def __post_init__(self) -> None:
        if min(self.budget, 1 if self.workers is None else self.workers) < 1:
            raise InputError(
                f"expected a budget and workers of 1 or more, got {self.budget} and {self.workers}"
            )
        if self.data is not None and not self.data.is_dir():
            raise DataError(f"{self.data}: expected the data sets' folder, there is none")


class Context:
    """The models and pictures of a run; everything costly is made at first use.

    Args:
        setup: what is measured.
        cache: where embeddings are kept; nothing is kept when absent.
        on_step: called with (done, in all) by whatever takes long.
    """

    def __init__(
        self, setup: Setup, cache: Cache | None = None, *, on_step: OnStep = lambda done, total: None
    ) -> None:
        self.setup, self.cache, self.on_step = setup, cache or Cache(), on_step

    @property
    def data(self) -> Path:
        """The data sets' folder.

        Raises:
            DataError: none was given.
        """
        if self.setup.data is None:
            raise DataError("expected the data sets' folder: give --data DIR, or set FACESPACE_DATA")
        return self.setup.data

    @cached_property
    def embedder(self) -> Embedder:
        """The model that is judged."""
        return Embedder(self.setup.model)

    @cached_property
    def older(self) -> list[Embedder]:
        """Those that it is to meet."""
        return [Embedder(name) for name in self.setup.old]

    @cached_property
    def built_in(self) -> Embedder:
        """The embedder that ships: it judges what must not depend on the model that is measured."""
        return Embedder()

    @cached_property
    def detector(self) -> Detector:
        """The detector that finds its faces."""
        return Detector(self.setup.detector)

    @cached_property
    def holdout(self) -> FaceSet:
        """The validation faces."""
        return open_crops(self.data / "faces" / "val")

    @cached_property
    def training_faces(self) -> FaceSet:
        """Every so many-th training face, for what must be fitted on other people."""
        return open_crops(self.data / "faces" / "train").every(TRAINING_FACES)

    @cached_property
    def lfw(self) -> PairSet:
        """LFW with the face of each picture found."""
        return self.pair_set(self.data / "lfw")

    @cached_property
    def lfw_centre(self) -> PairSet:
        """LFW with one fixed crop for all pictures."""
        return self.pair_set(self.data / "lfw", mode="centre")

    def pair_set(
        self, root: Path, listed: PairList | None = None, *, mode: str = "detector", name: str = ""
    ) -> PairSet:
        """The pictures of a pair list, each with the place of its face.

        Args:
            root: folder of `<Name>/<Name>_0001.jpg`.
            listed: the pairs; `root/pairs.txt` when absent.
            mode: "detector" (the face nearest the centre, else the centre crop) or "centre" (that crop for all).
            name: of the set, for people.

        Raises:
            DataError: pictures or the pairs file are missing or malformed.
        """
        listed = listed or read_pairs(root / "pairs.txt")
        check_present(root, listed.names)
        paths = [root / picture for picture in listed.names]
        detector = self.detector if mode == "detector" else None
        facts = {
            "pictures": FaceSet("", tuple(paths), np.zeros(0, np.int64), ()).digest,
            "detector": detector.spec.sha256 if detector else mode,
        }
        workers, on_step = self.setup.workers, self.on_step
        places = self.cache.array(
            "places", facts, lambda: find_places(paths, detector, workers=workers, on_step=on_step)
        )
        folds = len(np.unique(listed.folds))
        return PairSet.of(name or f"LFW, folds 1 to {folds}", root, listed, places)

    def rows(
        self, faces: FaceSet, embedder: Embedder | None = None, *, view: View = AS_IT_IS
    ) -> NDArray[np.float32]:
        """Embeddings (N, D) of a face set by the context's model or another, kept by the pictures' content."""
        return self.views(faces, (view,), embedder)[0]

    def views(
        self, faces: FaceSet, views: Sequence[View], embedder: Embedder | None = None
    ) -> NDArray[np.float32]:
        """Embeddings (V, N, D) of a face set seen in several ways."""
        chosen = embedder or self.embedder
        facts = {
            "pictures": faces.digest,
            "model": chosen.spec.sha256,
            "views": [repr(view) for view in views],
        }
        workers, on_step = self.setup.workers, self.on_step
        return self.cache.array(
            faces.name.replace("/", "-").replace(" ", "-").replace(",", ""),
            facts,
            lambda: embed_faces(faces, chosen, views, workers=workers, on_step=on_step),
        )

    def embedded(self, faces: FaceSet, embedder: Embedder | None = None) -> EmbeddedFaces:
        """A face set as embeddings with their identities."""
        return faces.embedded(self.rows(faces, embedder))

    def read(self, source: Path, model: str | None = None) -> EmbeddedFaces:
        """Faces from wherever they lie: folders of crops, a FaceTable, or an .npz file of embeddings.

        Args:
            source: see `facespace.measure.faces`.
            model: embeds crops, and a table must be of it where one is named; the context's unless given.

        Raises:
            DataError: nothing of the kind there, identities that are not known, or a table of another model.
        """
        named = model or self.setup.model
        if is_embedded(source):
            return read_embedded(source, Embedder(named).spec if named else None)
        return self.embedded(open_crops(source), Embedder(named) if model else self.embedder)

    @property
    def work(self) -> Path:
        """A folder for what takes long to make: the cache's, else a temporary one."""
        return self.cache.folder or Path(self._temporary.name)

    @cached_property
    def _temporary(self) -> "tempfile.TemporaryDirectory[str]":
        return tempfile.TemporaryDirectory(prefix="facespace-")

    @property
    def sweeps_folder(self) -> Path:
        """Where the trained sweeps' runs lie: in the runs' folder, else beside the report."""
        return (self.setup.runs or self.work) / "sweeps"

    @cached_property
    def all_runs(self) -> list[RunModel]:
        """The networks that were given, exported."""
        return find_runs(self.setup.runs, self.work / "models") if self.setup.runs else []

    @property
    def runs(self) -> list[RunModel]:
        """Those trained by themselves."""
        return [run for run in self.all_runs if run.old is None]

    @property
    def harmonic_runs(self) -> list[RunModel]:
        """Those that were trained to meet an older model."""
        return [run for run in self.all_runs if run.old is not None]

    @property
    def sweep_runs(self) -> list[RunModel]:
        """The finished runs of trained sweeps, exported."""
        folder = self.sweeps_folder
        return find_runs(folder, self.work / "models") if folder.is_dir() else []

    def picture(
        self, path: Path, box_xyxy: Sequence[float] | None = None, text: str = "", *, wrong: bool = False
    ) -> Picture:
        """A picture of the data for a page, with the face in it."""
        if box_xyxy is None:
            return Picture(self.relative(path), None, text, wrong)
        x0, y0, x1, y1 = (round(float(v), 1) for v in box_xyxy)
        return Picture(self.relative(path), (x0, y0, x1, y1), text, wrong)

    def relative(self, path: Path) -> str:
        """A path below the data folder, for results; one that lies elsewhere as it is."""
        data = self.setup.data
        return (path.relative_to(data) if data and path.is_relative_to(data) else path.absolute()).as_posix()

    def facts(self, needs: Sequence[str]) -> dict[str, Any]:
        """What a result depends on, as plain values."""
        known: dict[str, Callable[[], Any]] = {
            "data": lambda: self._listing,
            "model": lambda: self.embedder.spec.sha256,
            "detector": lambda: self.detector.spec.sha256,
            "old": lambda: [embedder.spec.sha256 for embedder in self.older],
            "runs": lambda: [[run.name, run.sha256] for run in (*self.all_runs, *self.sweep_runs)],
            "quick": lambda: self.setup.quick,
        }
        return {need: known[need]() for need in needs if need in known}

    @cached_property
    def _listing(self) -> str:
        """Names the data folder's content by names, sizes and times of its files."""
        found = []
        for folder, folders, files in os.walk(self.data, followlinks=True):
            folders.sort()
            for name in sorted(files):
                status = (Path(folder) / name).stat()
                found.append(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}")
        return hashlib.sha256("\n".join(found).encode("utf-8", "surrogateescape")).hexdigest()
