"""What a transaction will write: gathered until it ends well, so that an error writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facespace.store.templates import NewTemplates

Row = dict[str, Any]


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
    templates: list[NewTemplates] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    gone_templates: dict[str, set[int]] = field(default_factory=dict)
    gone_subjects: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def copy(self) -> "Unit":
        """As it is now, to come back to."""
        own = {name: value.copy() for name, value in vars(self).items() if name != "gone_templates"}
        return Unit(**own, gone_templates={model: ids.copy() for model, ids in self.gone_templates.items()})

    def add_templates(self, new: NewTemplates) -> None:
        """Write these; of a model of which they were to go they stay."""
        self.templates.append(new)
        if new.model in self.gone_templates:
            self.gone_templates[new.model] -= set(new.face_id.tolist())

    def remove(self, face_id: Sequence[int], models: Sequence[str], *, whole: bool) -> None:
        """Take the templates of faces away, and with ``whole`` the faces too."""
        ids = set(face_id)
        for model in models:
            self.gone_templates.setdefault(model, set()).update(ids)
        lost = list(ids)
        self.templates = [
            new[~np.isin(new.face_id, lost)] if new.model in models else new for new in self.templates
        ]
        if whole:
            self.gone |= ids
            for one in ids & self.faces.keys():
                del self.faces[one]
