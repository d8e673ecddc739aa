"""The prototypes of all subjects of a gallery's file, which follow what changes and are kept in a file beside it.

A change of a few subjects costs the work of these. All templates are gone through only where nothing is held or filed,
the log of changes has been cut, or much has come at once.
"""

import json
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.models import ModelSpec
from facespace.store import Database, Pair, Prototypes, SqliteTemplates, work_out
from facespace.store.index_files import map_arrays, new_token, wipe_file, write_arrays
from facespace.store.prototypes import PrototypeScan, bytes_of, of_faces
from facespace.store.scan import faiss_if_there
from facespace.store.sqlite_indexes import LEAST_TEMPLATES, LONGEST_LOG, OF_MODEL

# All templates are gone through if more have come than this and this share of the subjects.
MOST_NEW, NEW_SHARE = 10_000, 0.25
# The file is written again when more prototypes are others.
MOST_CHANGED = 1000
EVERY = 2**60
COLUMNS = ("subject_id", "rows", "n_templates")

Faces = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class _State:
    """The prototypes of each pair of models at a moment, how far it has read, and how many are not in the file.

    ``sets`` are those that stood here first, in the file with that token if it has one; ``tails`` those that have taken
    the place of some of them since.
    """

    moment: Hashable
    spec: ModelSpec
    token: str | None
    models: tuple[str, ...]
    last_ids: tuple[int, ...]
    position: int
    sets: tuple[Prototypes, ...]
    tails: tuple[Prototypes, ...]
    n_changed: int = 0


class SubjectIndex:
    """The prototypes of the subjects of a gallery.

    Args:
        database: the open file.
        templates: in it.
    """

    def __init__(self, database: Database, templates: SqliteTemplates) -> None:
        self._database, self._templates = database, templates
        self._held: dict[str, _State] = {}

    def of(self, spec: ModelSpec) -> tuple[Prototypes, ...]:
        """The prototypes that probes of ``spec``'s model are compared with, as the gallery stands at this moment.

        Each face takes part with one template: of the probes' model, else of the newest that may meet it. A subject
        with some faces of one model and some of another has a prototype of either, since the two have their own
        thresholds. Those that have changed since the others were worked out or filed are a set of their own.

        Args:
            spec: of the probes.

        Raises:
            IncompatibleModelsError: there are templates, all of models that may not meet the probes'.
            ModelError: a pair of models is not calibrated.
        """
        state = self._now(spec)
        both = (one for pair in zip(state.sets, state.tails, strict=True) for one in pair)
        return tuple(one for one in both if len(one))

    def renew(self, spec: ModelSpec, *, only_there: bool = False) -> None:
        """Write the file of the prototypes again where there are many and some are others now.

        Args:
            spec: of the probes.
            only_there: only where there is one, whatever has changed: something was removed.

        Raises:
            WriteError: there is no room for it, or no right to write it.
        """
        token = self._token(spec)
        if token is None and (only_there or self._templates.count().get(spec.sha256, 0) < LEAST_TEMPLATES):
            if not only_there:
                self._database.cut_log("changed_subjects", LONGEST_LOG)
            return
        state = self._now(spec)
        if state.n_changed > (0 if only_there else MOST_CHANGED):
            self._write(state)

    def _now(self, spec: ModelSpec) -> _State:
        with self._templates.snapshot():
            now, held = self._templates.moment(), self._held.get(spec.sha256)
            if held is None or (held.moment, held.spec) != (now, spec):
                pairs, token = self._templates.comparable(spec), self._token(spec)
                if held is None or held.token != token:  # somebody has written another one
                    held = self._read(now, spec, pairs, token)
                held = replace(self._follow(now, spec, pairs, held), token=token)
                if not self._database.is_writing:
                    self._held[spec.sha256] = held
        return held

    def _token(self, spec: ModelSpec) -> str | None:
        sql = f"SELECT token FROM subject_indexes WHERE {OF_MODEL}"
        token: str | None = self._database.value(sql, (spec.sha256,))
        return token

    def _write(self, state: _State) -> None:
        arrays: dict[str, NDArray[Any]] = {}
        bytes_ = []
        for i, whole in enumerate(_joined(state.sets, state.tails)):
            arrays |= {f"{name}_{i}": getattr(whole, name) for name in COLUMNS}
            arrays[f"codes_{i}"], scale, error = bytes_of(whole.rows)
            bytes_.append((scale, error))
        head = {
            "models": state.models,
            "last_ids": state.last_ids,
            "position": state.position,
            "bytes": bytes_,
        }
        token, files = new_token(), self._templates.indexes.files
        write_arrays(files.path("subjects", token), head, arrays)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM subject_indexes")
            connection.execute(
                "INSERT INTO subject_indexes (model_id, token) SELECT model_id, ? FROM models WHERE sha256 = ?",
                (token, state.spec.sha256),
            )
            connection.execute("DELETE FROM changed_subjects WHERE position <= ?", (state.position,))
        for path in files.names("subjects", but={token}):
            wipe_file(path)

    def _read(
        self, now: Hashable, spec: ModelSpec, pairs: Sequence[Pair], token: str | None
    ) -> _State | None:
        """What a file holds, mapped into memory; None where there is none, or it is damaged or of other models."""
        if token is None:
            return None
        models, faiss = tuple(pair.stored.sha256 for pair in pairs), faiss_if_there()
        with suppress(OSError, ValueError, KeyError, TypeError):
            head, arrays = map_arrays(self._templates.indexes.files.path("subjects", token))
            if tuple(head["models"]) == models:
                sets = []
                for i, pair in enumerate(pairs):
                    columns = (np.asarray(arrays[f"{name}_{i}"]) for name in COLUMNS)
                    one = Prototypes(pair.curve, *columns)  # type: ignore[arg-type]
                    if faiss is not None and len(one):
                        scale, error = head["bytes"][i]
                        one = replace(one, scan=PrototypeScan(arrays[f"codes_{i}"], scale, error, faiss))
                    sets.append(one)
                last_ids, position = tuple(head["last_ids"]), head["position"]
                return _State(
                    now, spec, token, models, last_ids, position, tuple(sets), tuple(map(_none, pairs))
                )
        return None

    def _follow(self, now: Hashable, spec: ModelSpec, pairs: Sequence[Pair], before: _State | None) -> _State:
        models = tuple(pair.stored.sha256 for pair in pairs)
        last_ids = tuple(self._templates.last_id(model) for model in models)
        changed = self._database.log_after(
            "changed_subjects", "subject_id", 0 if before is None else before.position
        )
        dirty = None
        if before is not None and before.models == models and changed.is_whole:
            dirty = self._dirty(before, last_ids, changed.ids)
        if dirty is None or before is None:
            rows = [self._templates.index(pair.stored).rows() for pair in pairs]
            sets = _by_pair(pairs, work_out(pairs, *self._faces(), rows))
            tails, n_changed = tuple(map(_none, pairs)), EVERY
        else:
            sets = _without(before.sets, dirty, pairs)
            renewed = of_faces(self._templates, pairs, *self._faces("subject_id", dirty))
            tails = _joined(_without(before.tails, dirty, pairs), _by_pair(pairs, renewed))
            n_changed = before.n_changed + len(dirty)
            is_filed = before.n_changed < EVERY
            if not is_filed and sum(map(len, tails)) > MOST_NEW:
                sets, tails = _joined(sets, tails), tuple(map(_none, pairs))
        return _State(now, spec, None, models, last_ids, changed.position, sets, tails, n_changed)

    def _dirty(
        self, before: _State, last_ids: Sequence[int], changed: NDArray[np.int64]
    ) -> NDArray[np.int64] | None:
        """The subjects whose prototypes may be others now; None for more than pays."""
        limit = max(MOST_NEW, NEW_SHARE * sum(map(len, before.sets)))
        faces = [np.zeros(0, np.int64)]
        for model, old, new in zip(before.models, before.last_ids, last_ids, strict=True):
            if new > old:
                for batch in self._templates.batches(model=model, after=old, size=MOST_NEW):
                    faces.append(batch.face_id)
                    if sum(map(len, faces)) > limit:
                        return None
        dirty = np.union1d(changed, self._faces("face_id", np.concatenate(faces))[1])
        return None if len(dirty) > limit else dirty

    def _faces(self, column: str = "", ids: NDArray[np.int64] | None = None) -> Faces:
        """The ids of faces, increasing, and the subject of each: of all, or of those with some ids in a column."""
        # In this order SQLite looks each id up, and does not go through all faces.
        some = "" if ids is None else f"json_each(?) CROSS JOIN faces ON {column} = value"
        values = () if ids is None else (json.dumps(np.unique(ids).tolist()),)
        rows = self._database.connection.execute(
            f"SELECT face_id, subject_id FROM {some or 'faces'}", values
        ).fetchall()
        faces, subjects = np.array(sorted(rows), np.int64).reshape(-1, 2).T
        return faces, subjects


def _by_pair(pairs: Sequence[Pair], found: Iterable[Prototypes]) -> tuple[Prototypes, ...]:
    """One for each pair, empty where it has none."""
    of_curve = {id(one.curve): one for one in found}
    return tuple(of_curve.get(id(pair.curve)) or _none(pair) for pair in pairs)


def _without(
    sets: Sequence[Prototypes], dirty: NDArray[np.int64], pairs: Sequence[Pair]
) -> tuple[Prototypes, ...]:
    """Without those of some subjects; a pair's curve may be another than before, where its spec is."""
    known = zip(sets, pairs, strict=True)
    return tuple(replace(one, curve=pair.curve).without(dirty) for one, pair in known)


def _joined(sets: Sequence[Prototypes], others: Sequence[Prototypes]) -> tuple[Prototypes, ...]:
    return tuple(one.joined(other) for one, other in zip(sets, others, strict=True))


def _none(pair: Pair) -> Prototypes:
    none = np.zeros(0, np.int64)
    return Prototypes(pair.curve, none, np.zeros((0, pair.stored.dim), np.float32), none)
