"""Copies of photos with the names inside. The originals stay as they are, and in the copies every pixel does."""

from pathlib import Path

from facespace.errors import DataError
from facespace.library.catalogue import Catalogue
from facespace.library.exchange.embedded import put_packet, read_embedded
from facespace.library.exchange.files import OnPhoto, Written, check_outside, put_file, read_file, write_each
from facespace.library.exchange.photos import ListedPhoto, Skipped, folder_of, is_told
from facespace.library.exchange.sidecars import sidecar_of
from facespace.library.exchange.xmp import SaidPhoto, merge_packet
from facespace.regular_files import read_regular

__all__ = ["write_copies"]

ANY_PACKET = b"<x/>"
MAX_PHOTO_BYTES = 2**30


def write_copies(
    library: Catalogue,
    to: Path,
    *,
    photos: Path | None = None,
    suggested: bool = False,
    keywords: bool = False,
    dry_run: bool = False,
    on_photo: OnPhoto | None = None,
) -> Written:
    """Copy the photos of people with names, the XMP packet put into JPEG, PNG and WebP; the others get a sidecar.

    A copy of an earlier run is brought up to date; another file of its name is left alone. Arguments and errors as
    `write_sidecars`, besides:

    Raises:
        InputError: ``to`` lies in the folder of the photos.
    """
    folder = folder_of(library, photos)
    check_outside(to, folder)

    def write(photo: ListedPhoto, result: Written) -> None:
        if not any(is_told(face, suggested) for face in photo.faces):
            return
        if reason := photo.changed(folder):
            raise DataError(reason)
        target, said = to / photo.path, photo.said(folder, suggested=suggested)
        original = read_regular(folder / photo.path, max_bytes=MAX_PHOTO_BYTES)
        there = read_file(target, max_bytes=MAX_PHOTO_BYTES)
        if there is not None and not _is_same_picture(there, original):
            raise DataError(f"{target} is another file; it is left alone")
        content, sidecar, reason = _copy(there or original, target, said, keywords)
        result.n_unchanged += content == there and not sidecar
        if content != there:
            if not dry_run:
                put_file(target, content, time_of=folder / photo.path)
            result.written.append(target)
        if sidecar:
            if not dry_run:
                put_file(sidecar_of(target), sidecar)
            result.written.append(sidecar_of(target))
            result.skipped.append(
                Skipped(photo.path, f"the copy has a sidecar in place of a packet: {reason}")
            )

    return write_each(library, write, on_photo)


def _copy(content: bytes, target: Path, said: SaidPhoto, keywords: bool) -> tuple[bytes, bytes | None, str]:
    """What is written for a photo: the copy; a sidecar where the names cannot be put inside, and why they cannot."""
    try:
        packet = merge_packet(read_embedded(content).packet, said, keywords=keywords)
        return put_packet(content, packet) if packet else content, None, ""
    except DataError as error:
        return content, merge_packet(read_file(sidecar_of(target)), said, keywords=keywords), str(error)


def _is_same_picture(a: bytes, b: bytes) -> bool:
    """Whether two files differ in their XMP packets at most."""
    try:
        return a == b or put_packet(a, ANY_PACKET) == put_packet(b, ANY_PACKET)
    except DataError:
        return False
