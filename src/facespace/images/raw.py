"""Camera RAW files by the preview that the camera has put into them (LibRaw, by the package rawpy)."""

import io
from functools import cache
from importlib.util import find_spec

from facespace.errors import MissingExtraError
from facespace.images.exif import Exif, exif_of

__all__ = ["RAW_SUFFIXES", "can_read_raw", "raw_preview"]

RAW_SUFFIXES = frozenset((
    ".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dcs", ".dng", ".erf", ".fff", ".gpr",
    ".iiq", ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw", ".rw2",
    ".rwl", ".sr2", ".srf", ".srw", ".x3f",
))  # fmt: skip
# LibRaw's name of a turn to the orientation that asks for it.
ORIENTATIONS = {3: 3, 5: 8, 6: 6}


@cache
def can_read_raw() -> bool:
    """Whether the optional package is there."""
    return find_spec("rawpy") is not None


def raw_preview(content: bytes) -> tuple[bytes, Exif]:
    """The preview as a picture file of its own, and what the RAW file says of itself.

    Raises:
        MissingExtraError: the optional package is absent.
        Exception: of many kinds, for files that LibRaw cannot read.
    """
    try:
        import rawpy
    except ImportError as error:
        raise MissingExtraError("a camera RAW file", "raw") from error
    with rawpy.imread(io.BytesIO(content)) as raw:
        orientation = ORIENTATIONS.get(raw.sizes.flip, 1)
        try:
            preview = raw.extract_thumb()
            pixels = preview.data
        except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
            pixels = raw.postprocess(half_size=True, user_flip=0)
    if not isinstance(pixels, bytes):  # an array
        pixels = b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()
    return pixels, Exif(orientation, exif_of(content).taken_at)
