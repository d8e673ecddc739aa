"""What exiftool reads of what we wrote, and what we read of what it wrote, on pictures stored in every orientation."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drawn_album import STORED, draw_stored, names, person_at, scanned
from facespace.library import Library

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="needs exiftool (apt-get install libimage-exiftool-perl)"
)

TIFFS = dict.fromkeys(range(1, 9), "tif")
KINDS = {1: "jpg", 2: "png", 3: "jpg", 4: "webp", 5: "jpg", 6: "jpg", 7: "png", 8: "jpg"}


def exiftool(*arguments: object) -> str:
    done = subprocess.run(["exiftool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tags(*files: Path) -> list[dict[str, Any]]:
    found = json.loads(exiftool("-struct", "-json", "-G1", "-n", "-XMP:all", "-Orientation", *files))
    return list(found)


def shown(file: Path, area: dict[str, float]) -> tuple[int, ...]:
    """The colour of the middle of an area of the stored picture, and of a point well outside of it."""
    with Image.open(file) as image:
        pixels = np.asarray(image.convert("RGB"))
    y, x = int(area["Y"] * pixels.shape[0]), int(area["X"] * pixels.shape[1])
    return tuple((pixels[y, x] > 128).tolist())


@pytest.fixture
def album(tmp_path: Path) -> Iterator[tuple[Library, Path]]:
    """A photo of red and blue in every orientation, in three kinds of files; red is Ann, blue is Bob."""
    photos = tmp_path / "photos"
    for orientation, kind in KINDS.items():
        draw_stored(photos / f"{orientation}.{kind}", "red", "blue", orientation=orientation)
    with Library(tmp_path / "library") as library:
        yield scanned(library, photos), photos


def name_both(library: Library) -> None:
    library.name(person_at(library, "1.jpg#1"), "Ann Lee")
    library.name(person_at(library, "1.jpg#2"), "Bob Ødegård")


@pytest.mark.parametrize("where", ["beside", "copies"])
def test_exiftool_reads_regions_where_the_stored_picture_shows_the_faces(
    album: tuple[Library, Path], tmp_path: Path, where: str
) -> None:
    library, photos = album
    name_both(library)
    if where == "beside":
        result = library.write_sidecars(keywords=True)
        files = [(photos / f"{o}.{kind}", photos / f"{o}.{kind}.xmp") for o, kind in KINDS.items()]
    else:
        result = library.write_copies(tmp_path / "copies", keywords=True)
        files = [(photos / f"{o}.{kind}", tmp_path / "copies" / f"{o}.{kind}") for o, kind in KINDS.items()]
    assert len(result.written) == 8 and result.skipped == []
    for (photo, _), found in zip(files, tags(*(f for _, f in files)), strict=True):
        info = found["XMP-mwg-rs:RegionInfo"]
        with Image.open(photo) as image:
            assert info["AppliedToDimensions"] == {"W": image.width, "H": image.height, "Unit": "pixel"}
        assert [r["Name"] for r in info["RegionList"]] == ["Ann Lee", "Bob Ødegård"]
        assert {r["Type"] for r in info["RegionList"]} == {"Face"}
        assert [shown(photo, r["Area"]) for r in info["RegionList"]] == [
            (True, False, False),
            (False, False, True),
        ]
        for region, twin in zip(info["RegionList"], found["XMP-MP:RegionInfoMP"]["Regions"], strict=True):
            x, y, w, h = (float(v) for v in twin["Rectangle"].split(","))
            area = region["Area"]
            assert (x + w / 2, y + h / 2, w, h) == pytest.approx([area[k] for k in "XYWH"], abs=2e-6)
            assert twin["PersonDisplayName"] == region["Name"]
        assert found["XMP-iptcExt:PersonInImage"] == ["Ann Lee", "Bob Ødegård"]
        assert found["XMP-dc:Subject"] == ["Ann Lee", "Bob Ødegård"]
        assert found["XMP-digiKam:TagsList"] == ["People/Ann Lee", "People/Bob Ødegård"]
    if where == "copies":
        assert [t["IFD0:Orientation"] for t in tags(*(f for _, f in files))] == list(KINDS)


def tag_with_exiftool(photo: Path, target: Path) -> None:
    """Regions on the coloured squares of the stored picture, with other things around them."""
    with Image.open(photo) as image:
        stored, turn = image.convert("RGB"), STORED[int(photo.stem)]
    if photo.suffix == ".tif" and turn is not None:  # which Pillow sets upright by itself
        stored = stored.transpose(turn)
    pixels = np.asarray(stored).astype(int)
    regions = []
    for name, other in (("Ann Lee", 2), ("Bob", 0)):
        rows, columns = np.nonzero(pixels[..., other] < 100 if name == "Ann Lee" else pixels[..., 0] < 100)
        centre = ((columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2)
        size = (columns.max() + 1 - columns.min(), rows.max() + 1 - rows.min())
        (x, y), (w, h) = (np.array(v) / pixels.shape[1::-1] for v in (centre, size))
        regions.append(f"{{Area={{X={x},Y={y},W={w},H={h},Unit=normalized}},Name={name},Type=Face}}")
    height, width = pixels.shape[:2]
    info = f"{{AppliedToDimensions={{W={width},H={height},Unit=pixel}},RegionList=[{','.join(regions)}]}}"
    exiftool(
        "-q", "-overwrite_original_in_place", "-P", f"-XMP-mwg-rs:RegionInfo={info}", "-XMP:Rating=4",
        "-XMP-dc:Description=two words", "-XMP-lr:HierarchicalSubject=Places|Rome", target,
    )  # fmt: skip


@pytest.mark.parametrize("where", ["sidecar", "photo"])
@pytest.mark.parametrize("kinds", [KINDS, TIFFS], ids=["several", "TIFF"])
def test_names_that_exiftool_wrote_come_in(tmp_path: Path, where: str, kinds: dict[int, str]) -> None:
    photos = tmp_path / "photos"
    for orientation, kind in kinds.items():
        photo = draw_stored(photos / f"{orientation}.{kind}", "red", "blue", orientation=orientation)
        tag_with_exiftool(photo, photo if where == "photo" else photos / f"{photo.name}.xmp")
    with Library(tmp_path / "library") as library:
        scanned(library, photos)
        imported = library.import_names()
        assert (imported.n_regions, imported.n_confirmed, imported.unmatched) == (16, 16, ())
        assert names(library) == {
            f"{o}.{kind}#{k}": name for o, kind in kinds.items() for k, name in ((1, "Ann Lee"), (2, "Bob"))
        }
        assert library.import_names().entry is None


def test_what_exiftool_wrote_stays_in_a_sidecar_that_we_change(album: tuple[Library, Path]) -> None:
    library, photos = album
    photo = photos / "6.jpg"
    tag_with_exiftool(photo, photos / "6.jpg.xmp")
    library.name(person_at(library, "1.jpg#1"), "Ann")
    (before,) = tags(photos / "6.jpg.xmp")
    assert photos / "6.jpg.xmp" in library.write_sidecars(keywords=True).written
    (after,) = tags(photos / "6.jpg.xmp")
    for tag in ("XMP-xmp:Rating", "XMP-dc:Description", "XMP-lr:HierarchicalSubject"):
        assert after[tag] == before[tag]
    old, new = (t["XMP-mwg-rs:RegionInfo"]["RegionList"] for t in (before, after))
    assert [r["Name"] for r in new] == ["Ann", "Bob"]
    assert [r["Area"] for r in new] == [r["Area"] for r in old]


def test_a_real_album_goes_out_and_comes_back(data: Path, tmp_path: Path) -> None:
    """A few photos of one person by the real models; another library learns the names from the sidecars."""
    from facespace.embed import Embedder
    from facespace.faces.detect import Detector

    photos = tmp_path / "photos"
    photos.mkdir()
    for number in (2, 26, 32):
        shutil.copy(data / "albums" / "people" / f"IMG_{number:04}.jpg", photos)
    detector, embedder = Detector(None), Embedder(None)
    with Library(tmp_path / "one") as one:
        one.scan(photos, detector, embedder)
        people = one.group(embedder.spec).people
        for person in people:
            one.name(person.person, f"Somebody {person.person}")
        told = {f.address: p.name for p in one.group(embedder.spec).people for f in p.faces}
        assert len(one.write_sidecars().written) == 3
    assert sum(len(t["XMP-mwg-rs:RegionInfo"]["RegionList"]) for t in tags(*photos.glob("*.xmp"))) == len(
        told
    )
    with Library(tmp_path / "two") as two:
        two.scan(photos, detector, embedder)
        two.group(embedder.spec)
        assert two.import_names().n_confirmed == len(told)
        found = {f.address: p.name for p in two.group(embedder.spec).people for f in p.faces}
        assert found == told
        assert two.write_sidecars().written == []
