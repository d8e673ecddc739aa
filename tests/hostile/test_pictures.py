"""Pictures of every kind, changed at random: each is read or refused in one line, and memory stays bounded."""

import io
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import ImageError
from facespace.images import decode_image, read_exif
from hostile.mutate import mutations
from tiff_parts import camera_raw, exif_block, tiff_picture

N_EACH = 100
EXIF = b"Exif\0\0" + exif_block((0x0112, 3, b"\6\0"), taken="2024:07:01 12:30:05", zone="+02:00")
WORDS = (
    b"\xff\xd8", b"\xff\xd9", b"\xff\xda", b"\xff\xc0", b"\xff\xc2", b"\xff\xe1", b"\xff\xee", b"IHDR", b"IDAT",
    b"IEND", b"eXIf", b"iCCP", b"zTXt", b"tRNS", b"acTL", b"VP8X", b"VP8L", b"ANMF", b"EXIF", b"ftyp", b"meta",
    b"iloc", b"infe",
    b"II*\0", b"MM\0*", b"II+\0", b"Exif\0\0", b"\x12\x01\3\0\1\0\0\0\6\0\0\0", b"jP  ", b"GIF89a", b"BM", b"P6 ",
    zlib.compress(bytes(1 << 20)),
)  # fmt: skip


def picture() -> Image.Image:
    y, x = np.mgrid[0:24, 0:32]
    return Image.fromarray(np.stack([x * 8, y * 10, (x * y) % 256], -1).astype(np.uint8))


def saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    buffer = io.BytesIO()
    try:
        picture().resize((64, 64) if kind in ("HEIF", "AVIF") else (32, 24)).convert(mode).save(
            buffer, kind, **options
        )
    except (KeyError, OSError) as error:
        pytest.skip(f"Pillow does not write it: {error}")
    return buffer.getvalue()


def tiff(depth: type, **options: object) -> bytes:
    pixels = np.asarray(picture()).astype(depth)
    return tiff_picture(pixels, [(0x0112, 1, b"\6"), (700, 1, b"tiff:Orientation>8<")], **options)  # type: ignore[arg-type]


def samples(kind: str) -> list[bytes]:
    """A few good files of a kind."""
    both = {"exif": EXIF, "icc_profile": bytes(200)}
    made = {
        "JPEG": lambda: [saved(kind, **both), saved(kind, progressive=True), saved(kind, "CMYK"), saved(kind, "L")],
        "PNG": lambda: [saved(kind, **both), *(saved(kind, mode) for mode in ("P", "RGBA", "I;16", "1"))],
        "WEBP": lambda: [saved(kind, **both), saved(kind, "RGBA", lossless=True)],
        "TIFF": lambda: [tiff(np.uint8), tiff(np.uint16, planar=True), saved(kind, compression="tiff_lzw"),
                         saved(kind, "F"), saved(kind, "CMYK", compression="tiff_deflate"),
                         saved(kind, compression="jpeg")],
        "GIF": lambda: [saved(kind), saved(kind, save_all=True, append_images=[picture().rotate(9)])],
        "BMP": lambda: [saved(kind), saved(kind, "P"), saved(kind, "1")],
        "JPEG2000": lambda: [saved(kind), saved(kind, "RGBA")],
        "MPO": lambda: [saved(kind, save_all=True, append_images=[picture()])],
        "PPM": lambda: [saved(kind), saved(kind, "L")],
        "HEIF": lambda: [saved(kind, exif=EXIF)],
        "AVIF": lambda: [saved(kind, exif=EXIF)],
        "RAW": lambda: [camera_raw(6, saved("JPEG"))],
    }  # fmt: skip
    return made[kind]()


KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "MPO", "PPM", "HEIF", "AVIF", "RAW")


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_picture_is_read_or_refused_in_one_line(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / ("1.dng" if kind == "RAW" else "1.jpg")
    reasons, n_read = [], 0
    for i, content in enumerate(mutations(samples(kind), N_EACH, seed=len(kind), words=WORDS)):
        try:
            found = decode_image(content, path, longest_side_px=64 if i % 2 else None, max_pixels=1_000_000)
            n_read += 1
        except ImageError as error:
            reasons.append(str(error))
        else:
            assert found.pixels.dtype == np.uint8 and found.pixels.ndim == 3 and found.pixels.shape[2] == 3
            assert found.pixels.size <= 3_000_000 and type(found.exif.orientation) is int
        if i % 10 == 0:
            path.write_bytes(content)
            read_exif(path)
    assert n_read + len(reasons) == N_EACH and n_read > 0 and reasons
    assert not any("\n" in reason or len(reason) > 400 for reason in reasons)
    capfd.readouterr()  # what libraries of decoders print themselves


LARGE = """
import resource, sys
from pathlib import Path
from facespace.errors import ImageError
from facespace.images import read_image
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
for name in sys.argv[2:]:
    try:
        print(read_image(Path(name), longest_side_px=1280).pixels.shape)
    except ImageError as error:
        print(error.reason)
"""


def test_a_picture_of_many_pixels_takes_bounded_memory(tmp_path: Path) -> None:
    Image.new("RGBA", (6500, 6500)).save(tmp_path / "large.png", compress_level=1)
    Image.new("RGB", (12_000, 12_000), "red").save(tmp_path / "large.jpg", quality=20)
    content = (tmp_path / "large.jpg").read_bytes()
    frame = content.index(b"\xff\xc0")
    claims = content[: frame + 5] + b"\xff\xdc\xff\xdc" + content[frame + 9 :]  # 65500 x 65500
    (tmp_path / "claims.jpg").write_bytes(claims)
    names = ["large.png", "large.jpg", "claims.jpg"]
    run = subprocess.run(
        [sys.executable, "-c", LARGE, str(2 << 30), *(str(tmp_path / name) for name in names)],
        capture_output=True, text=True, timeout=120, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[:2] == ["(1280, 1280, 3)"] * 2 and len(lines) == 3
