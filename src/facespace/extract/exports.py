"""A FaceTable in the forms that other people's scripts and viewers read."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, InputError
from facespace.saved_files import written_beside
from facespace.table import FaceTable

UNKNOWN = "unknown"


def export_table(table: FaceTable, folder: Path, form: str) -> list[Path]:
    """Write a table's embeddings, labels and paths; files that stand there are replaced once the new ones are whole.

    Forms: "openface" (`reps.csv`, `labels.csv` as OpenFace's batch-represent writes them: labels from 1, with each
    picture's path), "npy" (`embeddings.npy`, `labels.npy`, `label_strings.npy` as facenet's export_embeddings does),
    "projector" (`tensors.tsv`, `metadata.tsv`, `projector_config.pbtxt` for TensorBoard's embedding projector).

    A face of whom nothing is known has the name "unknown".

    Returns:
        The files written.

    Raises:
        InputError: a form that is not known, or a table without faces.
        DataError: the folder cannot be written.
    """
    if form not in EXPORTS:
        raise InputError(f"form: expected one of {', '.join(EXPORTS)}, got '{form}'")
    if not len(table):
        raise InputError("expected a table with faces, it has none")
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, write in EXPORTS[form].items():
            with written_beside(folder / name, private=True) as partial:
                write(table, partial)
            written.append(folder / name)
    except OSError as error:
        raise DataError(f"{folder}: cannot write: {error.strerror}") from error
    return written


def _labels(table: FaceTable) -> tuple[NDArray[np.int64], list[str]]:
    """Number (from 0, by name) and name of each face's person."""
    people = table.identities or (UNKNOWN,) * len(table.photos)
    names = [people[i] for i in table.photo_idx]
    return np.unique(np.array(names, object).astype(str), return_inverse=True)[1].astype(np.int64), names


def _photos(table: FaceTable) -> list[str]:
    """The photo of each face; of videos with the time, as W3C's media fragments have it."""
    return [
        table.photos[i] if time_s != time_s else f"{table.photos[i]}#t={time_s:.3f}"
        for i, time_s in zip(table.photo_idx, table.time_s.tolist(), strict=True)
    ]


def _reps_csv(table: FaceTable, path: Path) -> None:
    _write_csv(path, (list(row) for row in _numbers(table)))


def _labels_csv(table: FaceTable, path: Path) -> None:
    numbers, _ = _labels(table)
    _write_csv(path, ([n + 1, p] for n, p in zip(numbers.tolist(), _photos(table), strict=True)))


def _tensors_tsv(table: FaceTable, path: Path) -> None:
    _write_tsv(path, _numbers(table))


def _metadata_tsv(table: FaceTable, path: Path) -> None:
    # Two columns or more need a heading line, by the projector's rules; a tab or line break would make another column.
    _, names = _labels(table)
    cells = ([_cell(n), _cell(p)] for n, p in zip(names, _photos(table), strict=True))
    _write_tsv(path, [["identity", "photo"], *cells])


def _cell(text: str) -> str:
    return " ".join(text.split("\t")).replace("\n", " ").replace("\r", " ")


def _projector_config(table: FaceTable, path: Path) -> None:
    path.write_text(
        'embeddings {\n  tensor_name: "facespace"\n  tensor_path: "tensors.tsv"\n  metadata_path: "metadata.tsv"\n}\n',
        encoding="utf-8",
    )


def _write_csv(path: Path, rows: Iterable[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _write_tsv(path: Path, rows: Iterable[list[str]]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines("\t".join(row) + "\n" for row in rows)


def _numbers(table: FaceTable) -> Iterable[list[str]]:
    """Enough digits to bring every float32 back."""
    return ([f"{x:.9g}" for x in row] for row in table.embedding.tolist())


def _save(path: Path, array: NDArray[np.generic]) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


Writer = Callable[[FaceTable, Path], None]
EXPORTS: dict[str, dict[str, Writer]] = {
    "openface": {"reps.csv": _reps_csv, "labels.csv": _labels_csv},
    "npy": {
        "embeddings.npy": lambda table, path: _save(path, np.asarray(table.embedding)),
        "labels.npy": lambda table, path: _save(path, _labels(table)[0]),
        "label_strings.npy": lambda table, path: _save(path, np.array(_labels(table)[1])),
    },
    "projector": {
        "tensors.tsv": _tensors_tsv,
        "metadata.tsv": _metadata_tsv,
        "projector_config.pbtxt": _projector_config,
    },
}
