"""A library of drawn photos on disk, stored in any orientation, for tests of what goes out of it and comes in."""

from pathlib import Path

from PIL import Image

from facespace.library import Library
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo

T = Image.Transpose
# What makes the stored picture of an upright one.
STORED = {
    1: None, 2: T.FLIP_LEFT_RIGHT, 3: T.ROTATE_180, 4: T.FLIP_TOP_BOTTOM, 5: T.TRANSPOSE, 6: T.ROTATE_90,
    7: T.TRANSVERSE, 8: T.ROTATE_270,
}  # fmt: skip


def draw_stored(path: Path, *names: str, orientation: int = 1) -> Path:
    """A drawn photo whose file holds it turned, with the EXIF orientation that sets it upright."""
    draw_photo(path, *names)
    turn = STORED[orientation]
    with Image.open(path) as upright:
        stored = upright.copy() if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exact = {"lossless": True} if path.suffix == ".webp" else {"quality": 95} if path.suffix == ".jpg" else {}
    stored.save(path, exif=exif, **exact)
    return path


def scanned(library: Library, photos: Path) -> Library:
    """The library after a scan of the photos and a grouping, as `facespace people` does them."""
    library.scan(photos, DrawnDetector(), DrawnEmbedder())
    library.group(SPEC)
    return library


def person_at(library: Library, face: str) -> int:
    """The number of the person of a face."""
    people = library.group(SPEC).people
    return next(p.person for p in people if face in {f.address for f in p.faces})


def names(library: Library) -> dict[str, str]:
    """The name of each confirmed face that has one, by its address."""
    people = library.group(SPEC).people
    return {f.address: p.name for p in people if p.name for f in p.faces if f.confirmed}
