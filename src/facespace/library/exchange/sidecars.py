"""XMP with the library's names: sidecars beside photos, packets inside copies of them. The originals stay as they are.

`NAME.EXT.xmp` is what digiKam, darktable, PhotoPrism and immich look for, and tells `a.jpg` from `a.png`; Lightroom and
Adobe's other programs keep `NAME.xmp`, for raw files only. New sidecars are `NAME.EXT.xmp`; a photo that has `NAME.xmp`
alone keeps that, since programs that look for both pass over it once the other is there.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePath, PurePosixPath

from facespace.errors import DataError
from facespace.library.catalogue import LibraryPart
from facespace.library.exchange.embedded import MAX_PHOTO_BYTES, put_packet, read_embedded
from facespace.library.exchange.files import (
    ListedPhoto,
    OnPhoto,
    Skipped,
    Written,
    check_outside,
    files_below,
    folder_of,
    is_exported,
    path_key,
    put_file,
    read_file,
    write_each,
)
from facespace.library.exchange.xmp import NamedPhoto, merge_packet, read_packet
from facespace.regular_files import read_regular

SUFFIX = ".xmp"


def sidecar_of(photo: Path) -> Path:
    """Where a new sidecar of a photo is put."""
    return photo.with_name(photo.name + SUFFIX)


class Sidecars:
    """The sidecars beside the photos of a library, in whatever letters their names are.

    Args:
        folder: of the photos.
        files: all files below it (`files_below`).
        photos: the photos' paths, relative to the folder.

    Attributes:
        unused: those that no photo was found to have.
    """

    def __init__(self, folder: Path, files: Iterable[str], photos: Collection[str]) -> None:
        self.folder = folder
        self._photos = set(photos)
        self._stems = Counter(path_key(_stem(photo)) for photo in photos)
        self._found: dict[str, list[str]] = defaultdict(list)
        for file in files:
            if file.lower().endswith(SUFFIX):
                self._found[path_key(file)].append(file)
        self.unused = {file for found in self._found.values() for file in found}

    def find(self, photo: str, *, to_write: bool = False) -> Iterator[Path]:
        """The sidecars of a photo, the one that counts first.

        Args:
            photo: relative to the folder.
            to_write: not one that states another file of the same name, such as a raw one.
        """
        own = self._named(photo)
        own.sort(key=lambda file: _stem(file) != photo)
        shared = [file for file in self._named(_stem(photo)) if self._is_of(file, photo, to_write)]
        for file in (*own, *(file for file in shared if file not in own)):
            self.unused.discard(file)
            yield self.folder / file

    def _named(self, path: str) -> list[str]:
        """Files of that name and the suffix; one that is spelt like another photo is that one's."""
        found = self._found.get(path_key(path + SUFFIX), [])
        return [file for file in found if _stem(file) == path or _stem(file) not in self._photos]

    def _is_of(self, sidecar: str, photo: str, to_write: bool) -> bool:
        """Whether `NAME.xmp` is this photo's, not that of another one of the name."""
        shared = self._stems[path_key(_stem(photo))] > 1
        try:
            extension = read_packet(read_file(self.folder / sidecar) or b"").extension
        except (OSError, DataError):
            return not shared
        if extension is None:
            return not shared
        return f".{extension}".lower() == PurePath(photo).suffix.lower() or not (shared or to_write)


def _stem(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


ANY_PACKET = b"<x/>"


class WritingXmp(LibraryPart):
    """XMP that a library writes."""

    def write_sidecars(
        self,
        to: Path | None = None,
        *,
        photos: Path | None = None,
        suggested: bool = False,
        keywords: bool = False,
        dry_run: bool = False,
        on_photo: OnPhoto | None = None,
    ) -> Written:
        """Write names and regions of people to sidecars; of videos the names. The photos stay as they are.

        Confirmed persons with a name are written, hidden ones are not. What other programs wrote is kept
        (`facespace.library.exchange.xmp`). A sidecar that cannot be parsed or written is left alone and reported.

        Args:
            to: a folder that mirrors that of the photos; None puts the sidecars beside the photos.
            photos: their folder, where it is not that of the last scan.
            suggested: write suggested names too.
            keywords: write the names as keywords too.
            dry_run: write nothing, only report what would be written.
            on_photo: called with (done, in all).

        Raises:
            LibraryError: the photos' folder is not there.
        """
        folder, paths = folder_of(self._catalogue, photos), [photo.path for photo in self._catalogue.photos()]
        sidecars = Sidecars(folder, files_below(folder, paths), paths)

        def write(photo: ListedPhoto, result: Written) -> None:
            beside = next(sidecars.find(photo.path, to_write=True), None)
            target = sidecar_of(to / photo.path) if to else beside or sidecar_of(folder / photo.path)
            exported = any(is_exported(face, suggested) for face in photo.faces)
            if not exported and not os.path.lexists(target):
                return
            if reason := photo.changed(folder):
                raise DataError(reason)
            old = read_file(target)
            base = old or (
                read_file(beside) if beside else None if photo.is_video else _embedded(folder / photo.path)
            )
            named = photo.named(folder, suggested=suggested)
            try:
                content = merge_packet(base, named, keywords=keywords) or (
                    base if exported and old is None else None
                )
            except DataError as error:
                raise DataError(f"its sidecar is left as it is: {error}") from error
            if content is None:
                result.n_unchanged += exported
                return
            if not dry_run:
                put_file(target, content)
            result.written.append(target)

        return write_each(self._catalogue, write, on_photo)

    def write_copies(
        self,
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
        of `write_sidecars`, besides:

        Raises:
            InputError: ``to`` lies in the folder of the photos.
        """
        folder = folder_of(self._catalogue, photos)
        check_outside(to, folder)

        def write(photo: ListedPhoto, result: Written) -> None:
            if not any(is_exported(face, suggested) for face in photo.faces):
                return
            if reason := photo.changed(folder):
                raise DataError(reason)
            target, named = to / photo.path, photo.named(folder, suggested=suggested)
            original = read_regular(folder / photo.path, max_bytes=MAX_PHOTO_BYTES)
            there = read_file(target, max_bytes=MAX_PHOTO_BYTES)
            if there is not None and not _is_same_picture(there, original):
                raise DataError(f"{target} is another file; it is left alone")
            content, sidecar, reason = _copy(there or original, target, named, keywords)
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
                    Skipped(photo.path, f"the copy has a sidecar instead of a packet: {reason}")
                )

        return write_each(self._catalogue, write, on_photo)


def _embedded(photo: Path) -> bytes | None:
    """The photo's own packet where it has regions, which a sidecar would hide from those who read it."""
    found = read_embedded(photo)
    packets = (packet for packet in (found.packet, found.extension) if packet)
    return next((packet for packet in packets if read_packet(packet).regions), None)


def _copy(content: bytes, target: Path, named: NamedPhoto, keywords: bool) -> tuple[bytes, bytes | None, str]:
    """What is written for a photo: the copy; a sidecar where the names cannot be put inside, and why they cannot."""
    try:
        packet = merge_packet(read_embedded(content).packet, named, keywords=keywords)
        return put_packet(content, packet) if packet else content, None, ""
    except DataError as error:
        return content, merge_packet(read_file(sidecar_of(target)), named, keywords=keywords), str(error)


def _is_same_picture(a: bytes, b: bytes) -> bool:
    """Whether two files differ in their XMP packets at most."""
    try:
        return a == b or put_packet(a, ANY_PACKET) == put_packet(b, ANY_PACKET)
    except DataError:
        return False
