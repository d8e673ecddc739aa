"""Names and corrections: a request is one method of `facespace.library.Library` and answers with its history entry."""

import dataclasses
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from facespace.errors import CorrectionError
from facespace.http.lines import printable
from facespace.library import Entry, Library
from facespace.store import taken_by
from facespace.web.parameters import Action, Correction, Sent
from facespace.web.site import Site

ACTIONS: dict[Action, Callable[[Library, Correction], Entry | None]] = {
    "name": lambda library, sent: library.name(sent.person, sent.name),
    "merge": lambda library, sent: library.merge(sent.person, *sent.others),
    "split": lambda library, sent: library.split(sent.person, sent.faces, name=sent.name or None),
    "apart": lambda library, sent: _apart(library, sent),
    "confirm": lambda library, sent: library.confirm(sent.person, sent.faces),
    "reject": lambda library, sent: library.reject(sent.person, sent.faces),
    "not-a-face": lambda library, sent: library.not_a_face(sent.faces),
    "hide": lambda library, sent: library.hide(sent.person, hidden=sent.hidden),
    "undo": lambda library, sent: library.undo(sent.entry),
    "redo": lambda library, sent: library.redo(),
    "forget": lambda library, sent: library.forget(sent.person).entry,
}


def router(site: Site) -> APIRouter:
    """`POST /say/ACTION`; the answer is `{"entry": ... or null}`, or `{"error": ...}` with status 409."""
    routes = APIRouter()

    @routes.post("/say/{action}")
    def say(action: Action, sent: Sent) -> JSONResponse:
        with site.library() as library:
            namesake = _namesake(library, sent) if action == "name" else None
            if namesake is not None:
                return JSONResponse({"namesake": namesake, "error": f"{sent.name} is person {namesake}"}, 409)
            entry = ACTIONS[action](library, sent)
        site.background.group_soon()
        return JSONResponse({"entry": _json(entry)})

    return routes


def _apart(library: Library, sent: Correction) -> Entry | None:
    if len(sent.others) != 1:
        raise CorrectionError(f"expected two people, got {1 + len(sent.others)}")
    return library.apart(sent.person, sent.others[0])


def _namesake(library: Library, sent: Correction) -> int | str | None:
    """Another person of that name, with whom the page offers to merge."""
    others = [known for known in library.browse.names() if str(known[0]) != str(sent.person)]
    found = taken_by(sent.name, others)
    return None if found is None else found[0]


def _json(entry: Entry | None) -> dict[str, Any] | None:
    return None if entry is None else dataclasses.asdict(entry) | {"what": printable(entry.what)}
