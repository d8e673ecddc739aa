"""Photos and videos with their faces put into a catalogue, moved and taken out of it again."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from facespace.errors import ImageError
from facespace.extract import ImageFaces, PhotoFaces, Track, VideoFaces
from facespace.images import Stamp, Unreadable, is_video, read_exif, read_tiff_size
from facespace.images.jpeg import to_jpeg
from facespace.library.carried import carried_ids, known_faces, known_photos
from facespace.library.catalogue import Catalogue
from facespace.library.differences import Move
from facespace.library.files import remove_files
from facespace.models import ModelSpec
from facespace.store import path_in, path_out
from facespace.table import face_id

Found = PhotoFaces | VideoFaces
THUMBNAIL_QUALITY = 82
# What Python and SQLite raise where a value has no place in a column.
REFUSED = (ValueError, TypeError, OverflowError, sqlite3.DataError, sqlite3.IntegrityError,
           sqlite3.InterfaceError, sqlite3.ProgrammingError)  # fmt: skip


def thumbnails_of(found: Found) -> list[bytes]:
    """The thumbnails of faces or tracks as JPEG; the costly part of keeping a photo, which workers can do."""
    shown = found.best if isinstance(found, VideoFaces) else found
    return [to_jpeg(pixels, quality=THUMBNAIL_QUALITY) for pixels in shown.thumbnails]


def add_faces(
    catalogue: Catalogue,
    found: Found,
    path: str,
    stamp: Stamp,
    *,
    detector: str,
    embedder: ModelSpec,
    thumbnails: list[bytes] | None = None,
) -> None:
    """Keep the faces of a photo, or the tracks of a video, in place of what was known of it.

    A face that was known before, at this path or in a photo of this content that had gone, keeps its id and
    so its names and corrections; see `facespace.library.carried`. A photo with a value that has no place in the
    catalogue is an ImageError, and nothing of it is kept.
    """
    jpegs = thumbnails_of(found) if thumbnails is None else thumbnails  # while others may write
    with catalogue.transaction():
        try:
            gone = _replace_faces(catalogue, found, path, stamp, (detector, embedder), jpegs)
        except REFUSED as error:
            raise ImageError(Path(path), f"has metadata that cannot be kept: {error}") from error
    remove_files(catalogue.folder, gone)


def _replace_faces(
    catalogue: Catalogue,
    found: Found,
    path: str,
    stamp: Stamp,
    models: tuple[str, ModelSpec],
    thumbnails: list[bytes],
) -> list[int]:
    """Returns the ids of the faces that were known there."""
    detector, embedder = models
    before = known_photos(catalogue, path, found.sha256)
    old = known_faces(catalogue, before, embedder.sha256)
    _give_up_path(catalogue, path)
    for photo in before:
        _drop_views(catalogue, photo)
    photo_id = _insert_photo(catalogue, path, stamp, found, (detector, embedder.sha256))
    kept = carried_ids(old, found) if old else {}
    ids = [kept.get(i) or _new_face_id(catalogue, found.sha256, i) for i in range(len(thumbnails))]
    forgotten = set(catalogue.values("SELECT face_id FROM ignored WHERE why = 'forgotten'") if kept else ())
    rows: list[tuple[int, int | None, ImageFaces | Track, int, bytes]] = []
    n = len(ids)
    for number, jpeg, (seen, first, n_views) in zip(ids, thumbnails, _appearances(found), strict=True):
        if number in forgotten:
            catalogue.execute("UPDATE faces SET photo_id = ? WHERE face_id = ?", (photo_id, number))
        else:
            rows.append((number, None, seen, first, jpeg))
            others = (_new_face_id(catalogue, found.sha256, n + i) for i in range(n_views - 1))
            rows += [(other, number, seen, view, b"") for view, other in enumerate(others, 1)]
        n += n_views - 1
    for row in rows:
        _put_face(catalogue, photo_id, *row)
    if rows:
        catalogue.templates.add(
            np.array([number for number, *_ in rows], np.int64),
            np.stack([seen.embeddings[i] for _, _, seen, i, _ in rows]),
            embedder,
            quality=np.array([seen.quality[i] for _, _, seen, i, _ in rows]),
        )
    for photo in before:
        _drop_photo(catalogue, photo)
    return [face.face_id for face in old]


def _appearances(found: Found) -> list[tuple[ImageFaces | Track, int, int]]:
    """Each face or track: among which faces it is, the place of the one that stands for it, and its number of views."""
    if isinstance(found, VideoFaces):
        return [(track, 0, len(track)) for track in found]
    return [(found, i, 1) for i in range(len(found.faces))]


def add_unreadable(catalogue: Catalogue, path: str, stamp: Stamp, reason: str) -> None:
    """Remember that a photo cannot be read, and why."""
    with catalogue.transaction():
        for number in _give_up_path(catalogue, path):
            _drop_photo(catalogue, number)
        catalogue.execute(
            "INSERT INTO photos (path, device, inode, size_bytes, mtime_ns, unreadable, kind)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                path_in(path),
                *stamp,
                reason.encode(errors="backslashreplace").decode(),
                "video" if is_video(path) else "photo",
            ),
        )


def unread_photos(
    catalogue: Catalogue, column: Literal["unreadable", "note"] = "unreadable"
) -> tuple[Unreadable, ...]:
    """The photos that cannot be read, by path; by "note" those read as far as they go, with what is missing of them."""
    rows = catalogue.rows(
        f"SELECT path, {column} AS reason FROM photos WHERE path IS NOT NULL AND {column} <> '' ORDER BY path"
    )
    return tuple(Unreadable(Path(path_out(row["path"])), row["reason"]) for row in rows)


def move_photos(catalogue: Catalogue, moves: Sequence[Move]) -> None:
    """Each photo of that content now stands at that path with that stamp, if it is here still.

    A photo whose place another one takes without moving itself is dropped.
    """
    if not moves:
        return
    with catalogue.transaction():
        # All leave before any arrives, since photos may have changed places.
        known = [(move.photo.photo_id, move.photo.sha256) for move in moves]
        catalogue.execute_all("UPDATE photos SET path = NULL WHERE photo_id = ? AND sha256 = ?", known)
        for move in moves:
            for other in _give_up_path(catalogue, move.path):
                _drop_photo(catalogue, other)
            catalogue.execute(
                "UPDATE photos SET path = ?, device = ?, inode = ?, size_bytes = ?, mtime_ns = ?"
                " WHERE photo_id = ? AND sha256 = ?",
                (path_in(move.path), *move.stamp, move.photo.photo_id, move.photo.sha256),
            )


def check_exif(catalogue: Catalogue, root: Path) -> None:
    """Look once at what photos say of themselves that an earlier version has read, or has not understood.

    A photo that was not turned as it should have been is read again by the scan; one that is not there waits.
    """
    looked, turned = [], []
    for row in catalogue.rows(
        "SELECT photo_id, path, orientation, height, width FROM photos"
        " WHERE path IS NOT NULL AND unreadable IS NULL AND (note = '' OR orientation IS NULL) AND kind = 'photo'"
    ):
        file = root / path_out(row["path"])
        if not file.exists():
            continue
        found = read_exif(file)
        if row["orientation"] in (None, found.orientation):
            size_hw = (read_tiff_size(file) if found.orientation > 4 else None) or (
                row["height"],
                row["width"],
            )
            looked.append((found.orientation, found.taken_at, found.motion_offset, *size_hw, row["photo_id"]))
        else:
            turned.append((row["photo_id"],))
    if not (looked or turned):
        return
    with catalogue.transaction():
        catalogue.execute_all(
            "UPDATE photos SET orientation = ?, taken_at = ?, motion_offset = ?, height = ?, width = ?,"
            " note = NULLIF(note, '') WHERE photo_id = ?",
            looked,
        )
        catalogue.execute_all(
            "UPDATE photos SET sha256 = NULL, mtime_ns = -1, note = NULL WHERE photo_id = ?", turned
        )


def remove_photos(catalogue: Catalogue, photo_ids: list[int]) -> None:
    """Drop photos with their faces, templates and thumbnails, out of the bytes of the file too.

    Of an annotated face the box stays, so that a restored photo finds its names and corrections.
    """
    if not photo_ids:
        return
    faces: list[int] = []
    with catalogue.transaction():
        for photo in photo_ids:
            faces += catalogue.values("SELECT face_id FROM faces WHERE photo_id = ?", (photo,))
            _drop_photo(catalogue, photo)
    remove_files(catalogue.folder, faces)
    catalogue.checkpoint()


def _insert_photo(
    catalogue: Catalogue, path: str, stamp: Stamp, found: Found, models: tuple[str, str]
) -> int:
    height, width = found.size_hw
    cursor = catalogue.execute(
        "INSERT INTO photos (path, device, inode, size_bytes, mtime_ns, sha256, width, height, orientation, taken_at,"
        " motion_offset, note, detector, embedder, kind, duration_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            path_in(path), *stamp, found.sha256, width, height, found.exif.orientation, found.exif.taken_at,
            found.exif.motion_offset,
            found.note, *models, *(("video", found.duration_s) if isinstance(found, VideoFaces) else ("photo", None)),
        ),
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


def _give_up_path(catalogue: Catalogue, path: str) -> list[int]:
    """The photo that stood at that path, if any, stands nowhere now."""
    gone = catalogue.values("SELECT photo_id FROM photos WHERE path = ?", (path_in(path),))
    catalogue.execute("UPDATE photos SET path = NULL WHERE path = ?", (path_in(path),))
    return gone


def _drop_photo(catalogue: Catalogue, photo_id: int) -> None:
    """Drop a photo; of annotated faces the box stays, and with it the bare photo."""
    _drop_views(catalogue, photo_id)
    faces = catalogue.values("SELECT face_id FROM faces WHERE photo_id = ?", (photo_id,))
    catalogue.templates.remove(np.array(faces, np.int64))
    catalogue.execute(
        "DELETE FROM faces WHERE photo_id = ? AND face_id NOT IN (SELECT face_id FROM ignored)"
        " AND NOT EXISTS (SELECT 1 FROM changes WHERE changes.face_id = faces.face_id)"
        " AND NOT EXISTS (SELECT 1 FROM assignments a WHERE a.face_id = faces.face_id AND state = 'confirmed')",
        (photo_id,),
    )
    of_photo = " WHERE face_id IN (SELECT face_id FROM faces WHERE photo_id = ?)"
    catalogue.execute("DELETE FROM assignments" + of_photo + " AND state = 'suggested'", (photo_id,))
    catalogue.execute("UPDATE faces SET thumbnail = x'', landmarks = x'' WHERE photo_id = ?", (photo_id,))
    catalogue.execute(
        "UPDATE photos SET path = NULL, detector = NULL, embedder = NULL, taken_at = NULL, note = NULL"
        " WHERE photo_id = ?",
        (photo_id,),
    )
    catalogue.execute(
        "DELETE FROM photos WHERE photo_id = ? AND photo_id NOT IN (SELECT photo_id FROM faces)", (photo_id,)
    )


def _drop_views(catalogue: Catalogue, photo_id: int) -> None:
    """Of tracks nothing but the face that stands for each."""
    views = catalogue.values("SELECT face_id FROM faces WHERE photo_id = ? AND of_track NOTNULL", (photo_id,))
    catalogue.templates.remove(np.array(views, np.int64))
    catalogue.execute("DELETE FROM faces WHERE photo_id = ? AND of_track NOTNULL", (photo_id,))


def _put_face(
    catalogue: Catalogue,
    photo_id: int,
    number: int,
    of_track: int | None,
    seen: ImageFaces | Track,
    i: int,
    thumbnail: bytes,
) -> None:
    """The i-th of the faces seen, under a number; ``of_track`` is that of the face that stands for its track."""
    box = (float(v) for v in seen.faces.boxes_xyxy[i])
    points = seen.faces.landmarks_xy[i].astype("<f4").tobytes()
    values = (*box, points, float(seen.faces.scores[i]), float(seen.quality[i]), thumbnail)
    time_s = begin_s = end_s = None
    if isinstance(seen, Track):
        time_s = float(seen.time_s[i])
        begin_s, end_s = (seen.begin_s, seen.end_s) if of_track is None else (None, None)
    catalogue.execute(
        "INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (face_id) DO UPDATE SET"
        " photo_id = excluded.photo_id, x0 = excluded.x0, y0 = excluded.y0, x1 = excluded.x1, y1 = excluded.y1,"
        " landmarks = excluded.landmarks, score = excluded.score, quality = excluded.quality,"
        " thumbnail = excluded.thumbnail, time_s = excluded.time_s, begin_s = excluded.begin_s, end_s = excluded.end_s",
        (number, photo_id, *values, time_s, begin_s, end_s, of_track),
    )


def _new_face_id(catalogue: Catalogue, sha256: str, index: int) -> int:
    """The face's stable id; a copy of a photo that is in the library already takes the next free one."""
    candidate = face_id(sha256, index)
    while catalogue.row("SELECT 1 FROM faces WHERE face_id = ?", (candidate,)):
        candidate = (candidate + 1) & (2**63 - 1)
    return candidate
