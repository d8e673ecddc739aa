"""Copies of photos with the names inside. The originals stay as they are, and in the copies every pixel does."""

import os
from pathlib import Path

from facespace.errors import DataError
from facespace.library.catalogue import Catalogue
from facespace.library.exchange.embedded import EMBEDDABLE, put_packet, read_embedded
from facespace.library.exchange.files import OnPhoto, Written, check_outside, failure, put_file, read_file
from facespace.library.exchange.photos import ListedPhoto, Skipped, count_photos, folder_of, listed_photos
from facespace.library.exchange.sidecars import sidecar_of
from facespace.library.exchange.xmp import SaidPhoto, merge_packet

__all__ = ["write_copies"]

ANY_PACKET = b"<x/>"


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
    result, total = Written(), count_photos(library)
    for done, photo in enumerate(listed_photos(library), 1):
        if any(face.is_told(suggested) for face in photo.faces):
            try:
                _copy(photo, folder, to, result, suggested=suggested, keywords=keywords, dry_run=dry_run)
            except DataError as error:
                result.skipped.append(Skipped(photo.path, str(error)))
        if on_photo:
            on_photo(done, total)
    return result


def _copy(
    photo: ListedPhoto,
    folder: Path,
    to: Path,
    result: Written,
    *,
    suggested: bool,
    keywords: bool,
    dry_run: bool,
) -> None:
    if reason := photo.changed(folder):
        raise DataError(reason)
    target = to / photo.path
    original, there = read_file(folder / photo.path) or b"", read_file(target)
    if there is not None and not _is_same_picture(there, original):
        raise DataError(f"{target} is another file; it is left alone")
    said = photo.said(folder, suggested=suggested)
    content = original if there is None else there
    sidecar = None
    try:
        content = _with_names(content, target, said, keywords)
    except DataError as error:
        sidecar = merge_packet(read_file(sidecar_of(target)), said, keywords=keywords)
        if sidecar:
            result.skipped.append(
                Skipped(photo.path, f"the copy has a sidecar in place of a packet: {error}")
            )
    changed = content != there
    result.n_unchanged += not changed and not sidecar
    if changed:
        result.written.append(target)
    if sidecar:
        result.written.append(sidecar_of(target))
    if not dry_run and changed:
        put_file(target, content)
        _keep_time(folder / photo.path, target)
    if not dry_run and sidecar:
        put_file(sidecar_of(target), sidecar)


def _with_names(content: bytes, target: Path, said: SaidPhoto, keywords: bool) -> bytes:
    if target.suffix.lower() not in EMBEDDABLE:
        raise DataError("XMP is put into JPEG, PNG and WebP files only")
    packet = merge_packet(read_embedded(content).packet, said, keywords=keywords)
    return put_packet(content, packet) if packet else content


def _is_same_picture(a: bytes, b: bytes) -> bool:
    """Whether two files differ in their XMP packets at most."""
    try:
        return a == b or put_packet(a, ANY_PACKET) == put_packet(b, ANY_PACKET)
    except DataError:
        return False


def _keep_time(original: Path, copy: Path) -> None:
    """The time of the photo, by which programs sort."""
    try:
        status = original.stat()
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    except OSError as error:
        raise failure(copy, error) from error
