"""The pages: people, one person, photos, one photo, history; each a screenful with the address of the next."""

from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse

from facespace.http.lines import printable
from facespace.library import Face, Library
from facespace.library.faces import face_key
from facespace.web.parameters import Kind, Number, Offset, Part, Text, Time
from facespace.web.site import Site

PEOPLE_A_SCREEN = 60
FACES_A_SCREEN = 120
PHOTOS_A_SCREEN = 60
# More than a picture of a crowd shows.
FACES_A_PHOTO = 1000


def router(site: Site) -> APIRouter:
    """The pages, and `/state` and `/names` which they ask while they are open."""
    routes = APIRouter(default_response_class=HTMLResponse)

    @routes.get("/")
    def people(kind: Kind = "seen-again", offset: Offset = 0, part: Part = False) -> HTMLResponse:
        with site.library() as library:
            cards = library.browse.people(kind, limit=PEOPLE_A_SCREEN, offset=offset)
            values: dict[str, Any] = {} if part else site.frame(library)
        more = _more("/", offset, len(cards), PEOPLE_A_SCREEN, kind=kind)
        return site.page(
            "cards.html.j2" if part else "people.html.j2", cards=cards, more=more, kind=kind, **values
        )

    @routes.get("/people/{number}")
    def person(number: Number, offset: Offset = 0, part: Part = False) -> HTMLResponse:
        with site.library() as library:
            who = library.browse.person(number)
            state = "confirmed" if who.settled else None
            faces = library.browse.faces(number, state, limit=FACES_A_SCREEN, offset=offset)
            more = _more(f"/people/{number}", offset, len(faces), FACES_A_SCREEN)
            if part:
                return site.page("tiles.html.j2", faces=faces, more=more, who=who)
            waiting = library.browse.faces(number, "suggested", limit=FACES_A_SCREEN) if who.settled else []
            like = site.search(lambda searched: searched.similar_people(number))
            return site.page(
                "person.html.j2", faces=faces, more=more, who=who, waiting=waiting,
                # Beyond the calibrated rates everybody looks like everybody.
                like=[one for one in like if not one.extrapolated],
                **_items(library, number), **site.frame(library),
            )  # fmt: skip

    @routes.get("/people/{number}/card")
    def one_card(number: Number) -> HTMLResponse:
        with site.library() as library:
            return site.page("cards.html.j2", cards=[library.browse.person(number)], more=None)

    @routes.get("/people/{number}/timeline")
    def timeline(number: Number, offset: Offset = 0, part: Part = False) -> HTMLResponse:
        with site.library() as library:
            who = library.browse.person(number)
            rows = library.browse.timeline(number, limit=FACES_A_SCREEN, offset=offset)
            more = _more(f"/people/{number}/timeline", offset, len(rows), FACES_A_SCREEN)
            months = _by_month(rows)
            if part:
                return site.page("months.html.j2", months=months, more=more, who=who)
            return site.page(
                "timeline.html.j2", months=months, more=more, who=who, **_items(library, number), **site.frame(library),
            )  # fmt: skip

    @routes.get("/photos")
    def photos(since: Time = "", until: Time = "", offset: Offset = 0, part: Part = False) -> HTMLResponse:
        with site.library() as library:
            found = library.browse.photos(since, until, limit=PHOTOS_A_SCREEN, offset=offset)
            values: dict[str, Any] = {} if part else site.frame(library)
        more = _more("/photos", offset, len(found), PHOTOS_A_SCREEN, since=since, until=until)
        name = "photo_tiles.html.j2" if part else "photos.html.j2"
        return site.page(name, photos=found, more=more, since=since, until=until, **values)

    @routes.get("/photos/{photo_id}")
    def photo(photo_id: Number, face: Text = "") -> HTMLResponse:
        with site.library() as library:
            shown = library.browse.photo(photo_id)
            before, after = library.browse.photos_beside(photo_id)
            return site.page(
                "photo.html.j2", photo=shown, faces=shown.faces[:FACES_A_PHOTO], chosen=face,
                before=before, after=after,
                begin_s=next((one.begin_s for one in shown.faces if face_key(one.face_id) == face), None),
                **site.frame(library),
            )  # fmt: skip

    @routes.get("/history")
    def history() -> HTMLResponse:
        with site.library() as library:
            return site.page("history.html.j2", entries=library.history()[:500], **site.frame(library))

    @routes.get("/names")
    def known_names() -> JSONResponse:
        with site.library() as library:
            return JSONResponse([printable(name) for _, name in library.browse.names()])

    @routes.get("/state")
    def state() -> JSONResponse:
        with site.library() as library:
            now = site.background.state.with_scan(library.scan_progress())
        return JSONResponse(asdict(now) | {"trouble": now.trouble and site.line(now.trouble)})

    return routes


def _items(library: Library, person: int) -> dict[str, int]:
    return dict(zip(("n_photos", "n_videos"), library.browse.count_items(person), strict=True))


def _more(path: str, offset: int, n: int, screen: int, **query: str) -> str | None:
    """The address of the next screenful; None where this one was not full."""
    if n < screen:
        return None
    return f"{path}?{urlencode({**{k: v for k, v in query.items() if v}, 'offset': offset + n})}"


def _by_month(rows: list[tuple[str | None, Face]]) -> list[tuple[str | None, list[Face]]]:
    return [(month, [face for _, face in of_month]) for month, of_month in groupby(rows, key=itemgetter(0))]
