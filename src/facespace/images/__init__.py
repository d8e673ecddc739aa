"""Pictures: read (upright RGB uint8), list, limits."""

from facespace.images.exif import Exif
from facespace.images.listing import (
    SUFFIXES,
    Listing,
    Stamp,
    StampedFiles,
    Unreadable,
    list_photos,
    stamp_photos,
)
from facespace.images.read import (
    MAX_PIXELS,
    Picture,
    decode_image,
    read_bytes,
    read_exif,
    read_image,
    read_photo,
    read_tiff_size,
)

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "Exif",
    "Listing",
    "Picture",
    "Stamp",
    "StampedFiles",
    "Unreadable",
    "decode_image",
    "list_photos",
    "read_bytes",
    "read_exif",
    "read_image",
    "read_photo",
    "read_tiff_size",
    "stamp_photos",
]
