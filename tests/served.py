"""A library of drawn photos behind the local server, for tests of what a browser sees."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drawn_album import scanned
from facespace.http.listening import listen
from facespace.library import Library
from facespace.web.app import create_app
from facespace.web.security import Guard, Sessions
from facespace.web.serving import make_server
from facespace.web.site import Site
from fakes import DrawnDetector, DrawnEmbedder, draw_photo

# Red is on three photos, green on two, blue and ochre on one.
PHOTOS = {
    "1.png": ("red", "green"),
    "2.png": ("red",),
    "sub/3.png": ("green", "blue"),
    "4.png": ("red", "ochre"),
}


def make_library(folder: Path, photos: dict[str, tuple[str, ...]] = PHOTOS) -> Path:
    """Draw the photos and scan them; returns the library's folder."""
    for name, colours in photos.items():
        draw_photo(folder / "photos" / name, *colours)
    with Library(folder / "library") as library:
        scanned(library, folder / "photos")
    return folder / "library"


def make_site(folder: Path, guard: Guard) -> Site:
    """The site of a library, with models that see drawn faces."""
    site = Site(folder, guard)
    site.detector = DrawnDetector()  # type: ignore[assignment, misc]
    site.embedder = DrawnEmbedder()  # type: ignore[assignment, misc]
    return site


@contextmanager
def served(folder: Path, sessions: Sessions | None = None) -> Iterator[str]:
    """The address of a running server."""
    with listen("127.0.0.1", 0) as listening:
        at = f"127.0.0.1:{listening.getsockname()[1]}"
        site = make_site(folder, Guard(frozenset({at}), sessions=sessions))
        server = make_server(create_app(site))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://{at}"
        finally:
            server.should_exit = True
            thread.join()
            site.close()
