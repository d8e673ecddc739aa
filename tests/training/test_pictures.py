import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError
from facespace.training.data import find_pictures, open_faces
from facespace.training.data.faces import prefetched


def jpeg(seed: int, side: int = 16) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


NAMES = ["anna/1.png", "anna/2.png", "ben/1.png", "carl/7.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    for seed, name in enumerate(NAMES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg(seed))
    (root / "carl" / "notes.txt").write_text("no picture")
    (root / "empty").mkdir()
    return root


def as_list(folder: Path) -> Path:
    path = folder.parent / "faces.csv"
    path.write_text("path,identity\n" + "".join(f"faces/{n},{n.split('/')[0]}\n" for n in reversed(NAMES)))
    return path


def as_plain_list(folder: Path) -> Path:
    path = folder.parent / "faces.txt"
    path.write_text("".join(f"faces/{n} {n.split('/')[0]}\n" for n in NAMES) + "\n")
    return path


def as_tar(folder: Path) -> Path:
    path = folder.parent / "faces.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder, "some/root")
    return path


def as_shards(folder: Path) -> Path:
    shards = folder.parent / "shards"
    shards.mkdir()
    with zipfile.ZipFile(shards / "a.zip", "w") as archive:
        for name in NAMES[:2]:
            archive.write(folder / name, name)
    with tarfile.open(shards / "b.tar", "w") as archive:
        for name in NAMES[2:]:
            archive.add(folder / name, name)
    return shards


@pytest.mark.parametrize("make", [lambda f: f, as_list, as_plain_list, as_tar, as_shards])
def test_every_source_holds_the_same_faces(folder: Path, make) -> None:
    faces = open_faces(make(folder))
    assert faces.identities == ("anna", "ben", "carl")
    assert faces.labels.tolist() == [0, 0, 1, 2]
    expected = [np.asarray(Image.open(folder / name)) for name in NAMES]
    assert (faces.crops(np.arange(4)) == np.stack(expected)).all()


@pytest.mark.parametrize("make", [lambda f: f, as_shards])
def test_faces_that_do_not_fit_in_memory_are_decoded_when_asked_for(folder: Path, make) -> None:
    cached, decoded = open_faces(make(folder)).decoded(2**20), open_faces(folder)
    for idx in ([], [3], [2, 0, 2]):
        assert (decoded.crops(np.array(idx, int)) == cached.crops(np.array(idx, int))).all()
    (folder / NAMES[0]).unlink()
    assert len(cached.crops(np.array([0]))) == 1
    with pytest.raises(DataError, match=NAMES[0]):
        decoded.crops(np.array([0]))


def test_pictures_are_shrunk_to_the_networks_size_but_not_grown(folder: Path) -> None:
    assert open_faces(folder, size_hw=(8, 10)).size_hw == (8, 10)
    assert open_faces(folder, size_hw=(112, 112)).size_hw == (16, 16)


def broken_list(folder: Path) -> Path:
    path = as_list(folder)
    path.write_text(path.read_text() + "faces/none.png,anna\n")
    return path


def odd_list(folder: Path) -> Path:
    path = as_list(folder)
    path.write_text("faces/anna/1.png,anna,extra\n")
    return path


def broken_shard(folder: Path) -> Path:
    (folder.parent / "x.zip").write_bytes(b"no archive")
    return folder.parent / "x.zip"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f / "empty", "met 0 identities"),
        (lambda f: f / "none", "there is nothing like it"),
        (lambda f: f / "carl" / "notes.txt", "met 0 identities"),
        (broken_list, "line 6: names .*none.png"),
        (odd_list, "line 1: expected a picture's path"),
        (broken_shard, "expected a readable shard"),
    ],
)
def test_what_cannot_be_read_is_named(folder: Path, make, message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_pictures(make(folder))


def test_a_picture_that_cannot_be_decoded_is_named(folder: Path) -> None:
    (folder / "ben" / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"ben/1\.png"):
        open_faces(folder).decoded(2**20)


def test_dev_identities_have_five_faces_and_stay_when_others_go() -> None:
    from facespace.training.data import Faces

    labels = np.repeat(np.arange(60), 5)
    crops = np.zeros((300, 2, 2, 3), np.uint8)
    crops[:, 0, 0, 0] = np.arange(300) % 256
    faces = Faces.of_arrays(crops, labels)
    training, dev = faces.split(4)
    assert not set(training.identities) & set(dev.identities)
    assert len(training) + len(dev) == 300 and len(dev.identities) > 5
    assert (dev.crops(np.arange(5))[:, 0, 0, 0] == int(dev.identities[0]) * 5 % 256 + np.arange(5)).all()
    fewer = Faces.of_arrays(crops[:200], labels[:200]).split(4)[1]
    assert set(fewer.identities) == {i for i in dev.identities if int(i) < 40}
    with pytest.raises(DataError, match="dev_every"):
        faces.split(10**9)


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_prefetching_keeps_order_and_loads_one_ahead(n: int) -> None:
    loaded: list[int] = []

    def load(i: int) -> int:
        loaded.append(i)
        return i * i

    for count, (item, result) in enumerate(prefetched(range(n), load)):
        assert (item, result) == (count, count * count)
        assert len(loaded) <= count + 2
    assert loaded == list(range(n))


def test_an_error_while_loading_ahead_reaches_the_reader() -> None:
    with pytest.raises(ZeroDivisionError):
        list(prefetched([1, 0], lambda i: 1 // i))


def test_identities_of_few_faces_can_be_left_out() -> None:
    from facespace.training.data import Faces

    labels = np.repeat([0, 1, 2], [3, 1, 2])
    faces = Faces.of_arrays(np.zeros((6, 2, 2, 3), np.uint8), labels)
    kept = faces.of_several(2)
    assert kept.identities == ("0", "2") and kept.labels.tolist() == [0, 0, 0, 1, 1]
    assert faces.of_several(1).labels.tolist() == labels.tolist()
    with pytest.raises(DataError, match="least_faces = 4"):
        faces.of_several(4)
