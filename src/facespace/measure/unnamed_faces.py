"""Faces whose age, sex or origin is known and whose identity is not: an index beside zip archives of aligned crops."""

import csv
import gzip
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from facespace.embed import Embedder
from facespace.errors import DataError
from facespace.extract import in_order
from facespace.measure.context import Context
from facespace.measure.views import AS_IT_IS, crop_face
from facespace.metrics import near_pairs

INDEX = ("index.csv.gz", "index.csv")
BATCH = 64
HELD_OUT_EVERY = 4
# Two pictures as near as this by the built-in embedder show one person: on a contact sheet of the held-out quarter
# nearly all of the 158 pairs below it do, and beyond it more and more do not.
DOUBLE = 0.8
# Years at which an age group begins.
AGES = (0, 10, 20, 40, 60)


@dataclass(frozen=True)
class Group:
    """Faces of one kind; ``members`` are indices into an `UnnamedFaces`, shape (N,), increasing."""

    kind: str
    name: str
    members: NDArray[np.int64]


@dataclass(frozen=True)
class UnnamedFaces:
    """Ready crops, nearly all of different people."""

    root: Path  # folder of the index
    files: tuple[str, ...]  # of each face, `<archive>/<name>`: a member of `<archive>.zip` in ``root``
    # further columns of the index by name, one text a face, "" where it is not known
    columns: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """The quarter that no built-in model was trained on, shape (N,), by a hash of the files' names."""
        return np.array([is_held_out(file) for file in self.files], bool)

    def crops(self, chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 RGB (N, H, W, 3) of the chosen faces.

        Raises:
            DataError: an archive or a picture that is missing, cannot be read or is of another size.
        """
        archives: dict[str, zipfile.ZipFile] = {}
        try:
            return np.stack([self._crop(self.files[i], archives) for i in chosen])
        except ValueError as error:
            raise DataError(f"{self.root}: expected crops of one size: {error}") from error
        finally:
            for archive in archives.values():
                archive.close()

    def _crop(self, file: str, archives: dict[str, zipfile.ZipFile]) -> NDArray[np.uint8]:
        path = self.root / f"{file.partition('/')[0]}.zip"
        try:
            if path.name not in archives:
                archives[path.name] = zipfile.ZipFile(path)
            with Image.open(io.BytesIO(archives[path.name].read(file))) as picture:
                return np.asarray(picture.convert("RGB"))
        except (OSError, KeyError, zipfile.BadZipFile, UnidentifiedImageError) as error:
            raise DataError(f"{path}: expected the picture {file} in it: {error}") from error

    def groups(self) -> list[Group]:
        """The groups by age, sex, origin and source."""
        ages = self._column("age")
        years = np.array([float(age) if age else np.nan for age in ages])
        edges = np.searchsorted(AGES, years, side="right") - 1
        known = np.isfinite(years)
        return [
            *(Group("age", _age_text(k), np.flatnonzero(known & (edges == k))) for k in range(len(AGES))),
            *self._by_column("sex"),
            *self._by_column("origin", "group"),
            *self._by_column("source"),
        ]

    def _column(self, name: str) -> NDArray[np.str_]:
        return np.array(self.columns.get(name, ("",) * len(self.files)))

    def _by_column(self, kind: str, column: str = "") -> list[Group]:
        values = self._column(column or kind)
        return [
            Group(kind, str(value), np.flatnonzero(values == value)) for value in np.unique(values) if value
        ]


def open_unnamed(root: Path) -> UnnamedFaces:
    """The faces that `root/index.csv.gz` (or `index.csv`) lists: `file`, and any of `age`, `sex`, `group`, `source`.

    Raises:
        DataError: no such file, no column `file`, or an age that is no number.
    """
    path = next((root / name for name in INDEX if (root / name).is_file()), None)
    if path is None:
        raise DataError(
            f"{root}: expected index.csv.gz or index.csv beside zip archives of crops, there is none"
        )
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
        table = csv.DictReader(io.StringIO(text, newline=""))
        rows = list(table)
        columns = {name: tuple(row[name] or "" for row in rows) for name in table.fieldnames or ()}
        files = columns.pop("file")
        [float(age) for age in columns.get("age", ()) if age]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: expected CSV with a column 'file', and ages in years: {error}") from error
    return UnnamedFaces(root, files, columns)


def is_held_out(file: str) -> bool:
    """Whether a face is left for measuring: one in `HELD_OUT_EVERY`, the same ones whoever else is in the set."""
    return int(hashlib.sha256(file.encode()).hexdigest()[:8], 16) % HELD_OUT_EVERY == 0


def embed_unnamed(
    faces: UnnamedFaces, chosen: NDArray[np.int64], context: Context, embedder: Embedder | None = None
) -> NDArray[np.float32]:
    """Unit rows of the chosen faces by the context's model or another, kept by the index and the model."""
    embedder = embedder or context.embedder
    batches = [chosen[i : i + BATCH] for i in range(0, len(chosen), BATCH)]

    def embed(batch: NDArray[np.int64]) -> NDArray[np.float32]:
        crops = [crop_face(crop, None, AS_IT_IS, embedder.spec) for crop in faces.crops(batch)]
        return embedder.embed(np.stack(crops))

    def make() -> NDArray[np.float32]:
        rows = in_order(embed, batches, workers=context.setup.workers)
        return np.concatenate([np.zeros((0, embedder.spec.dim), np.float32), *rows])

    facts = {"files": faces.files, "chosen": chosen.tolist(), "model": embedder.spec.sha256}
    return context.cache.array("unnamed-faces", facts, make)


def without_doubles(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """False for each face that is nearer than `DOUBLE` to an earlier one that is kept; shape (N,).

    Args:
        rows: embeddings by the built-in embedder, whichever model is measured: a model that confuses people would take
            its own errors for doubles.
    """
    kept = np.ones(len(rows), bool)
    near = near_pairs(rows, np.arange(len(rows)), limit=DOUBLE)
    pairs = np.sort(np.stack([near.row, near.column], axis=1), axis=1)
    for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist():
        if kept[first]:
            kept[second] = False
    return kept


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Faces to measure on, embedded."""

    faces: UnnamedFaces  # all faces
    # int64, shape (N,), increasing, into ``faces``: those to measure on who stand there for the first time
    chosen: NDArray[np.int64]
    # float32 unit rows, shape (N, D), of the chosen faces by the model that is measured
    rows: NDArray[np.float32]
    n_left_out: int  # faces that show somebody again


def read_held_out(root: Path, context: Context, *, everything: bool = False) -> HeldOut:
    """The held-out faces of the folder ``root`` by the context's model, each person once.

    Args:
        root: of the index.
        context: of the model.
        everything: also faces that built-in models were trained on.

    Raises:
        DataError: the faces are missing or cannot be read.
    """
    faces = open_unnamed(root)
    chosen = np.flatnonzero(faces.held_out | everything)
    judged = embed_unnamed(faces, chosen, context, context.built_in)
    kept = without_doubles(judged)
    is_judge = context.embedder.spec.sha256 == context.built_in.spec.sha256
    rows = judged[kept] if is_judge else embed_unnamed(faces, chosen[kept], context)
    return HeldOut(faces, chosen[kept], rows, int((~kept).sum()))


def _age_text(k: int) -> str:
    return f"{AGES[k]} and over" if k + 1 == len(AGES) else f"{AGES[k]} to {AGES[k + 1] - 1}"
