"""Work on the photos that a server does in the background: read new ones, move to a better model, follow the folder."""

from facespace.library import reading_embedder, scan, upgrade, watch
from facespace.web.background import Background, Work, photo_folder
from facespace.web.site import Site

__all__ = ["follow", "read_photos"]


def read_photos(site: Site) -> Work:
    """Read what is new, then bring the library to the site's embedder if it stands on another one."""

    def work(background: Background) -> None:
        with site.library() as library:
            folder, stop = photo_folder(library), background.stopping
            scan(
                library, folder, site.detector, reading_embedder(library, site.embedder), stop=stop,
                on_photo=lambda done, todo: background.tell("reading photos", done, todo),
                on_look=lambda done, todo: background.tell("comparing files", done, todo),
            )  # fmt: skip
            background.group_soon()
            upgrade(
                library, folder, site.embedder, stop=stop,
                on_face=lambda done, todo: background.tell("embedding faces by the better model", done, todo),
            )  # fmt: skip

    return work


def follow(site: Site) -> Work:
    """Read what is new, then whatever comes, until the server ends."""

    def work(background: Background) -> None:
        read_photos(site)(background)
        background.tell(None)
        with site.library() as library:
            for _ in watch(
                library, photo_folder(library), site.detector, site.embedder, stop=background.stopping,
                on_trouble=background.complain,
            ):  # fmt: skip
                background.group_soon()

    return work
