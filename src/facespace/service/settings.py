"""What a service is given when it starts: where its galleries are, and its limits."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from facespace.models.devices import AUTO

HOST, PORT = "127.0.0.1", 8129
MB = 2**20


@dataclass(frozen=True)
class Limits:
    """What is refused.

    Attributes:
        body_bytes: of a request; bulk files are sent in pieces and have a limit of their own.
        bulk_bytes: of the file of a bulk job.
        pixels: of a picture; larger JPEGs are decoded at the scale that fits.
        embeddings: in one request.
        nearest: faces asked for by a search.
        page: entries of a list in one answer.
        queue: pictures that wait in one process, besides those being worked on; then 429.
        timeout_s: for one request.
        rate: requests a second of one key, over all workers; 0 for any number.
        connections: open at a time, of one process.
        faces: of one picture that are embedded, the largest first.
        galleries: open at a time in one process; those not used for longest are closed.
    """

    body_bytes: int = 16 * MB
    bulk_bytes: int = 2048 * MB
    pixels: int = 64_000_000
    embeddings: int = 256
    nearest: int = 100
    page: int = 1000
    queue: int = 64
    timeout_s: float = 30.0
    rate: float = 100.0
    connections: int = 1000
    faces: int = 100
    galleries: int = 64


@dataclass(frozen=True)
class Settings:
    """A service.

    Attributes:
        folder: of the galleries, `NAME.gallery`, with the service's own files: keys, audit log, jobs.
        addresses: further galleries by name, such as `milvus://host:19530/team`.
        token: of Milvus, "user:password" or a key.
        model: embedder of new galleries, by name or file; the built-in one when None.
        detector: likewise, of all.
        device: where the networks run; see `facespace.models.devices`.
        keys: whether requests need a key.
        threads: that find faces; all cores when None.
        workers: processes.
        host: address or name to listen at.
        port: 0 takes any that is free.
        certificate: file of the TLS certificate; None for plain HTTP.
        certificate_key: of its private key.
        proxies: addresses whose forwarded headers are believed.
        root_path: under which a proxy shows the service, such as `/faces`.
        origins: of web pages elsewhere whose scripts may ask, such as `https://example.org`.
        hosts: names, besides this machine's own, by which a service without keys may be reached.
        limits: what is refused.
    """

    folder: Path
    addresses: dict[str, str] = field(default_factory=dict)
    token: str = field(default="", repr=False)
    model: str | None = None
    detector: str | None = None
    device: str = AUTO
    keys: bool = True
    threads: int | None = None
    workers: int = 1
    host: str = HOST
    port: int = PORT
    certificate: Path | None = None
    certificate_key: Path | None = None
    proxies: tuple[str, ...] = ()
    root_path: str = ""
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    limits: Limits = Limits()

    @property
    def n_threads(self) -> int:
        """That find faces in one process."""
        return self.threads or max(1, (os.cpu_count() or 1) // self.workers)
