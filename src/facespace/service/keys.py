"""Keys: who may read, write or delete in which gallery."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from facespace.errors import DataError, InputError
from facespace.saved_files import write_beside
from facespace.table_files import lock_folder

KEYS = "keys.json"
RIGHTS = ("read", "write", "delete")
# In place of a gallery: all of them.
ANY = "*"
NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Key:
    """A key as it is kept: what is sent cannot be worked out of it.

    A key is 256 random bits, so its plain SHA-256 can no more be guessed than the key; slow hashes are for passwords,
    and would cost each request as much as a search.

    Attributes:
        key_id: names it in lists and logs.
        sha256: of the key.
        gallery: of which it gives rights; `*` is all.
        rights: some of `RIGHTS`.
        note: whose it is, for people.
        made: ISO 8601, UTC.
    """

    key_id: str
    sha256: str
    gallery: str
    rights: tuple[str, ...]
    note: str
    made: str

    def may(self, right: str, gallery: str) -> bool:
        """Whether it gives a right in a gallery."""
        return right in self.rights and self.gallery in (ANY, gallery)


class Keys:
    """The keys of a service in a file of its folder, for its owner alone; read again when it has changed.

    Args:
        folder: of the service.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / KEYS
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """All that are valid, the oldest first.

        Raises:
            DataError: the file is damaged.
        """
        return list(self._current().values())

    def find(self, sent: str) -> Key | None:
        """The key that was sent; compared in a time that does not tell how much of it is right."""
        key_id = sent.removeprefix("fsk_").partition("_")[0]
        known = self._current().get(key_id)
        digest = hashlib.sha256(sent.encode("utf-8", "surrogateescape")).hexdigest()
        is_same = hmac.compare_digest(digest, known.sha256 if known else NOBODY)
        return known if is_same else None

    def make(self, gallery: str, rights: Iterable[str], *, note: str = "") -> tuple[Key, str]:
        """A new key, and the text to be sent, which is kept nowhere.

        Raises:
            InputError: a right that there is not, or none.
        """
        wanted = tuple(right for right in RIGHTS if right in set(rights))
        if not wanted or set(rights) - set(RIGHTS):
            raise InputError(
                f"rights: expected some of {', '.join(RIGHTS)}, got {', '.join(rights) or 'none'}"
            )
        key_id = secrets.token_hex(4)
        text = f"fsk_{key_id}_{secrets.token_urlsafe(32)}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        key = Key(key_id, digest, gallery, wanted, note, datetime.now(UTC).isoformat(timespec="seconds"))
        with lock_folder(self.path.parent):  # no other command changes the keys meanwhile
            self._write({**self._current(), key_id: key})
        return key, text

    def revoke(self, key_id: str) -> Key:
        """Make a key invalid, from the next request on.

        Raises:
            InputError: there is no such key.
        """
        known = {key.key_id: key for key in self.all()}
        if key_id not in known:
            raise InputError(f"{key_id}: expected the id of a key, as `facespace api keys list` has them")
        with lock_folder(self.path.parent):
            left = dict(self._current())
            left.pop(key_id, None)
            self._write(left)
        return known[key_id]

    def _write(self, keys: dict[str, Key]) -> None:
        text = json.dumps({"keys": [asdict(key) for key in keys.values()]}, indent=1)
        write_beside(self.path, (text + "\n").encode(), private=True)

    def _current(self) -> dict[str, Key]:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, {}
            return self._keys
        # A file that is written again is another file.
        seen = status.st_ino, status.st_mtime_ns, status.st_size
        if seen != self._seen:
            self._keys, self._seen = self._read(), seen
        return self._keys

    def _read(self) -> dict[str, Key]:
        try:
            found = json.loads(self.path.read_text("utf-8"))["keys"]
            keys = [Key(**{**one, "rights": tuple(one["rights"])}) for one in found]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{self.path}: expected the keys of a service, the file is damaged") from error
        return {key.key_id: key for key in keys}
