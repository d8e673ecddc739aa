import dataclasses
from pathlib import Path

import numpy as np
import pytest

from drawn import drawn_faces
from facespace.models import ModelSpec
from facespace.training import frozen
from facespace.training.distillation import ask_teacher, crops_of
from facespace.training.frozen import resized
from facespace.workers import Threads


class MeanColour:
    """A teacher whose space is the mean colour of the upper and the lower half, and which counts its questions."""

    spec = ModelSpec("colour", "1", "embedder", (16, 16), dim=6, sha256="f" * 64)

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, crops: np.ndarray, *, flip: bool = False) -> np.ndarray:
        assert flip, "a face and its mirror image are one target"
        self.asked += len(crops)
        rows = np.concatenate([crops[:, :8].mean((1, 2)), crops[:, 8:].mean((1, 2))], 1).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_targets_are_the_teachers_vectors_of_faces_and_blends(tmp_path: Path) -> None:
    faces, teacher = drawn_faces(4, 3, 16), MeanColour()
    targets = ask_teacher(teacher, faces, tmp_path, n_blends=7, seed=2)
    assert np.allclose(targets.rows[:12], MeanColour().embed(faces.crops(np.arange(12)), flip=True))
    blends = targets.blends
    assert len(blends) == 7 and ((blends.weight >= 0.35) & (blends.weight <= 0.65)).all()
    one = np.array([4])
    first, second = (faces.crops(i[one]).astype(float) for i in (blends.first_idx, blends.second_idx))
    expected = first * blends.weight[4] + second * (1 - blends.weight[4])
    assert np.abs(blends.crops(faces.crops, one) - expected).max() <= 0.51
    of_blends = MeanColour().embed(blends.crops(faces.crops, np.arange(7)), flip=True)
    assert np.allclose(targets.rows[12:], of_blends)
    mixed = crops_of(faces, blends, np.array([3, 12 + 4, 0]))
    assert (mixed[[0, 2]] == faces.crops(np.array([3, 0]))).all()
    assert (mixed[1:2] == blends.crops(faces.crops, one)).all()


def test_the_teacher_is_asked_once(tmp_path: Path) -> None:
    faces, teacher = drawn_faces(4, 3, 16), MeanColour()
    told = []
    first = ask_teacher(teacher, faces, tmp_path, n_blends=5, on_asked=lambda *x: told.append(x))
    assert teacher.asked == 17 and told[-1] == (17, 17)
    again = ask_teacher(teacher, faces, tmp_path, n_blends=5)
    assert teacher.asked == 17
    assert (again.rows == first.rows).all()
    ask_teacher(teacher, faces, tmp_path, n_blends=5, seed=1)
    assert teacher.asked == 34, "another seed blends other faces"
    assert not list(tmp_path.glob("*partial*"))


class Stopped(MeanColour):
    """A teacher that stops the run at its third item."""

    def embed(self, crops: np.ndarray, *, flip: bool = False) -> np.ndarray:
        if self.asked >= 4:
            raise KeyboardInterrupt
        return super().embed(crops, flip=flip)


def test_a_run_that_was_stopped_asks_for_the_rest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "ITEM", 2)
    monkeypatch.setattr(frozen, "PART", 4)
    faces, teacher = drawn_faces(4, 3, 16), MeanColour()
    with pytest.raises(KeyboardInterrupt):
        ask_teacher(Stopped(), faces, tmp_path, n_blends=5, workers=Threads(1))
    told = []
    found = ask_teacher(teacher, faces, tmp_path, n_blends=5, on_asked=lambda *x: told.append(x))
    assert teacher.asked == 17 - 4 and told[0] == (6, 17) and told[-1] == (17, 17)
    assert (found.rows == ask_teacher(MeanColour(), faces, tmp_path / "new", n_blends=5).rows).all()
    assert [path.suffix for path in tmp_path.iterdir()].count(".npy") == 1 and not list(
        tmp_path.glob("*.parts")
    )


def test_a_picture_replaced_under_its_name_is_asked_about_again(tmp_path: Path) -> None:
    faces, teacher = drawn_faces(4, 3, 16), MeanColour()
    ask_teacher(teacher, faces, tmp_path)
    replaced = dataclasses.replace(faces, rows=np.roll(faces.rows, 1))
    targets = ask_teacher(teacher, replaced, tmp_path)
    assert teacher.asked == 24
    assert np.allclose(targets.rows, MeanColour().embed(replaced.crops(np.arange(12)), flip=True))


def test_the_mean_of_an_identity_is_a_unit_row(tmp_path: Path) -> None:
    faces = drawn_faces(4, 3, 16)
    targets = ask_teacher(MeanColour(), faces, tmp_path)
    means = targets.identity_means(faces.labels).numpy()
    expected = targets.rows[faces.labels == 2].sum(0)
    assert means.shape == (4, 6)
    assert np.allclose(means[2], expected / np.linalg.norm(expected), atol=1e-6)


def test_pictures_of_another_size_are_shown_at_the_teachers(tmp_path: Path) -> None:
    faces = drawn_faces(2, 2, 32)
    targets = ask_teacher(MeanColour(), faces, tmp_path)
    small = resized(faces.crops(np.arange(4)), (16, 16))
    assert np.allclose(targets.rows, MeanColour().embed(small, flip=True))
