"""What nobody asks for: indexes brought up to date, idle galleries closed, pictures of removed faces deleted."""

import asyncio
import logging
import time
from contextlib import suppress

from facespace.errors import FacespaceError
from facespace.gallery import Gallery
from facespace.service.enrolling import face_number
from facespace.service.galleries import OpenGallery
from facespace.service.service import Service

__all__ = ["Upkeep"]

log = logging.getLogger(__name__)
EVERY_S = 60.0
# A picture this old was not written by an enrolment that is under way.
SETTLED_S = 3600.0


class Upkeep:
    """Works beside requests, in threads of its own, while the service runs.

    Args:
        service: whose galleries are looked after.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._task: asyncio.Task[None] | None = None
        self._swept: set[str] = set()

    def start(self) -> None:
        """Look after the galleries from now on."""
        self._task = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        """End after what is being done at the moment."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def round(self) -> None:
        """Once for all galleries."""
        await self._service.galleries.rest()
        for name in self._service.galleries.names():
            try:
                gallery = self._service.galleries.get(name)
                await asyncio.shield(
                    asyncio.get_running_loop().run_in_executor(None, self._look_after, gallery)
                )
            except (FacespaceError, OSError) as error:
                log.error("gallery %s: %s", name, error)

    async def _go_on(self) -> None:
        while True:
            await self.round()
            await asyncio.sleep(EVERY_S)

    def _look_after(self, gallery: OpenGallery) -> None:
        with gallery.opened() as opened:
            opened.refresh_index()  # does nothing where it is not due
            if gallery.keeps_pictures and gallery.name not in self._swept:
                _remove_forgotten(gallery, opened)
                self._swept.add(gallery.name)


def _remove_forgotten(gallery: OpenGallery, opened: Gallery) -> None:
    """Pictures whose face is not enrolled any more: it was removed by a command, or an enrolment was cut off."""
    for picture in gallery.pictures.iterdir():
        if time.time() - picture.stat().st_mtime > SETTLED_S and not opened.find_faces(
            [face_number(picture.name)]
        ):
            picture.unlink(missing_ok=True)
