"""Pictures: read (upright RGB uint8), list, limits."""

from facespace.images.addresses import photo_path
from facespace.images.exif import Exif
from facespace.images.listing import (
    SUFFIXES,
    Listing,
    Stamp,
    StampedFiles,
    Unreadable,
    list_photos,
    stamp_photos,
    unread_videos,
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
from facespace.images.video import (
    EVERY_S,
    VIDEO_SUFFIXES,
    Video,
    VideoFrame,
    can_read_video,
    is_video,
)

__all__ = [
    "EVERY_S",
    "MAX_PIXELS",
    "SUFFIXES",
    "VIDEO_SUFFIXES",
    "Exif",
    "Listing",
    "Picture",
    "Stamp",
    "StampedFiles",
    "Unreadable",
    "Video",
    "VideoFrame",
    "can_read_video",
    "decode_image",
    "is_video",
    "list_photos",
    "photo_path",
    "read_bytes",
    "read_exif",
    "read_image",
    "read_photo",
    "read_tiff_size",
    "stamp_photos",
    "unread_videos",
]
