"""The prototypes of all subjects, which follow what changes and are kept in a file beside the store.

A change of a few subjects costs the work of these. All templates are gone through only where nothing is held or filed,
the log of changes has been cut, or much has come at once.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facespace.models import ModelSpec
from facespace.store.followed import FollowedTemplates
from facespace.store.index_files import map_arrays, write_arrays
from facespace.store.nearest import ByteRows
from facespace.store.prototypes import Prototypes, PrototypeScan, bytes_of, work_out
from facespace.store.scan import faiss_if_there
from facespace.store.search import Pair
from facespace.store.template_store import Moment

# All templates are gone through if more have come than this and this share of the subjects.
MOST_NEW, NEW_SHARE = 10_000, 0.25
EVERY = 2**60
COLUMNS = ("subject_id", "rows", "n_templates")

Faces = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class ChangedSubjects:
    """Subjects that lost a template or a face, or gave one to another subject, since some position of a log.

    Attributes:
        subject_id: int64, shape (N,).
        position: of the last change that the log knows.
        is_whole: False where the log does not reach back so far.
    """

    subject_id: NDArray[np.int64]
    position: int
    is_whole: bool = True


class SubjectFaces(Protocol):
    """Whose faces they are. Faces are given with the subject of each, by increasing id."""

    def subjects_of_faces(self) -> Faces:
        """All."""

    def faces_of_subjects(self, subject_id: NDArray[np.int64]) -> Faces:
        """Those of some subjects."""

    def owners(self, face_id: NDArray[np.int64]) -> NDArray[np.int64]:
        """The subjects of some faces, each once."""

    def changed(self, position: int) -> ChangedSubjects:
        """What the log says after that position."""


@dataclass(frozen=True)
class _State:
    """The prototypes of each pair of models at a moment, how far it has read, and how many are not in the file.

    ``sets`` are those that stood here first, ``tails`` those that have taken the place of some of them since.
    """

    moment: Moment
    spec: ModelSpec
    models: tuple[str, ...]
    last_ids: tuple[int, ...]
    position: int
    sets: tuple[Prototypes, ...]
    tails: tuple[Prototypes, ...]
    n_changed: int = 0


class SubjectIndex:
    """The prototypes of a store's subjects.

    Args:
        store: of the templates.
        faces: whose they are.
    """

    def __init__(self, store: FollowedTemplates, faces: SubjectFaces) -> None:
        self._store, self._faces = store, faces
        self._held: dict[str, _State] = {}

    def of(self, spec: ModelSpec, *, file: Path | None = None) -> tuple[Prototypes, ...]:
        """The prototypes that probes of ``spec``'s model are compared with, as the store stands at this moment.

        Each face takes part with one template: of the probes' model, else of the newest that may meet it. A subject
        with some faces of one model and some of another has a prototype of either, since the two have their own
        thresholds. Those that have changed since the others were worked out or filed are a set of their own.

        Args:
            spec: of the probes.
            file: to begin with where nothing is held.

        Raises:
            IncompatibleModelsError: there are templates, all of models that may not meet the probes'.
            ModelError: a pair of models is not calibrated.
        """
        with self._store.snapshot():
            now, held = self._store.moment(), self._held.get(spec.sha256)
            if held is None or (held.moment, held.spec) != (now, spec):
                pairs = self._store.comparable(spec)
                held = self._follow(now, spec, pairs, held or self._read(now, spec, pairs, file))
                if now.is_final:
                    self._held[spec.sha256] = held
        both = (one for pair in zip(held.sets, held.tails, strict=True) for one in pair)
        return tuple(one for one in both if len(one))

    def n_changed(self, spec: ModelSpec, file: Path | None) -> int:
        """How many prototypes are others than in the file; a great number without one."""
        self.of(spec, file=file)
        return self._held[spec.sha256].n_changed

    def position(self, spec: ModelSpec) -> int:
        """Of the log, up to which the prototypes of a model's probes are known."""
        return self._held[spec.sha256].position

    def write(self, spec: ModelSpec, file: Path) -> None:
        """Keep the prototypes of a model's probes in a file, as they stand.

        Raises:
            WriteError: there is no room for it, or no right to write it.
        """
        self.of(spec)
        state = self._held[spec.sha256]
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
        write_arrays(file, head, arrays)
        pairs = self._store.comparable(spec)
        self._held[spec.sha256] = self._read(state.moment, spec, pairs, file) or replace(state, n_changed=0)

    def _read(self, now: Moment, spec: ModelSpec, pairs: Sequence[Pair], file: Path | None) -> _State | None:
        """What a file holds, mapped into memory; None where there is none, or it is damaged or of other models."""
        if file is None:
            return None
        models, faiss = tuple(pair.stored.sha256 for pair in pairs), faiss_if_there()
        with suppress(OSError, ValueError, KeyError, TypeError):
            head, arrays = map_arrays(file)
            if tuple(head["models"]) == models:
                sets = []
                for i, pair in enumerate(pairs):
                    columns = (np.asarray(arrays[f"{name}_{i}"]) for name in COLUMNS)
                    one = Prototypes(pair.curve, *columns)  # type: ignore[arg-type]
                    if faiss is not None and len(one):
                        scale, error = head["bytes"][i]
                        one = replace(one, scan=PrototypeScan(arrays[f"codes_{i}"], scale, error, faiss))
                    sets.append(one)
                tails = tuple(map(_none, pairs))
                return _State(
                    now, spec, models, tuple(head["last_ids"]), head["position"], tuple(sets), tails
                )
        return None

    def _follow(self, now: Moment, spec: ModelSpec, pairs: Sequence[Pair], before: _State | None) -> _State:
        models = tuple(pair.stored.sha256 for pair in pairs)
        last_ids = tuple(self._store.last_id(model) for model in models)
        changed = self._faces.changed(0 if before is None else before.position)
        dirty = None
        if before is not None and before.models == models and changed.is_whole:
            dirty = self._dirty(before, last_ids, changed)
        if dirty is None or before is None:
            faces, subjects = self._faces.subjects_of_faces()
            rows = [self._store.index(pair.stored).rows() for pair in pairs]
            sets, tails, n_changed = _sets(pairs, faces, subjects, rows), tuple(map(_none, pairs)), EVERY
        else:
            sets = _without(before.sets, dirty, pairs)
            tails = _joined(_without(before.tails, dirty, pairs), self._some(pairs, dirty))
            n_changed = before.n_changed + len(dirty)
            is_filed = before.n_changed < EVERY
            if not is_filed and sum(map(len, tails)) > MOST_NEW:
                sets, tails = _joined(sets, tails), tuple(map(_none, pairs))
        return _State(now, spec, models, last_ids, changed.position, sets, tails, n_changed)

    def _dirty(
        self, before: _State, last_ids: Sequence[int], changed: ChangedSubjects
    ) -> NDArray[np.int64] | None:
        """The subjects whose prototypes may be others now; None for more than pays."""
        limit = max(MOST_NEW, NEW_SHARE * sum(map(len, before.sets)))
        faces = [np.zeros(0, np.int64)]
        for model, old, new in zip(before.models, before.last_ids, last_ids, strict=True):
            if new > old:
                for batch in self._store.batches(model=model, after=old, size=MOST_NEW):
                    faces.append(batch.face_id)
                    if sum(map(len, faces)) > limit:
                        return None
        dirty = np.union1d(changed.subject_id, self._faces.owners(np.concatenate(faces)))
        return None if len(dirty) > limit else dirty

    def _some(self, pairs: Sequence[Pair], dirty: NDArray[np.int64]) -> tuple[Prototypes, ...]:
        """The prototypes of some subjects, by the templates of their faces."""
        faces, subjects = self._faces.faces_of_subjects(dirty)
        rows = []
        for pair in pairs:
            parts = self._store.of_faces(faces, model=pair.stored.sha256)
            held = [ByteRows.of(part.template_id, part.face_id, part.vectors) for part in parts]
            rows.append(ByteRows.joined([ByteRows.empty(pair.stored.dim), *held]))
        return _sets(pairs, faces, subjects, rows)


def _sets(
    pairs: Sequence[Pair], faces: NDArray[np.int64], subjects: NDArray[np.int64], rows: Sequence[ByteRows]
) -> tuple[Prototypes, ...]:
    """One for each pair, empty where it has none."""
    found = list(work_out(pairs, faces, subjects, rows))
    return tuple(next((one for one in found if one.curve is pair.curve), _none(pair)) for pair in pairs)


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
