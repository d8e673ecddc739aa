"""What a transaction will write: gathered until it ends well, so that an error writes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = dict[str, Any]
# The faces of one step of a write, which is complete or completed (or undone) later.
FACES_AT_ONCE = 2048


@dataclass(frozen=True)
class Put:
    """Templates to write; parallel arrays of N.

    Attributes:
        model: sha256.
        face_id: int64.
        vectors: int8, shape (N, D).
        quality: float32; nan where it is not known.
    """

    model: str
    face_id: NDArray[np.int64]
    vectors: NDArray[np.int8]
    quality: NDArray[np.float32]

    def __getitem__(self, which: slice) -> "Put":
        return Put(self.model, self.face_id[which], self.vectors[which], self.quality[which])

    def parts(self) -> "Iterator[Put]":
        """At most so many at a time as one step takes."""
        for start in range(0, len(self.face_id), FACES_AT_ONCE):
            yield self[start : start + FACES_AT_ONCE]


@dataclass
class Unit:
    """The writes of an open transaction.

    Attributes:
        records: of models and history, by key.
        subjects: to add, by id: the name.
        faces: rows to write, by id.
        templates: to write, in this order.
        gone: ids of faces that go with all their templates.
        gone_templates: of a model, by its sha256, the ids of faces that lose theirs.
        gone_subjects: their ids.
    """

    records: dict[str, str] = field(default_factory=dict)
    subjects: dict[int, str] = field(default_factory=dict)
    faces: dict[int, Row] = field(default_factory=dict)
    templates: list[Put] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    gone_templates: dict[str, set[int]] = field(default_factory=dict)
    gone_subjects: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def copy(self) -> "Unit":
        """As it is now, to come back to."""
        own = {name: value.copy() for name, value in vars(self).items() if name != "gone_templates"}
        return Unit(**own, gone_templates={model: ids.copy() for model, ids in self.gone_templates.items()})

    def add_templates(self, put: Put) -> None:
        """Write these; of a model of which they were to go they stay."""
        self.templates.append(put)
        if put.model in self.gone_templates:
            self.gone_templates[put.model] -= set(put.face_id.tolist())

    def remove(self, face_id: Sequence[int], models: Sequence[str], *, whole: bool) -> None:
        """Take the templates of faces away, and with ``whole`` the faces too."""
        ids = set(face_id)
        for model in models:
            self.gone_templates.setdefault(model, set()).update(ids)
        kept = []
        for put in self.templates:
            stays = (
                ~np.isin(put.face_id, list(ids)) if put.model in models else np.ones(len(put.face_id), bool)
            )
            if stays.any():
                kept.append(Put(put.model, put.face_id[stays], put.vectors[stays], put.quality[stays]))
        self.templates = kept
        if whole:
            self.gone |= ids
            for one in ids & self.faces.keys():
                del self.faces[one]
