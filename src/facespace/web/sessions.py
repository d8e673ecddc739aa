"""One-time codes and the sessions that they are exchanged for.

An address with a code may be seen by others: in the list of processes, in the history of a browser. So a code lets in
one browser, once. What lasts, the session's id, is in that browser's cookie and in the server's memory alone.
"""

import hmac
import secrets
from collections import OrderedDict
from threading import Lock

__all__ = ["Sessions"]

MAX_KEPT = 64


class Sessions:
    """Who has been let in; used from several threads.

    Args:
        cookie: name of the cookie. Browsers send cookies to all ports of a host, so servers need different names.

    Attributes:
        cookie: as given.
    """

    def __init__(self, cookie: str) -> None:
        self.cookie = cookie
        self._lock = Lock()
        self._codes: OrderedDict[str, None] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()

    def new_code(self) -> str:
        """A code for an address; the oldest of very many unused ones lapse."""
        with self._lock:
            return _keep_new(self._codes)

    def exchange(self, code: str) -> str | None:
        """The id of a new session for a code, which is used up; None for a code that was not given or was used."""
        with self._lock:
            known = _find(self._codes, code)
            if known is None:
                return None
            del self._codes[known]
            return _keep_new(self._ids)

    def knows(self, session: str) -> bool:
        """Whether this is the id of a session."""
        with self._lock:
            return _find(self._ids, session) is not None


def _keep_new(kept: OrderedDict[str, None]) -> str:
    secret = secrets.token_urlsafe(24)
    kept[secret] = None
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
    return secret


def _find(kept: OrderedDict[str, None], wanted: str) -> str | None:
    """The secret that equals ``wanted``, in a time that does not tell how much of it is right."""
    sent = wanted.encode("utf-8", "surrogateescape")
    return next((secret for secret in kept if hmac.compare_digest(secret.encode(), sent)), None)
