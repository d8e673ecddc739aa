"""Galleries of our own as the commands open them: files, and Milvus with the token of the environment."""

import logging
import os
from pathlib import Path

from facespace.errors import GalleryError, InputError
from facespace.gallery import Gallery
from facespace.store.milvus.address import is_milvus

TOKEN = "FACESPACE_MILVUS_TOKEN"


def is_address(place: str) -> bool:
    """Whether a gallery is behind a service."""
    return place.startswith(("https://", "http://"))


def own_gallery(place: str, *, create: bool = True) -> Gallery:
    """The gallery at a path or an address in Milvus.

    Raises:
        InputError: it is behind a service.
        GalleryError: it cannot be opened.
    """
    if is_address(place):
        raise InputError(f"{place}: expected a gallery's own place, run this where the service keeps it")
    # Its client logs a traceback for every request that fails; the error is shown in one line.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    return Gallery(place, create=create, token=milvus_token())


def milvus_token() -> str:
    """Of the environment; empty for none."""
    return os.environ.get(TOKEN, "")


def is_there(place: str) -> bool:
    """Whether there is a gallery, or a file that is not empty."""
    if not is_milvus(place):
        own = Path(place)
        return not is_address(place) and own.exists() and own.stat().st_size > 0
    try:
        own_gallery(place, create=False).close()
    except GalleryError as error:
        if "there is no such one" in str(error):
            return False
        raise
    return True
