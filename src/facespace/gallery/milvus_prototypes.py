"""The prototypes of a gallery in Milvus: worked out from the templates of the subjects that are near the probes.

Nothing but counts is kept, since the templates alone are true.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError
from facespace.gallery.milvus_rows import OWNER, whose
from facespace.models import ModelSpec
from facespace.store import Census, Pair, Prototypes
from facespace.store.milvus import MilvusDatabase, MilvusTemplates
from facespace.store.prototypes import of_faces

# Templates of each probe whose subjects' prototypes are worked out.
NEAR = 256


def prototypes_near(
    database: MilvusDatabase, templates: MilvusTemplates, probes: NDArray[np.int8], spec: ModelSpec
) -> tuple[tuple[Prototypes, ...], Census]:
    """See `Roster.prototypes`."""
    pairs = templates.comparable(spec)
    indexes = [templates.index(pair.stored) for pair in pairs]
    near = [one.search(probes, NEAR, before=indexes[:i]).face_id for i, one in enumerate(indexes)]
    ids = np.unique(np.concatenate([np.zeros(0, np.int64), *(found[found >= 0] for found in near)]))
    subjects = sorted({row["subject_id"] for row in database.faces.get(ids.tolist())})
    faces, of = whose(database.staying(database.faces.among("subject_id", subjects, OWNER)))
    sets = of_faces(templates, pairs, faces, of)
    states = {pair.stored.label: index.state for pair, index in zip(pairs, indexes, strict=True)}
    return tuple(sets), replace(_census(database, templates, pairs, spec), indexes=states)


def _census(
    database: MilvusDatabase, templates: MilvusTemplates, pairs: Sequence[Pair], spec: ModelSpec
) -> Census:
    """Counted in one pass over all faces and remembered; counted again once one face in a thousand is new or gone.

    Until then each new face counts as one comparison more, which errs to the safe side.
    """
    record = f"census {spec.sha256}"
    n_faces, models = database.count_faces(), [pair.stored.sha256 for pair in pairs]
    state = templates.moment()
    kept = json.loads(database.read_records().get(record, "null"))
    if kept is not None and kept["models"] == models:
        more = n_faces - kept["n_faces"]
        if kept["state"] == state or 0 < 1000 * abs(more) <= n_faces:
            return Census(kept["n_subjects"], kept["n_comparisons"] + max(0, more))
    faces, subjects = whose(database.read_faces(fields=OWNER))
    found = _counted([templates.faces(model) for model in models], faces, subjects)
    value = {
        "models": models, "state": state, "n_faces": n_faces,
        "n_subjects": found.n_subjects, "n_comparisons": found.n_comparisons,
    }  # fmt: skip
    with suppress(GalleryError):  # who may only read counts again
        database.put_record(record, json.dumps(value))
    return found


def _counted(
    faces_of: Sequence[NDArray[np.int64]], faces: NDArray[np.int64], subjects: NDArray[np.int64]
) -> Census:
    """Of the faces with a template of each model; a face takes part with that of the first one."""
    free, seen, n = np.ones(len(faces), bool), [np.zeros(0, np.int64)], 0
    for of_model in faces_of:
        at = np.searchsorted(faces, np.intersect1d(of_model, faces))
        own, counts = np.unique(subjects[at[free[at]]], return_counts=True)
        free[at] = False
        seen.append(own)
        n += int(np.minimum(counts, 2).sum())
    return Census(len(np.unique(np.concatenate(seen))), n)
