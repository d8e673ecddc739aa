"""Names and corrections: a request is one method of `facespace.library.Library` and answers with its history entry."""

import dataclasses
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from facespace.errors import CorrectionError
from facespace.library import Entry, Library
from facespace.store import taken_by
from facespace.web.parameters import Action, Correction, Said
from facespace.web.site import Site
from facespace.web.text import printable

__all__ = ["router"]

ACTIONS: dict[Action, Callable[[Library, Correction], Entry | None]] = {
    "name": lambda library, said: library.name(said.person, said.name),
    "merge": lambda library, said: library.merge(said.person, *said.others),
    "split": lambda library, said: library.split(said.person, said.faces, name=said.name or None),
    "apart": lambda library, said: _apart(library, said),
    "confirm": lambda library, said: library.confirm(said.person, said.faces),
    "reject": lambda library, said: library.reject(said.person, said.faces),
    "not-a-face": lambda library, said: library.not_a_face(said.faces),
    "hide": lambda library, said: library.hide(said.person, hidden=said.hidden),
    "undo": lambda library, said: library.undo(said.entry),
    "redo": lambda library, said: library.redo(),
    "forget": lambda library, said: library.forget(said.person).entry,
}


def router(site: Site) -> APIRouter:
    """`POST /say/ACTION`; the answer is `{"entry": ... or null}`, or `{"error": ...}` with status 409."""
    routes = APIRouter()

    @routes.post("/say/{action}")
    def say(action: Action, said: Said) -> JSONResponse:
        with site.library() as library:
            namesake = _namesake(library, said) if action == "name" else None
            if namesake is not None:
                return JSONResponse({"namesake": namesake, "error": f"{said.name} is person {namesake}"}, 409)
            entry = ACTIONS[action](library, said)
        site.background.group_soon()
        return JSONResponse({"entry": _json(entry)})

    return routes


def _apart(library: Library, said: Correction) -> Entry | None:
    if len(said.others) != 1:
        raise CorrectionError(f"expected two people, got {1 + len(said.others)}")
    return library.apart(said.person, said.others[0])


def _namesake(library: Library, said: Correction) -> int | str | None:
    """Another person of that name, with whom the page offers to merge."""
    others = [known for known in library.browse.names() if str(known[0]) != str(said.person)]
    found = taken_by(said.name, others)
    return None if found is None else found[0]


def _json(entry: Entry | None) -> dict[str, Any] | None:
    return None if entry is None else dataclasses.asdict(entry) | {"what": printable(entry.what)}
