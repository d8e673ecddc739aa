"""The layer around an app as the network sees it: no route can be reached past it, and none has to remember it."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Layer:
    """An ASGI app whose every answer carries some headers, also where it fails.

    Args:
        app: with the routes.
        headers: of every answer that has none of its own of that name.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self.app, self._headers = app, headers

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or let the app answer it."""
        raise NotImplementedError

    def failed(self, scope: Scope, error: Exception) -> Response:
        """What is answered where that raised an error, if nothing has been answered yet."""
        raise NotImplementedError

    def begins(self, scope: Scope, status: int) -> None:
        """An answer of that status begins."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        if scope["type"] != "http":  # no web sockets here
            return
        has_begun = False

        async def with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start" and not has_begun:
                has_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                self.begins(scope, message["status"])
            await send(message)

        try:
            await self.answer(scope, receive, with_headers)
        except Exception as error:
            answer = self.failed(scope, error)
            if not has_begun:
                await answer(scope, receive, with_headers)
