from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError
from facespace.extract import PhotoFaces, embed_crops, embed_photos, extract_image, extract_photos
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
    found.close()
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
    result = embed_crops([tmp_path / "crops"], tmp_path / "faces", DrawnEmbedder())
    table = FaceTable.load(tmp_path / "faces")
    assert result.n_new == len(table) == 6
    assert table.labels is not None and table.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert embed_crops([tmp_path / "crops"], tmp_path / "faces", DrawnEmbedder()).n_new == 0


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing of that name"):
        embed_photos([tmp_path / "none"], tmp_path / "faces", DrawnDetector(), DrawnEmbedder())
