"""Work on the photos that a server does in the background: bring the library up to date, follow the folder."""

from facespace.library import Stage
from facespace.web.background import Background, Work
from facespace.web.site import Site

__all__ = ["follow", "read_photos"]

DOING: dict[Stage, str] = {
    "comparing": "comparing files",
    "reading": "reading photos",
    "videos": "reading videos, by the second",
    "grouping": "grouping faces",
    "embedding": "moving faces to the new model",
}


def read_photos(site: Site) -> Work:
    """Read what is new, group, and move the library to the site's embedder if it stands on another model."""

    def work(background: Background) -> None:
        with site.library() as library:
            done = library.refresh(
                site.photo_folder(library), site.detector, site.embedder, stop=background.stopping,
                progress=lambda stage, done, todo: background.tell(DOING[stage], done, todo),
            )  # fmt: skip
        if done.scan.has_changes or done.upgrade is not None:
            background.regrouped()

    return work


def follow(site: Site) -> Work:
    """Read what is new, then whatever comes, until the server ends."""

    def work(background: Background) -> None:
        read_photos(site)(background)
        background.tell(None)
        with site.library() as library:
            for _ in library.watch(
                site.photo_folder(library), site.detector, site.embedder, stop=background.stopping,
                on_trouble=background.complain,
            ):  # fmt: skip
                background.regrouped()

    return work
