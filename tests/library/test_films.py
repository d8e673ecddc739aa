"""Live photos and motion photos: one item with their still, whichever came first."""

from pathlib import Path

import pytest

from drawn_album import scanned
from drawn_video import draw_frame, write_video
from facespace.library import Library
from fakes import DrawnDetector, DrawnEmbedder, draw_photo

RED = draw_frame({"red": 20})


def film(path: Path, seconds: float = 3.0, identifier: str = "") -> Path:
    said = {"com.apple.quicktime.content.identifier": identifier} if identifier else None
    return write_video(path, [RED] * int(seconds * 10), metadata=said)


def items(library: Library, photos: Path) -> dict[str, bool]:
    """Each item with whether a film belongs to it; of a folder in which something always stays."""
    draw_photo(photos / "stays.png", "blue")
    scanned(library, photos)
    views = [library.browse.photo(photo.photo_id) for photo in library.photos()]
    return {view.photo: view.has_motion for view in views if view.photo != "stays.png"}


def test_a_live_photo_is_one_item(tmp_path: Path) -> None:
    still = draw_photo(tmp_path / "photos" / "a.png", "red").rename(tmp_path / "photos" / "a.jpg")
    moves = film(tmp_path / "photos" / "a.mov")
    with Library(tmp_path / "library") as library:
        assert items(library, tmp_path / "photos") == {"a.jpg": True}
        motion = library.motion(library.photos()[0].photo_id)
        assert motion is not None
        assert (motion.path, motion.offset, motion.length) == ("a.mov", 0, moves.stat().st_size)
        result = library.scan(tmp_path / "photos", DrawnDetector(), DrawnEmbedder())
        assert not result.has_changes and result.n_photos == 2
        still.unlink()
        assert items(library, tmp_path / "photos") == {"a.mov": False}


def test_a_film_that_came_before_its_still_is_no_item_from_then_on(tmp_path: Path) -> None:
    film(tmp_path / "photos" / "a.mov")
    with Library(tmp_path / "library") as library:
        assert items(library, tmp_path / "photos") == {"a.mov": False}
        draw_photo(tmp_path / "photos" / "a.png", "red")
        assert items(library, tmp_path / "photos") == {"a.png": True}
        (tmp_path / "photos" / "a.mov").unlink()
        assert items(library, tmp_path / "photos") == {"a.png": False}
        assert library.motion(library.photos()[0].photo_id) is None


@pytest.mark.parametrize(
    ("video", "seconds", "identifier", "in_still", "is_film"),
    [
        ("a.mov", 3, "", b"", True),
        ("a.mov", 10, "", b"", False),
        ("a.mov", 10, "ID-1", b"Apple iOS\0ID-1", True),
        ("a.mov", 3, "ID-1", b"Apple iOS\0ID-2", False),
        ("a.mov", 3, "ID-1", b"", True),  # of a still that was converted
        ("a.mkv", 3, "", b"", False),
    ],
)
def test_the_identifier_decides_else_the_length(
    tmp_path: Path, video: str, seconds: float, identifier: str, in_still: bytes, is_film: bool
) -> None:
    still = draw_photo(tmp_path / "photos" / "a.png", "red")
    still.write_bytes(still.read_bytes() + in_still)
    film(tmp_path / "photos" / video, seconds, identifier)
    with Library(tmp_path / "library") as library:
        expected = {"a.png": True} if is_film else {video: False, "a.png": False}
        assert items(library, tmp_path / "photos") == expected


def test_a_motion_photo_of_an_earlier_library_is_looked_at_once(tmp_path: Path) -> None:
    still = draw_photo(tmp_path / "photos" / "a.jpg", "red")
    packet = b'<x GCamera:MotionPhoto="1"/>'
    content = still.read_bytes()
    head = (
        b"\xff\xe1" + (2 + 29 + len(packet)).to_bytes(2, "big") + b"http://ns.adobe.com/xap/1.0/\0" + packet
    )
    still.write_bytes(content[:2] + head + content[2:] + film(tmp_path / "f.mp4").read_bytes())
    with Library(tmp_path / "library") as library:
        assert items(library, tmp_path / "photos") == {"a.jpg": True}
        number = library.photos()[0].photo_id
        motion = library.motion(number)
        catalogue = library._catalogue
        with catalogue.transaction():
            catalogue.execute("UPDATE photos SET motion_offset = NULL, note = ''")
        assert library.motion(number) is None
        assert items(library, tmp_path / "photos") == {"a.jpg": True} and library.motion(number) == motion
        assert motion is not None and motion.offset + motion.length == still.stat().st_size
