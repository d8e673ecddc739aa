"""Photos in object stores and on other file systems: `s3://bucket/folder`, `gs://`, `hdfs://`, `file://`.

pyarrow's file systems read them, and fsspec's where pyarrow has none. An `Address` is a path to everything that lists
or reads photos; what stands in a URI for the store alone (keys, `?endpoint_override=`) is never part of its text.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from facespace.errors import DataError, InputError, MissingExtraError

# A plain path is of another class on Windows.
_Path = Path if TYPE_CHECKING else type(Path())


def photo_path(text: str) -> Path:
    """A path of this machine, or the `Address` that the text is.

    Raises:
        DataError: a URI that no file system can open.
        InputError: a URI that cannot be read.
        MissingExtraError: pyarrow is not installed.
    """
    return _address(text) if "://" in text else Path(text)


class Address(_Path):  # type: ignore[misc,valid-type,unused-ignore]
    """A file or folder in a store; pickled with what opens the store, and shown without.

    Attributes:
        text: `scheme://` and where it is, without keys and options.
        uri: what opens the store.
        inside: the path that the store knows it by.
    """

    text: str
    uri: str
    inside: str

    @classmethod
    def at(cls, text: str, uri: str, inside: str) -> "Address":
        """What lies there."""
        made = cls(text)
        made.text, made.uri, made.inside = text, uri, inside
        return made

    def __str__(self) -> str:
        return self.text

    def __fspath__(self) -> str:
        return self.text

    def __reduce__(self) -> Any:
        return Address.at, (self.text, self.uri, self.inside)

    def is_dir(self, **_: Any) -> bool:
        """Whether it is a folder, or the beginning of names of objects."""
        return bool(self._info().type.name == "Directory")

    def exists(self, **_: Any) -> bool:
        """Whether anything is there."""
        return bool(self._info().type.name != "NotFound")

    def read(self, max_bytes: int) -> bytes:
        """The content.

        Raises:
            OSError: it cannot be read, or is larger than ``max_bytes``.
        """
        try:
            with _store(self.uri)[0].open_input_file(self.inside) as file:
                if file.size() > max_bytes:
                    raise OSError(f"larger than the limit of {max_bytes / 2**20:.3g} MB")
                return bytes(file.read())
        except OSError as error:
            raise OSError(_reason(error)) from error

    def files(self) -> Iterator["Address"]:
        """All files below, by path; those below a hidden folder are left out.

        Raises:
            DataError: they cannot be listed.
        """
        from pyarrow import fs

        try:
            found = _store(self.uri)[0].get_file_info(fs.FileSelector(self.inside, recursive=True))
        except OSError as error:
            raise DataError(
                f"{self}: expected a folder that can be listed, met: {_reason(error)}; look at the address and at "
                "the keys that this machine has for it"
            ) from error
        root = self.inside.rstrip("/") + "/"
        for inside in sorted(one.path for one in found if one.is_file):
            below = inside.removeprefix(root)
            if not any(part.startswith(".") for part in below.split("/")):
                yield Address.at(f"{self.text.rstrip('/')}/{below}", self.uri, inside)

    def _info(self) -> Any:
        try:
            return _store(self.uri)[0].get_file_info(self.inside)
        except OSError as error:
            raise DataError(
                f"{self}: expected a store that answers, met: {_reason(error)}; look at the address and at the keys "
                "that this machine has for it"
            ) from error


def _address(text: str) -> Address:
    uri = quote(text, safe=":/?&=@%+,;~!$'()*[]")
    parts = urlsplit(uri)
    inside = _store(uri)[1]
    host = parts.netloc.rpartition("@")[2]
    return Address.at(unquote(f"{parts.scheme}://{host}{parts.path}").rstrip("/"), uri, inside)


@lru_cache(maxsize=64)
def _store(uri: str) -> tuple[Any, str]:
    """The file system of a URI, and the path in it."""
    try:
        import pyarrow
        from pyarrow import fs
    except ImportError as error:
        raise MissingExtraError("reading photos from a store", "ray") from error
    shown = urlsplit(uri)
    name = f"{shown.scheme}://{shown.netloc.rpartition('@')[2]}{shown.path}"
    try:
        return fs.FileSystem.from_uri(uri)
    except pyarrow.ArrowInvalid as error:
        if "Unrecognized filesystem" not in str(error):
            raise InputError(f"{name}: expected the address of a folder, met: {_reason(error)}") from error
    except OSError as error:
        raise DataError(f"{name}: expected a store that answers, met: {_reason(error)}") from error
    try:
        from fsspec.core import url_to_fs

        found, inside = url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"{name}: expected s3://, gs://, hdfs://, file:// or what fsspec can open; {error}"
        ) from error
    return fs.PyFileSystem(fs.FSSpecHandler(found)), str(inside)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
