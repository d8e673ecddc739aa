"""XMP sidecars: where they lie, what they say, and the library's names merged into them.

`NAME.EXT.xmp` is what digiKam, darktable, PhotoPrism and immich look for, and tells `a.jpg` from `a.png`; Lightroom and
Adobe's other programs keep `NAME.xmp`, for raw files only. New sidecars are `NAME.EXT.xmp`; a photo that has `NAME.xmp`
alone keeps that, since programs that look for both pass over it once the other is there.
"""

from collections import Counter
from pathlib import Path, PurePath

from facespace.errors import DataError
from facespace.library.catalogue import Catalogue
from facespace.library.exchange.embedded import read_embedded
from facespace.library.exchange.files import OnPhoto, Written, put_file, read_file
from facespace.library.exchange.photos import ListedPhoto, Skipped, count_photos, folder_of, listed_photos
from facespace.library.exchange.xmp import merge_packet, read_packet

__all__ = ["Sidecars", "sidecar_of", "write_sidecars"]

SUFFIXES = (".xmp", ".XMP")


def sidecar_of(photo: Path) -> Path:
    """Where a new sidecar of a photo is put."""
    return photo.with_name(photo.name + ".xmp")


class Sidecars:
    """The sidecars beside the photos of a library.

    Args:
        library: open.
        folder: of the photos.
    """

    def __init__(self, library: Catalogue, folder: Path) -> None:
        self.folder = folder
        stems = Counter(str(PurePath(photo.path).with_suffix("")) for photo in library.photos())
        self._shared = {stem for stem, n in stems.items() if n > 1}

    def find(self, photo: str, *, to_write: bool = False) -> Path | None:
        """The sidecar of a photo, None where there is none.

        Args:
            photo: relative to the folder.
            to_write: not one that is said to be of another file of the same name, such as a raw one.
        """
        file = self.folder / photo
        for candidate in (file.with_name(file.name + suffix) for suffix in SUFFIXES):
            if candidate.is_file():
                return candidate
        for candidate in (file.with_suffix(suffix) for suffix in SUFFIXES):
            if candidate.is_file() and self._is_of(candidate, photo, to_write):
                return candidate
        return None

    def _is_of(self, sidecar: Path, photo: str, to_write: bool) -> bool:
        """Whether `NAME.xmp` is this photo's, not that of another one of the name."""
        shared = str(PurePath(photo).with_suffix("")) in self._shared
        try:
            extension = read_packet(sidecar.read_bytes()).extension
        except (OSError, DataError):
            return not shared
        if extension is None:
            return not shared
        return f".{extension}".lower() == PurePath(photo).suffix.lower() or not (shared or to_write)


def write_sidecars(
    library: Catalogue,
    to: Path | None = None,
    *,
    photos: Path | None = None,
    suggested: bool = False,
    keywords: bool = False,
    dry_run: bool = False,
    on_photo: OnPhoto | None = None,
) -> Written:
    """Write names and regions of people to sidecars. The photos stay as they are.

    Confirmed persons with a name are written, hidden ones are not. What other programs wrote is kept
    (`facespace.library.exchange.xmp`); a sidecar that cannot be parsed is left alone and reported.

    Args:
        library: open.
        to: a folder that mirrors that of the photos; None puts the sidecars beside the photos.
        photos: their folder, where it is not that of the last scan.
        suggested: write suggested names too.
        keywords: write the names as keywords too.
        dry_run: write nothing, only say what would be written.
        on_photo: called with (done, in all).

    Raises:
        LibraryError: the photos' folder is not there, or a file cannot be written.
    """
    folder = folder_of(library, photos)
    sidecars, result, total = Sidecars(library, folder), Written(), count_photos(library)
    for done, photo in enumerate(listed_photos(library), 1):
        try:
            _write(photo, sidecars, to, result, suggested=suggested, keywords=keywords, dry_run=dry_run)
        except DataError as error:
            result.skipped.append(Skipped(photo.path, f"its sidecar is left as it is: {error}"))
        if on_photo:
            on_photo(done, total)
    return result


def _write(
    photo: ListedPhoto,
    sidecars: Sidecars,
    to: Path | None,
    result: Written,
    *,
    suggested: bool,
    keywords: bool,
    dry_run: bool,
) -> None:
    beside = sidecars.find(photo.path, to_write=True)
    target = sidecar_of(to / photo.path) if to else beside or sidecar_of(sidecars.folder / photo.path)
    told = any(face.is_told(suggested) for face in photo.faces)
    if not told and not target.exists():
        return
    if reason := photo.changed(sidecars.folder):
        result.skipped.append(Skipped(photo.path, reason))
        return
    old = read_file(target)
    base = old or (read_file(beside) if beside else _embedded(sidecars.folder / photo.path))
    said = photo.said(sidecars.folder, suggested=suggested)
    content = merge_packet(base, said, keywords=keywords) or (base if told and old is None else None)
    if content is None:
        result.n_unchanged += told
        return
    if not dry_run:
        put_file(target, content)
    result.written.append(target)


def _embedded(photo: Path) -> bytes | None:
    """The photo's own packet where it has regions, which a sidecar would hide from those who read it."""
    packet = read_embedded(photo).packet
    return packet if packet and read_packet(packet).regions else None
