"""The prototypes of a gallery in Milvus: worked out from the templates of the subjects that are near the probes."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError
from facespace.gallery.roster import Roster
from facespace.models import ModelSpec
from facespace.store import Census, Pair, Prototypes, work_out
from facespace.store.milvus import MilvusDatabase, MilvusTemplates
from facespace.store.nearest import ByteRows

# Templates of each probe whose subjects' prototypes are worked out.
NEAR = 256


@dataclass(frozen=True)
class MilvusPrototypes:
    """Of a gallery that is open; nothing is kept, since the templates alone are true."""

    roster: Roster
    database: MilvusDatabase
    templates: MilvusTemplates

    def near(self, probes: NDArray[np.int8], spec: ModelSpec) -> tuple[tuple[Prototypes, ...], Census]:
        """See `Roster.prototypes`."""
        pairs = self.templates.comparable(spec)
        indexes = [self.templates.index(pair.stored) for pair in pairs]
        near = [one.search(probes, NEAR, before=indexes[:i]).face_id for i, one in enumerate(indexes)]
        ids = np.unique(np.concatenate([np.zeros(0, np.int64), *(found[found >= 0] for found in near)]))
        subjects = sorted({row["subject_id"] for row in self.database.faces.get(ids.tolist())})
        gone = set(self.database.gone().tolist())
        rows = self.database.faces.among("subject_id", subjects, ["face_id", "subject_id"])
        found = sorted((row["face_id"], row["subject_id"]) for row in rows if row["face_id"] not in gone)
        faces, of = np.array(found, np.int64).reshape(-1, 2).T
        sets = work_out(pairs, faces, of, [self._byte_rows(pair.stored, faces) for pair in pairs])
        states = {pair.stored.label: index.state for pair, index in zip(pairs, indexes, strict=True)}
        return tuple(sets), replace(self._census(pairs, spec), indexes=states)

    def _byte_rows(self, spec: ModelSpec, face_id: NDArray[np.int64]) -> ByteRows:
        for found in self.templates.of_faces(face_id, model=spec.sha256):
            return ByteRows.of(found.template_id, found.face_id, found.vectors)
        return ByteRows.empty(spec.dim)

    def _census(self, pairs: Sequence[Pair], spec: ModelSpec) -> Census:
        """Counted in one pass over all faces and remembered; counted again once one face in a thousand is new or gone.

        Until then each new face counts as one comparison more, which errs to the safe side.
        """
        record = f"census {spec.sha256}"
        n_faces, pairs_key = self.roster.count()[1], [pair.stored.sha256 for pair in pairs]
        state = self.templates.moment().token
        kept = json.loads(self.database.read_records().get(record, "null"))
        if kept is not None and kept["models"] == pairs_key:
            more = n_faces - kept["n_faces"]
            if kept["state"] == state or 0 < 1000 * abs(more) <= n_faces:
                return Census(kept["n_subjects"], kept["n_comparisons"] + max(0, more))
        found = self._count_census(pairs)
        value = {
            "models": pairs_key, "state": state, "n_faces": n_faces,
            "n_subjects": found.n_subjects, "n_comparisons": found.n_comparisons,
        }  # fmt: skip
        with suppress(GalleryError):  # who may only read counts again
            self.database.put_record(record, json.dumps(value))
        return found

    def _count_census(self, pairs: Sequence[Pair]) -> Census:
        faces, subjects = self.roster.subjects_of_faces()
        free, seen, n = np.ones(len(faces), bool), [np.zeros(0, np.int64)], 0
        for pair in pairs:
            at = np.searchsorted(faces, np.intersect1d(self.templates.faces(pair.stored.sha256), faces))
            own, counts = np.unique(subjects[at[free[at]]], return_counts=True)
            free[at] = False
            seen.append(own)
            n += int(np.minimum(counts, 2).sum())
        return Census(len(np.unique(np.concatenate(seen))), n)
