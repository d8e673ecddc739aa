"""Which store stands behind a gallery: a file, or Milvus."""

from pathlib import Path

from facespace.gallery.roster import Roster
from facespace.gallery.sqlite_roster import SqliteRoster
from facespace.store.milvus.address import is_milvus


def open_roster(place: Path | str, *, create: bool = True, token: str = "") -> Roster:
    """The roster of the gallery at a path or an address; see `Gallery`.

    Raises:
        InputError: no address of a gallery.
        GalleryError: the gallery cannot be opened.
    """
    if is_milvus(place):
        from facespace.gallery.milvus_roster import MilvusRoster

        return MilvusRoster(str(place), token=token, create=create)
    return SqliteRoster(Path(place), create=create)
