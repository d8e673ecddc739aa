"""A gallery behind `facespace api`: the names of `Gallery`, requests in place of a file. Needs the extra `client`.

Every call gives the document that the service answers (docs/service.md); the async class gives it when awaited. All
calls may be repeated, and are while the service is busy and says when to come back.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError, MissingExtraError, ServiceError

if TYPE_CHECKING:
    import httpx

Document = dict[str, Any]
Answer = TypeVar("Answer")
Pages = TypeVar("Pages")
# A picture file or its content; or embeddings (N, D): float32 unit rows, or int8 as `quantise` makes them.
Probes = bytes | Path | NDArray[np.float32] | NDArray[np.int8]
TRIES, LONGEST_WAIT_S, TIMEOUT_S = 5, 30.0, 60.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Calls(Generic[Answer, Pages]):
    """What can be asked of a gallery, whoever sends it."""

    def __init__(self, address: str, *, key: str | None = None, **options: Any) -> None:
        parts = urlsplit(address)
        path, _, self.name = parts.path.rstrip("/").rpartition("/")
        if parts.scheme not in ("http", "https") or not parts.hostname or not self.name or parts.username:
            raise InputError(f"{address}: expected the address of a gallery such as https://host/team")
        if key and parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise InputError(f"{address}: expected https; by http others could read the key")
        self.address, self._at = address, f"{parts.scheme}://{parts.netloc}{path}/v1/galleries/{self.name}"
        self._options = {"timeout": TIMEOUT_S, "headers": {"x-api-key": key} if key else {}, **options}

    def _send(self, method: str, path: str, **sent: Any) -> Answer:
        raise NotImplementedError

    def _pages(self, what: str, **wanted: Any) -> Pages:
        raise NotImplementedError

    def subjects(self) -> Pages:
        """Everybody, by name."""
        return self._pages("subjects")

    def faces(self, *, subject: str | None = None) -> Pages:
        """All faces, or those of one person."""
        return self._pages("faces", subject=subject)

    def create(self, *, model: str | None = None, keep_pictures: bool = False) -> Answer:
        """Make the gallery, or change whether it keeps the pictures of enrolled faces."""
        return self._send("PUT", "", json=_given(model=model, keep_pictures=keep_pictures))

    def overview(self) -> Answer:
        """The gallery's model, and how many subjects and faces there are."""
        return self._send("GET", "")

    def enrol(
        self, face: Probes, subject: str, *, key: str | None = None, min_quality: float = 0.0, model: str = ""
    ) -> Answer:
        """Enrol the largest face of a picture, or an embedding of ``model``, under a key of yours or one made of it."""
        method, path = ("PUT", f"/faces/{_quoted(key)}") if key else ("POST", "/faces")
        params = {"subject": subject, "min_quality": min_quality}
        return self._send(method, path, params=params, **_body(face, model))

    def identify(
        self, probes: Probes, *, fpir: float | None = None, faces: str = "all", model: str = ""
    ) -> Answer:
        """Who each face is, or nobody who is enrolled.

        Args:
            probes: a picture, or embeddings.
            fpir: share of unknown people who may be taken for somebody; the service's default when None.
            faces: of the picture, "all" or the "largest".
            model: sha256 or name of the one that made embeddings; the gallery's when empty.
        """
        return self._send("POST", "/identify", params=_given(fpir=fpir, faces=faces), **_body(probes, model))

    def search(
        self,
        probes: Probes,
        *,
        k: int | None = None,
        far: float | None = None,
        faces: str = "all",
        model: str = "",
    ) -> Answer:
        """The enrolled faces nearest to each face; see `identify`."""
        params = _given(k=k, far=far, faces=faces)
        return self._send("POST", "/search", params=params, **_body(probes, model))

    def add_subject(self, name: str) -> Answer:
        """Add a person without faces."""
        return self._send("PUT", f"/subjects/{_quoted(name)}")

    def faces_of(self, name: str) -> Answer:
        """A person, with the keys of the faces."""
        return self._send("GET", f"/subjects/{_quoted(name)}")

    def face(self, key: str) -> Answer:
        """An enrolled face."""
        return self._send("GET", f"/faces/{_quoted(key)}")

    def remove(self, *, subject: str | None = None, face: str | None = None) -> Answer:
        """Remove a person with all faces, or a face by its key, for good."""
        if subject is not None and face is None:
            return self._send("DELETE", f"/subjects/{_quoted(subject)}")
        if face is not None and subject is None:
            return self._send("DELETE", f"/faces/{_quoted(face)}")
        raise InputError("expected one of subject and face")

    def upgrade(self, model: str) -> Answer:
        """Move the gallery to another model: a job, which `job` follows."""
        return self._send("POST", "/upgrade", json={"model": model})

    def job(self, job_id: str) -> Answer:
        """How far a job is."""
        return self._send("GET", f"/jobs/{_quoted(job_id)}")


class RemoteGallery(_Calls[Document, Iterator[Document]]):
    """A gallery of a service; use it in a `with` block. Threads may share it.

    Args:
        address: `https://HOST/GALLERY`; between them may stand the path under which a proxy shows the service.
        key: of the gallery; None for a service without keys.
        options: of httpx's client, such as ``verify`` or ``timeout``.

    Raises:
        InputError: no such address, or a key for one that others can listen to.
        MissingExtraError: httpx is not installed.
        ServiceError: by every call: the service cannot be reached, or refuses; see its `status` and `kind`.
    """

    def __init__(self, address: str, *, key: str | None = None, **options: Any) -> None:
        super().__init__(address, key=key, **options)
        self._client: httpx.Client = _httpx().Client(**self._options)

    def __enter__(self) -> "RemoteGallery":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _pages(self, what: str, **wanted: Any) -> Iterator[Document]:
        page: Document = {"next": ""}
        while page["next"] is not None:
            page = self._send("GET", f"/{what}", params=_given(**wanted, cursor=page["next"] or None))
            yield from page[what]

    def _send(self, method: str, path: str, **sent: Any) -> Document:
        for left in reversed(range(TRIES)):
            try:
                answer = self._client.request(method, self._at + path, **sent)
            except _httpx().HTTPError as error:
                raise _unreached(self.address, error) from error
            wait_s = _wait_s(answer) if left else None
            if wait_s is None:
                break
            time.sleep(wait_s)
        return _document(self.address, answer)


class AsyncRemoteGallery(_Calls[Awaitable[Document], AsyncIterator[Document]]):
    """A gallery of a service for an event loop, otherwise as `RemoteGallery`; use it in an `async with` block."""

    def __init__(self, address: str, *, key: str | None = None, **options: Any) -> None:
        super().__init__(address, key=key, **options)
        self._client: httpx.AsyncClient = _httpx().AsyncClient(**self._options)

    async def __aenter__(self) -> "AsyncRemoteGallery":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def _pages(self, what: str, **wanted: Any) -> AsyncIterator[Document]:
        page: Document = {"next": ""}
        while page["next"] is not None:
            page = await self._send("GET", f"/{what}", params=_given(**wanted, cursor=page["next"] or None))
            for entry in page[what]:
                yield entry

    async def _send(self, method: str, path: str, **sent: Any) -> Document:
        for left in reversed(range(TRIES)):
            try:
                answer = await self._client.request(method, self._at + path, **sent)
            except _httpx().HTTPError as error:
                raise _unreached(self.address, error) from error
            wait_s = _wait_s(answer) if left else None
            if wait_s is None:
                break
            await asyncio.sleep(wait_s)
        return _document(self.address, answer)


def _httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError("a gallery behind an address", "client") from error
    return httpx


def _given(**wanted: Any) -> Document:
    return {name: value for name, value in wanted.items() if value is not None}


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _body(probes: Probes, model: str) -> Document:
    """The body: a picture as it is, embeddings as JSON."""
    if not isinstance(probes, np.ndarray):
        content = probes.read_bytes() if isinstance(probes, Path) else probes
        return {"content": content, "headers": {"content-type": "application/octet-stream"}}
    rows = np.atleast_2d(probes)
    as_bytes = rows.dtype == np.int8
    listed = [base64.b64encode(row.tobytes()).decode() for row in rows] if as_bytes else rows.tolist()
    return {"json": _given(embeddings=listed, model=model or None)}


def _wait_s(answer: "httpx.Response") -> float | None:
    """How long to wait before the same is asked again; None if it need not be."""
    after = answer.headers.get("retry-after", "")
    if answer.status_code not in (429, 503) or not after.isdecimal():
        return None
    return min(float(after), LONGEST_WAIT_S)


def _document(address: str, answer: "httpx.Response") -> Document:
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        body = None
    if answer.is_success and isinstance(body, dict):
        return body
    problem = body if isinstance(body, dict) else {}
    why = problem.get("detail") or f"expected an answer of facespace api, met status {answer.status_code}"
    kind = str(problem.get("type", "")).rpartition(":")[2]
    raise ServiceError(f"{address}: {why}", status=answer.status_code, kind=kind)


def _unreached(address: str, error: Exception) -> ServiceError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return ServiceError(
        f"{address}: expected a service, it cannot be reached: {reason}", status=0, kind="unreached"
    )
