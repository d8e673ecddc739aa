"""A service with what its routes share, and how they come by it."""

import asyncio
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, Request

from facespace.errors import FacespaceError
from facespace.extract import NamedDetector
from facespace.faces.detect import Detector
from facespace.saved_files import make_folder
from facespace.service.access import Access, Door
from facespace.service.audit import write_line
from facespace.service.engine import Engine
from facespace.service.galleries import Embedders, Galleries, OpenGallery
from facespace.service.jobs import JobFolder
from facespace.service.metrics import Metrics
from facespace.service.settings import Settings

log = logging.getLogger(__name__)


class Service:
    """Galleries, models, keys and counts of one process.

    Args:
        settings: as given.
        detector: finds faces; the one of the settings when None.
        embedders: of all galleries; likewise.

    Attributes:
        settings: as given.
        metrics: counts and times.
        door: lets requests in.
        embedders: of all galleries.
        galleries: all of them.
        jobs: long work.
        wake: set when there is a new job.
        is_ready: models and galleries are loaded.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        detector: NamedDetector | None = None,
        embedders: Embedders | None = None,
    ) -> None:
        make_folder(Path(settings.folder), private=True)
        self.settings, self.metrics = settings, Metrics()
        self.door = Door(settings, self.metrics)
        self.embedders = embedders or Embedders(settings.model, settings.device)
        self.galleries = Galleries(settings, self.embedders, self.metrics)
        self.jobs, self.wake = JobFolder(settings.folder), asyncio.Event()
        self._detector = detector
        self.is_ready = False

    @cached_property
    def engine(self) -> Engine:
        """Finds and embeds faces; the models are loaded when it is first asked for."""
        settings = self.settings
        return Engine(
            self._detector or Detector(settings.detector, device=settings.device), settings.limits,
            threads=settings.n_threads, metrics=self.metrics,
        )  # fmt: skip

    def gallery(self, name: str, access: Access, right: str) -> "Asked":
        """A gallery, for who has a right in it.

        Raises:
            ProblemError: there is none, or the right is lacking.
        """
        access.need(right, name)
        return Asked(self, self.galleries.get(name), access.by)

    async def start(self) -> None:
        """Load models and galleries; a gallery that cannot be opened is reported in the log, and by its routes."""
        self.wake = asyncio.Event()  # of the loop that runs now
        self.embedders.default()
        _ = self.engine
        for name in self.galleries.names()[: self.settings.limits.galleries]:
            gallery = self.galleries.get(name)
            try:
                spec = (await gallery.embedder()).spec
                await gallery.identify(np.eye(1, spec.dim, dtype=np.float32), spec, fpir=0.01)
                await self.measure(gallery)
            except (FacespaceError, OSError) as error:
                log.error("gallery %s: %s", name, error)
        self.is_ready = True

    async def measure(self, gallery: OpenGallery) -> None:
        """Bring the counts of a gallery up to date."""
        subjects, faces = await gallery.read(lambda opened: opened.count())
        self.metrics.subjects.labels(gallery.name).set(subjects)
        self.metrics.faces.labels(gallery.name).set(faces)

    async def stop(self) -> None:
        """Finish what was begun, and close everything."""
        if "engine" in vars(self):
            self.engine.close()
        await self.galleries.close()


@dataclass(frozen=True)
class Asked:
    """A gallery of a service, and who asks for it.

    Attributes:
        service: that has it.
        gallery: open.
        by: id of the key, for the log; None at a service without keys.
    """

    service: Service
    gallery: OpenGallery
    by: str | None

    def log(self, action: str, **what: Any) -> None:
        """Add a line to the service's log; see `write_line`."""
        write_line(self.service.settings.folder, action, by=self.by, gallery=self.gallery.name, **what)


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _enter(request: Request) -> Access:
    service = await _service(request)
    return await service.door(request)


# What routes ask for: the service that they belong to, and what the request may do.
TheService = Annotated[Service, Depends(_service)]
Entered = Annotated[Access, Depends(_enter)]
