"""facespace: faces as points of a space in which distance says how alike they are.

`EXPORTS` is the one list of the public names. Each is loaded at first use, so that importing facespace loads no
network runtime, no torch and no web framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `EXPORTS` says, for type checkers; a test compares the two
    from facespace.cluster import agglomerative, collection_threshold
    from facespace.distances import distance, distance_matrix, same_person, similarity
    from facespace.embed import Embedder, dequantise, quantise
    from facespace.errors import FacespaceError
    from facespace.extract import extract_image, extract_photos
    from facespace.faces.align import align_faces
    from facespace.faces.detect import Detector
    from facespace.faces.detections import Detections
    from facespace.gallery import Gallery, enrol, identify
    from facespace.images import read_image
    from facespace.jobs import people, verify
    from facespace.library import Library
    from facespace.models import ModelSpec, common_threshold, read_spec
    from facespace.table import FaceTable
    from facespace.verification import verify_faces

EXPORTS = {
    "facespace.cluster": ("agglomerative", "collection_threshold"),
    "facespace.distances": ("distance", "distance_matrix", "same_person", "similarity"),
    "facespace.embed": ("Embedder", "dequantise", "quantise"),
    "facespace.errors": ("FacespaceError",),
    "facespace.extract": ("extract_image", "extract_photos"),
    "facespace.faces.align": ("align_faces",),
    "facespace.faces.detect": ("Detector",),
    "facespace.faces.detections": ("Detections",),
    "facespace.gallery": ("Gallery", "enrol", "identify"),
    "facespace.images": ("read_image",),
    "facespace.jobs": ("people", "verify"),
    "facespace.library": ("Library",),
    "facespace.models": ("ModelSpec", "common_threshold", "read_spec"),
    "facespace.table": ("FaceTable",),
    "facespace.verification": ("verify_faces",),
}
_HOMES = {name: module for module, names in EXPORTS.items() for name in names}

__all__ = sorted(_HOMES)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'facespace' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
