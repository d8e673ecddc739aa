"""Who asks, whether they may, and how often."""

import time
from dataclasses import dataclass

from fastapi import Request

from facespace.service.keys import ANY, Key, Keys
from facespace.service.metrics import Metrics
from facespace.service.problems import ProblemError
from facespace.service.settings import Settings

# Seconds of a key's rate that it may use at once.
BURST_S = 2.0


@dataclass(frozen=True)
class Access:
    """What a request may do.

    Attributes:
        key: that it brought; None at a service without keys, where everything is allowed.
        sent: the text of the key, or what was sent in its place at a service without keys; None for nothing.
    """

    key: Key | None
    sent: str | None = None

    @property
    def by(self) -> str | None:
        """Names it in the log."""
        return None if self.key is None else self.key.key_id

    @property
    def gallery(self) -> str | None:
        """The one gallery that the key is for; None where it is for all, or there are no keys."""
        return None if self.key is None or self.key.gallery == ANY else self.key.gallery

    def may(self, right: str, gallery: str) -> bool:
        """Whether it has a right in a gallery."""
        return self.key is None or self.key.may(right, gallery)

    def need_any(self, right: str) -> None:
        """Only with a right in some gallery.

        Raises:
            ProblemError: it does not have it.
        """
        if self.key is not None and right not in self.key.rights:
            raise ProblemError(403, "right", f"expected a key with the right to {right}")

    def need(self, right: str, gallery: str = ANY) -> None:
        """Only with a right in a gallery, or in all.

        Raises:
            ProblemError: it does not have it.
        """
        if not self.may(right, gallery):
            where = "all galleries" if gallery == ANY else "this gallery"
            raise ProblemError(403, "right", f"expected a key with the right to {right} in {where}")


class Door:
    """Lets requests in.

    Args:
        settings: of the service.
        metrics: counts who was refused.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._keys = Keys(settings.folder) if settings.keys else None
        self._rate = settings.limits.rate / settings.workers
        self._spent: dict[str, tuple[float, float]] = {}
        self._metrics = metrics

    async def __call__(self, request: Request) -> Access:
        """What a request may do.

        Raises:
            ProblemError: no valid key, or one that asks too often.
        """
        sent = _sent(request)
        if self._keys is None:
            return Access(None, sent)
        key = self._keys.find(sent) if sent else None
        if key is None:
            self._metrics.refused.labels("key").inc()
            why = "this key is not valid" if sent else "send a key: `Authorization: Bearer KEY`"
            raise ProblemError(401, "key", why, headers={"WWW-Authenticate": "Bearer"})
        self._spend(key.key_id)
        return Access(key, sent)

    def _spend(self, key_id: str) -> None:
        """One of the requests that a key may make; they come back with time."""
        if not self._rate:
            return
        now, most = time.monotonic(), max(1.0, BURST_S * self._rate)
        left, then = self._spent.get(key_id, (most, now))
        left = min(most, left + (now - then) * self._rate)
        if left < 1:
            self._metrics.refused.labels("rate").inc()
            raise ProblemError(
                429, "rate", f"this key may ask {self._rate:g} times a second", headers={"Retry-After": "1"}
            )
        self._spent[key_id] = left - 1, now


def _sent(request: Request) -> str | None:
    """The key of a request, by either of the two headers."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and value.strip():
        return value.strip()
    return request.headers.get("x-api-key", "").strip() or None
