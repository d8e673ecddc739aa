"""The catalogue's tables: the history of their schema, step by step."""

import sqlite3

from facespace.errors import LibraryError
from facespace.store import FileKind, Step, run_script, template_tables_1, template_tables_2

# A step is never changed once it has been released; see facespace.store.database.
CATALOGUE_1 = """
CREATE TABLE models (
    sha256 TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    spec TEXT NOT NULL                 -- the ModelSpec as JSON: thresholds and byte scale at the time of use
) STRICT;
CREATE TABLE photos (
    photo_id INTEGER PRIMARY KEY,
    path ANY NOT NULL UNIQUE,          -- relative to the photo folder; bytes where the name is not UTF-8
    sha256 TEXT,                       -- of the content; null where it could not be read
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    width INTEGER,                     -- of the upright picture, in pixels
    height INTEGER,
    detector TEXT REFERENCES models,
    embedder TEXT REFERENCES models,
    unreadable TEXT                    -- why there is nothing to see, else null
) STRICT;
CREATE TABLE faces (
    face_id INTEGER PRIMARY KEY,
    photo_id INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
    landmarks BLOB NOT NULL,           -- 10 float32, little endian: x, y of the five points
    score REAL NOT NULL,
    quality REAL NOT NULL,
    thumbnail BLOB NOT NULL            -- JPEG
) STRICT;
CREATE INDEX faces_of_photo ON faces (photo_id);
CREATE TABLE templates (
    face_id INTEGER NOT NULL REFERENCES faces ON DELETE CASCADE,
    model TEXT NOT NULL REFERENCES models,
    vector BLOB NOT NULL,              -- one signed byte a component
    PRIMARY KEY (face_id, model)
) STRICT, WITHOUT ROWID;
CREATE TABLE people (
    person_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT
) STRICT;
CREATE TABLE assignments (
    face_id INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,
    person_id INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('suggested', 'confirmed'))
) STRICT;
CREATE INDEX assignments_of_person ON assignments (person_id);
"""

# The template store's own tables take the place of the first ones: a number in place of a hash with every template,
# and its quality beside it.
ASIDE_2 = """
ALTER TABLE models RENAME TO models_1;
ALTER TABLE templates RENAME TO templates_1;
"""
CATALOGUE_2 = """
INSERT INTO models (sha256, label, spec) SELECT sha256, name, spec FROM models_1 ORDER BY rowid;
INSERT INTO templates (face_id, model_id, vector, quality)
    SELECT face_id, model_id, vector, quality
    FROM templates_1 JOIN models ON models.sha256 = templates_1.model JOIN faces USING (face_id)
    ORDER BY face_id, model_id;
DROP TABLE templates_1;
CREATE TABLE photos_2 (
    photo_id INTEGER PRIMARY KEY,
    path ANY NOT NULL UNIQUE,          -- relative to the photo folder; bytes where the name is not UTF-8
    sha256 TEXT,                       -- of the content; null where it could not be read
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    width INTEGER,                     -- of the upright picture, in pixels
    height INTEGER,
    detector TEXT REFERENCES models (sha256),
    embedder TEXT REFERENCES models (sha256),
    unreadable TEXT                    -- why there is nothing to see, else null
) STRICT;
INSERT INTO photos_2 SELECT * FROM photos;
DROP TABLE photos;
DROP TABLE models_1;
ALTER TABLE photos_2 RENAME TO photos;
"""

# What people say, and the history of it. A face that something was said of stays when its photo goes, without
# template and thumbnail, so that the photo finds it again when it comes back.
CATALOGUE_3 = """
CREATE TABLE photos_3 (
    photo_id INTEGER PRIMARY KEY,
    path ANY UNIQUE,                   -- relative to the photo folder; bytes where the name is not UTF-8; null: gone
    sha256 TEXT,                       -- of the content; null where it could not be read
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    width INTEGER,                     -- of the upright picture, in pixels
    height INTEGER,
    orientation INTEGER,               -- 1 to 8, as EXIF has it; null where nobody has looked yet
    taken_at TEXT,                     -- by the camera's clock, ISO 8601; null where the file does not say
    detector TEXT REFERENCES models (sha256),
    embedder TEXT REFERENCES models (sha256),
    unreadable TEXT                    -- why there is nothing to see, else null
) STRICT;
INSERT INTO photos_3 SELECT photo_id, path, sha256, device, inode, size_bytes, mtime_ns, width, height, NULL, NULL,
    detector, embedder, unreadable FROM photos;
DROP TABLE photos;
ALTER TABLE photos_3 RENAME TO photos;
CREATE INDEX photos_by_content ON photos (sha256);

ALTER TABLE people ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
-- 1 once somebody has said something of this person, who from then on changes only by what is said.
ALTER TABLE people ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;

CREATE TABLE assignments_3 (
    face_id INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,
    person_id INTEGER NOT NULL REFERENCES people,
    state TEXT NOT NULL CHECK (state IN ('suggested', 'confirmed')),
    named INTEGER NOT NULL DEFAULT 0   -- 1 where this very face was confirmed, 0 where it came with its group
) STRICT;
INSERT INTO assignments_3 SELECT face_id, person_id, state, 0 FROM assignments;
DROP TABLE assignments;
ALTER TABLE assignments_3 RENAME TO assignments;
CREATE INDEX assignments_of_person ON assignments (person_id);
UPDATE people SET settled = 1 WHERE person_id IN (SELECT person_id FROM assignments WHERE state = 'confirmed');

CREATE TABLE rejections (              -- the face is not this person
    face_id INTEGER NOT NULL REFERENCES faces ON DELETE CASCADE,
    person_id INTEGER NOT NULL REFERENCES people,
    PRIMARY KEY (face_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX rejections_of_person ON rejections (person_id);
CREATE TABLE told_apart (              -- the two are different people
    person_id INTEGER NOT NULL REFERENCES people,
    other_id INTEGER NOT NULL REFERENCES people,
    PRIMARY KEY (person_id, other_id),
    CHECK (person_id < other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX told_apart_of_other ON told_apart (other_id);
CREATE TABLE ignored (                 -- faces that take no part
    face_id INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,
    why TEXT NOT NULL CHECK (why IN ('not a face', 'forgotten'))
) STRICT;

CREATE TABLE history (
    entry_id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,                  -- UTC, ISO 8601
    action TEXT NOT NULL,
    what TEXT NOT NULL,                -- for people to read
    undoes INTEGER REFERENCES history  -- the entry that this one takes back
) STRICT;
CREATE TABLE changes (                 -- of rows of the tables above, in order; played backwards they undo an entry
    change_id INTEGER PRIMARY KEY AUTOINCREMENT,
    entry_id INTEGER NOT NULL REFERENCES history ON DELETE CASCADE,
    relation TEXT NOT NULL,
    key TEXT NOT NULL,                 -- the row's key as a JSON array
    face_id INTEGER,                   -- the face that the row is about, where it is about one
    before TEXT,                       -- the other columns as a JSON array; null where there was no row
    after TEXT
) STRICT;
CREATE INDEX changes_of_entry ON changes (entry_id);
CREATE INDEX changes_of_row ON changes (relation, key);
CREATE INDEX changes_of_face ON changes (face_id);
CREATE TABLE grouping (                -- what the suggestions in `assignments` were worked out from
    grouping_id INTEGER PRIMARY KEY CHECK (grouping_id = 1),
    inputs TEXT NOT NULL
) STRICT;
"""

# What the pages ask at every turn: how near a suggestion lies, by which rule the groups came about, where the photos
# stand, how far a scan has come.
CATALOGUE_4 = """
ALTER TABLE assignments ADD COLUMN distance REAL;  -- of what is suggested for a settled person: to the confirmed faces
DROP TABLE grouping;
CREATE TABLE grouping (                -- what the suggestions in `assignments` were worked out from
    grouping_id INTEGER PRIMARY KEY CHECK (grouping_id = 1),
    inputs TEXT NOT NULL,
    model TEXT NOT NULL REFERENCES models (sha256),
    threshold REAL NOT NULL,           -- largest mean distance of two groups that were put together
    strangers REAL NOT NULL,           -- the rule that the threshold came from
    far REAL                           -- where it was chosen in place of the number of strangers
) STRICT;
CREATE TABLE folder (                  -- the photos' folder at the last scan
    folder_id INTEGER PRIMARY KEY CHECK (folder_id = 1),
    path ANY NOT NULL                  -- absolute; bytes where the name is not UTF-8
) STRICT;
CREATE TABLE scan (                    -- the last one, perhaps under way
    scan_id INTEGER PRIMARY KEY CHECK (scan_id = 1),
    started_at TEXT NOT NULL,          -- UTC, ISO 8601
    heard_at TEXT NOT NULL,            -- when it last said how far it is
    ended_at TEXT,
    done INTEGER NOT NULL,             -- photos
    todo INTEGER NOT NULL
) STRICT;
CREATE INDEX photos_by_time ON photos (taken_at, path);
-- Both cover what a page of people asks, so that rows with pictures in them are left alone.
CREATE INDEX faces_at_a_glance ON faces (face_id, photo_id, quality);
DROP INDEX assignments_of_person;
CREATE INDEX assignments_of_person ON assignments (person_id, state);
"""

# What is missing of a photo that is cut short. Photos that earlier versions could not read are tried once more, by a
# stamp that no file has; what the others say of themselves is looked at once more.
CATALOGUE_5 = """
UPDATE photos SET mtime_ns = -1 WHERE unreadable IS NOT NULL;
ALTER TABLE photos ADD COLUMN note TEXT;  -- what is missing of a file that was read as far as it goes, else null
UPDATE photos SET note = '' WHERE unreadable IS NULL;  -- its orientation and time were read by an earlier version
"""


# Videos beside photos. Of a video each track is an appearance of one person: the best face stands for it, has the
# annotations and takes part in groups; the track's other views are rows that lean on it and go with it. What photos of
# earlier versions say of themselves is looked at once more: a film may lie behind their pixels.
CATALOGUE_7 = """
ALTER TABLE photos ADD COLUMN kind TEXT NOT NULL DEFAULT 'photo' CHECK (kind IN ('photo', 'video'));
ALTER TABLE photos ADD COLUMN duration_s REAL;      -- of a video
ALTER TABLE photos ADD COLUMN motion_offset INTEGER;  -- of a still: where in its file the film of the moment begins
UPDATE photos SET note = '' WHERE note IS NULL AND unreadable IS NULL;
ALTER TABLE faces ADD COLUMN time_s REAL;           -- of a face in a video, from its beginning
ALTER TABLE faces ADD COLUMN begin_s REAL;          -- of its track
ALTER TABLE faces ADD COLUMN end_s REAL;
ALTER TABLE faces ADD COLUMN of_track INTEGER REFERENCES faces ON DELETE CASCADE;  -- another view of that face's track
CREATE INDEX faces_of_track ON faces (of_track) WHERE of_track NOTNULL;
CREATE TABLE films (                   -- files that are the film of a still's moment, and no items of their own
    path ANY PRIMARY KEY,              -- as of photos
    still ANY NOT NULL,                -- path of the still
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX films_of_still ON films (still);
ALTER TABLE scan ADD COLUMN stage TEXT NOT NULL DEFAULT 'reading';  -- 'videos': done and todo are seconds of video
"""


def _catalogue_2(connection: sqlite3.Connection) -> None:
    run_script(connection, ASIDE_2)
    template_tables_1(connection)
    run_script(connection, CATALOGUE_2)


def _step(script: str) -> Step:
    return lambda connection: run_script(connection, script)


STEPS = (
    _step(CATALOGUE_1), _catalogue_2, _step(CATALOGUE_3), _step(CATALOGUE_4), _step(CATALOGUE_5), template_tables_2,
    _step(CATALOGUE_7),
)  # fmt: skip
LIBRARY_FILE = FileKind("library", 0x46414345, STEPS, LibraryError)  # "FACE"
