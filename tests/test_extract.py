import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError
from facespace.extract import PhotoFaces, embed_photos, extract_image, extract_photos
from facespace.images import Picture, Unreadable
from facespace.table import FaceTable
from fakes import DrawnDetector, DrawnEmbedder, draw_photo


def test_no_photos_give_nothing() -> None:
    assert list(extract_photos([], DrawnDetector(), DrawnEmbedder())) == []


def test_photos_come_in_order_and_broken_ones_do_not_stop_the_run(tmp_path: Path) -> None:
    photos = [draw_photo(tmp_path / f"{i:02}.png", *["red"] * (i % 3)) for i in range(20)]
    photos[7].write_bytes(b"broken")
    found = list(extract_photos(photos, DrawnDetector(), DrawnEmbedder(), workers=3))
    assert [item.photo for item in found] == photos
    assert isinstance(found[7], Unreadable) and "not a picture" in found[7].reason
    counts = [len(item.faces) for item in found if isinstance(item, PhotoFaces)]
    assert counts == [i % 3 for i in range(20) if i != 7]


def test_closing_early_drops_what_has_not_begun(tmp_path: Path) -> None:
    photos = [draw_photo(tmp_path / f"{i}.png", "red") for i in range(40)]
    detector = DrawnDetector()
    found = extract_photos(photos, detector, DrawnEmbedder(), workers=2)
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert detector.calls < 20


def test_boxes_are_in_pixels_of_the_whole_picture(tmp_path: Path) -> None:
    whole = np.full((100, 130, 3), 255, np.uint8)
    whole[20:80, 20:80] = (220, 30, 30)
    small = Picture(whole, (200, 260))
    faces = extract_image(small, DrawnDetector(), DrawnEmbedder())
    np.testing.assert_allclose(faces.faces.boxes_xyxy[0], [40.5, 40.5, 160.5, 160.5], atol=0.6)
    assert faces.thumbnails.shape == (1, 144, 144, 3) and faces.embeddings.shape == (1, 128)


def test_a_table_goes_on_where_it_stopped(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    draw_photo(photos / "a.png", "red", "blue")
    draw_photo(photos / "b.png")
    detector = DrawnDetector()
    first = embed_photos([photos], tmp_path / "faces", detector, DrawnEmbedder())
    assert (first.n_faces, first.n_photos, first.n_new, detector.calls) == (2, 2, 2, 2)
    draw_photo(photos / "c.png", "green")
    (photos / "d.jpg").write_bytes(b"broken")
    second = embed_photos([photos], tmp_path / "faces", detector, DrawnEmbedder())
    assert (second.n_faces, second.n_photos, second.n_new, detector.calls) == (3, 3, 1, 3)
    assert [u.photo.name for u in second.unreadable] == ["d.jpg"]
    table = FaceTable.load(tmp_path / "faces")
    assert [Path(table.photos[i]).name for i in table.photo_idx] == ["a.png", "a.png", "c.png"]


def test_folders_of_crops_name_the_people(tmp_path: Path) -> None:
    for name, colour in (("ann", (220, 30, 30)), ("bob", (30, 200, 40))):
        (tmp_path / "crops" / name).mkdir(parents=True)
        for i in range(3):
            image = Image.new("RGB", (112, 112), colour)
            image.putpixel((0, 0), (i, i, i))
            image.save(tmp_path / "crops" / name / f"{i}.png")
    result = embed_photos([tmp_path / "crops"], tmp_path / "faces", None, DrawnEmbedder())
    table = FaceTable.load(tmp_path / "faces")
    assert result.n_new == len(table) == 6
    assert table.labels is not None and table.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert embed_photos([tmp_path / "crops"], tmp_path / "faces", None, DrawnEmbedder()).n_new == 0


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing of that name"):
        embed_photos([tmp_path / "none"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())


def names_of(table: Path) -> list[str]:
    loaded = FaceTable.load(table)
    return sorted(Path(loaded.photos[i]).name for i in loaded.photo_idx)


def test_photos_that_are_gone_or_were_replaced_leave_the_table(tmp_path: Path) -> None:
    photos, faces = tmp_path / "photos", tmp_path / "faces"
    for name, who in (("a.png", "red"), ("b.png", "blue"), ("c.png", "green"), ("sub/d.png", "ochre")):
        draw_photo(photos / name, who)
    draw_photo(tmp_path / "elsewhere" / "e.png", "red", "blue")
    embed_photos([photos, tmp_path / "elsewhere"], faces, DrawnDetector(), DrawnEmbedder())
    (photos / "a.png").unlink()
    draw_photo(photos / "b.png", "green", "ochre", "red")
    (photos / "sub" / "d.png").rename(photos / "d.png")
    result = embed_photos([photos], faces, DrawnDetector(), DrawnEmbedder())
    assert (result.n_left, result.n_new, result.n_photos, result.n_faces) == (3, 2, 4, 7)
    assert names_of(faces) == ["b.png"] * 3 + ["c.png", "d.png", "e.png", "e.png"]
    result = embed_photos([photos / "b.png"], faces, DrawnDetector(), DrawnEmbedder())
    assert (result.n_left, result.n_new, result.n_photos) == (0, 0, 4)


def test_a_copy_takes_the_place_of_a_photo_that_is_gone(tmp_path: Path) -> None:
    draw_photo(tmp_path / "photos" / "a.png", "red")
    embed_photos([tmp_path / "photos"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    draw_photo(tmp_path / "photos" / "b.png", "red")
    embed_photos([tmp_path / "photos"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    (tmp_path / "photos" / "a.png").unlink()
    result = embed_photos([tmp_path / "photos"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    assert (result.n_left, result.n_new) == (1, 1) and names_of(tmp_path / "faces") == ["b.png"]


def test_a_folder_whose_disk_is_not_there_costs_no_faces(tmp_path: Path) -> None:
    photo = draw_photo(tmp_path / "photos" / "a.png", "red")
    embed_photos([tmp_path / "photos"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    photo.unlink()
    with pytest.raises(DataError, match="expected some of the 1 photos that the table holds"):
        embed_photos([tmp_path / "photos"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    assert names_of(tmp_path / "faces") == ["a.png"]


def test_a_photo_that_cannot_be_read_any_more_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_photo(tmp_path / "photos" / "a.png", "red")
    embed_photos([tmp_path / "photos"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    monkeypatch.setattr("facespace.extract.tables.content_hash", lambda _: "")
    result = embed_photos([tmp_path / "photos"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    assert result.n_left == 0 and result.n_photos >= 1


class OtherDetector(DrawnDetector):
    spec = dataclasses.replace(DrawnDetector.spec, sha256="f" * 64)


def test_another_detector_and_crops_do_not_mix_into_a_table(tmp_path: Path) -> None:
    draw_photo(tmp_path / "photos" / "a.png", "red")
    embed_photos([tmp_path / "photos"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    with pytest.raises(DataError, match="faces of another detector"):
        embed_photos([tmp_path / "photos"], tmp_path / "faces", OtherDetector(), DrawnEmbedder())
    with pytest.raises(DataError, match="faces of another detector"):
        embed_photos([tmp_path / "photos"], tmp_path / "faces", None, DrawnEmbedder())


def cut_jpeg(path: Path, share: float) -> bytes:
    """A JPEG of two people of which only a share is there; returns the whole."""
    drawn = draw_photo(path.with_suffix(".png"), "red", "blue")
    with Image.open(drawn) as image:
        image.save(path, quality=90)
    drawn.unlink()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return whole


def test_a_photo_that_is_cut_short_is_read_as_far_as_it_goes_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    cut_jpeg(tmp_path / "a.jpg", 0.99)
    cut_jpeg(tmp_path / "old.jpg", 0.99)
    os.utime(tmp_path / "old.jpg", (1e9, 1e9))
    result = embed_photos([tmp_path], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    assert result.n_faces == 4 and result.unreadable == ()
    assert [p.photo.name for p in result.partial] == ["a.jpg", "old.jpg"]
    assert len([s for s in waits if s > 0]) == 1  # the one that may still be growing is looked at again


def test_a_photo_that_is_still_growing_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    whole = cut_jpeg(path, 0.9)
    monkeypatch.setattr("time.sleep", lambda _: path.write_bytes(whole[: int(len(whole) * 0.95)]))
    result = embed_photos([path], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
    assert result.n_photos == 0 and "still being written" in result.unreadable[0].reason
    path.write_bytes(whole)
    assert embed_photos([path], tmp_path / "faces", DrawnDetector(), DrawnEmbedder()).n_faces == 2


def test_a_crop_that_is_cut_short_is_not_embedded(tmp_path: Path) -> None:
    for name, end in (("half", -1500), ("mark", -2)):
        path = tmp_path / "ann" / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(0).integers(0, 255, (112, 112, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path, quality=60)
        path.write_bytes(path.read_bytes()[:end])
    result = embed_photos([tmp_path], tmp_path / "faces", None, DrawnEmbedder())
    assert result.n_photos == 1 and [u.photo.name for u in result.unreadable] == ["half.jpg"]
    assert "cut short" in result.unreadable[0].reason
