"""Every error that facespace raises on purpose.

    FacespaceError
    |-- InputError (ValueError)      an argument or array has the wrong shape, range or content
    |-- ImageError (ValueError)      a picture cannot be read: carries the path and the reason
    |-- NoFaceError (ValueError)     a picture that needs a face shows none
    |-- WriteError (OSError)         a file cannot be written: carries the path and the system's reason
    |-- DataError (ValueError)       a data set, FaceTable or protocol file is missing or malformed
    |-- ModelError (ValueError)      a model file is missing, unreadable or says too little of itself
    |   `-- IncompatibleModelsError  embeddings of two models that may not meet
    |-- GalleryError                 a gallery file is locked, foreign or of a newer version
    |-- LibraryError                 a photo library is locked, foreign or of a newer version
    |   `-- CorrectionError          a correction contradicts another, or names nobody and nothing of the library
    |-- ServiceError                 a service cannot be reached, or refuses: carries the status and the kind
    |-- TrainingError                a training run stopped: carries the remedy in its text
    |-- WorkersError                 other machines that should do the work are away or cannot do it
    `-- MissingExtraError (ImportError)  an optional dependency is not installed

A message is one line: what was expected, what was met, what to do.
"""

from pathlib import Path


class FacespaceError(Exception):
    """Base of all errors that facespace raises on purpose."""


class InputError(FacespaceError, ValueError):
    """An argument or array has the wrong shape, range or content."""


class ImageError(FacespaceError, ValueError):
    """A picture cannot be read."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason


class NoFaceError(FacespaceError, ValueError):
    """A picture that needs a face shows none."""


class WriteError(FacespaceError, OSError):
    """A file cannot be written."""

    def __init__(self, path: Path | str, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error), str(path))
        self.path = Path(path)

    def __str__(self) -> str:
        return f"{self.path}: cannot be written: {self.strerror}; make room there, or name another place"


class DataError(FacespaceError, ValueError):
    """A data set, FaceTable or protocol file is missing or malformed."""


class ModelError(FacespaceError, ValueError):
    """A model file is missing, unreadable or says too little of itself."""


class IncompatibleModelsError(ModelError):
    """Embeddings of two models were about to meet though neither declares compatibility."""


class GalleryError(FacespaceError):
    """A gallery file is locked, foreign or of a newer version, or does not hold what was asked for."""


class LibraryError(FacespaceError):
    """A photo library is locked, foreign or of a newer version."""


class CorrectionError(LibraryError):
    """A correction contradicts another, or names nobody and nothing of the library."""


class ServiceError(FacespaceError):
    """A service cannot be reached, or refuses.

    Attributes:
        status: of HTTP; 0 where there was no answer.
        kind: of the problem, such as "not-found" or "key"; see docs/service.md.
    """

    def __init__(self, message: str, *, status: int, kind: str) -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


class TrainingError(FacespaceError):
    """A training run stopped; the message says why and what to change."""


class WorkersError(FacespaceError):
    """Other machines that should do the work are away, or cannot do it."""


class MissingExtraError(FacespaceError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part of facespace: pip install 'facespace[{extra}]'")
        self.extra = extra
