"""Camera RAW files are read by the preview in them."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import ImageError
from facespace.images import decode_image, list_photos, listing, read_image
from tiff_parts import camera_raw

RED, GREY = (200, 30, 40), (90, 90, 90)


def preview() -> bytes:
    image, buffer = Image.new("RGB", (320, 240), GREY), io.BytesIO()
    image.paste(RED, (0, 0, 160, 120))
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize(("orientation", "red_at"), [(1, (9, 9)), (3, (-9, -9)), (6, (9, -9)), (8, (-9, 9))])
def test_the_preview_is_turned_as_the_camera_was_held(
    tmp_path: Path, orientation: int, red_at: tuple[int, int]
) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "1.DNG"
    path.write_bytes(camera_raw(orientation, preview()))
    found = read_image(path)
    assert found.size_hw == ((320, 240) if orientation > 4 else (240, 320))
    assert np.abs(found.pixels[red_at].astype(int) - RED).max() < 20
    assert found.exif.orientation == orientation
    assert read_image(path, longest_side_px=80).scale == 0.25


@pytest.mark.parametrize("content", [b"no picture at all", camera_raw(1, b"no preview")[:300]])
def test_what_is_no_camera_raw_file_is_refused(content: bytes) -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(ImageError):
        decode_image(content, Path("1.nef"))
    assert decode_image(preview(), Path("1.nef")).size_hw == (240, 320)  # a JPEG under that name


def test_without_the_package_they_are_counted_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    monkeypatch.setattr(listing, "can_read_raw", lambda: False)
    with pytest.raises(ImageError, match=r"pip install 'facespace\[raw\]'"):
        decode_image(camera_raw(1, preview()), Path("1.nef"))
    for name in ("a/1.nef", "a/2.NEF", "3.cr2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = list_photos(tmp_path)
    assert found.photos == ()
    assert [(u.photo.name, u.n_files, u.reason) for u in found.unreadable] == [
        ("*.cr2", 1, "1 camera RAW file was not read; to read them: pip install 'facespace[raw]'"),
        ("*.nef", 2, "2 camera RAW files were not read; to read them: pip install 'facespace[raw]'"),
    ]
