"""Films behind the pixels of stills, as Google, Samsung and the makers of HEIC put them there."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.images import read_exif, read_image
from facespace.images.containers import motion_offset

FILM = b"\0\0\0\x18ftypmp42" + bytes(range(200))
HEAD = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
TAIL = "</rdf:RDF></x:xmpmeta>"
CAMERA = "http://ns.google.com/photos/1.0/camera/"
MICRO = f'<rdf:Description xmlns:GCamera="{CAMERA}" GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{len(FILM)}"/>'
ITEMS = (
    f'<rdf:Description xmlns:Camera="{CAMERA}" Camera:MotionPhoto="1"><Container:Directory><rdf:Seq>'
    '<rdf:li><Container:Item Item:Mime="image/jpeg" Item:Semantic="Primary" Item:Length="0"/></rdf:li>'
    f'<rdf:li><Container:Item Item:Mime="video/mp4" Item:Semantic="MotionPhoto" Item:Length="{len(FILM)}"/></rdf:li>'
    "</rdf:Seq></Container:Directory></rdf:Description>"
)
SILENT = f'<rdf:Description xmlns:GCamera="{CAMERA}" GCamera:MotionPhoto="1"/>'


def jpeg(xmp: str = "", make: str = "") -> bytes:
    exif = Image.Exif()
    if make:
        exif[0x010F] = make
    file = io.BytesIO()
    packet = (HEAD + xmp + TAIL).encode() if xmp else b""
    Image.fromarray(np.full((40, 60, 3), 200, np.uint8)).save(file, "JPEG", exif=exif, xmp=packet)
    return file.getvalue()


def box(name: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + name + content


HEIC = box(b"ftyp", b"heic\0\0\0\0heic") + box(b"meta", bytes(40))


@pytest.mark.parametrize(
    ("still", "film"),
    [
        (jpeg(), b""),
        (jpeg(MICRO), FILM),
        (jpeg(ITEMS), FILM),
        (jpeg(SILENT), FILM),
        (jpeg(make="samsung") + b"MotionPhoto_Data", FILM),
        (HEIC + (8 + len(FILM)).to_bytes(4, "big") + b"mpvd", FILM),
    ],
    ids=["none", "micro video", "items", "without length", "samsung", "heic"],
)
def test_the_film_is_found_where_it_begins(still: bytes, film: bytes) -> None:
    assert motion_offset(still + film) == (len(still) if film else None)


@pytest.mark.parametrize(
    "content", [jpeg(MICRO) + b"no film" * 40, jpeg(ITEMS), jpeg(make="samsung") + b"MotionPhoto_Data", HEIC, b"",
                HEIC + b"\0\0\0\1mpvd", jpeg(SILENT)],
)  # fmt: skip
def test_what_is_said_and_not_there_is_nothing(content: bytes) -> None:
    assert motion_offset(content) is None


def test_a_photo_says_of_its_film(tmp_path: Path) -> None:
    still = jpeg(ITEMS)
    (tmp_path / "a.jpg").write_bytes(still + FILM)
    assert read_image(tmp_path / "a.jpg").exif.motion_offset == len(still)
    assert read_exif(tmp_path / "a.jpg").motion_offset == len(still)
