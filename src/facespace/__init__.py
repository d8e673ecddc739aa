"""facespace: faces as points of a space in which distance says how alike they are.

`EXPORTS` is the one list of the public names. Each is loaded at first use, so that importing facespace loads no
network runtime, no torch and no web framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `EXPORTS` says, for type checkers; a test compares the two
    from facespace.cluster import agglomerative as agglomerative
    from facespace.cluster import collection_threshold as collection_threshold
    from facespace.distances import distance as distance
    from facespace.distances import distance_matrix as distance_matrix
    from facespace.distances import same_person as same_person
    from facespace.distances import similarity as similarity
    from facespace.embed import Embedder as Embedder
    from facespace.embed import dequantise as dequantise
    from facespace.embed import quantise as quantise
    from facespace.errors import FacespaceError as FacespaceError
    from facespace.extract import extract_image as extract_image
    from facespace.extract import extract_photos as extract_photos
    from facespace.extract import extract_video as extract_video
    from facespace.faces.align import align_faces as align_faces
    from facespace.faces.detect import Detector as Detector
    from facespace.faces.detections import Detections as Detections
    from facespace.gallery import Gallery as Gallery
    from facespace.images import read_image as read_image
    from facespace.jobs import people as people
    from facespace.jobs import verify as verify
    from facespace.library import Library as Library
    from facespace.models import ModelSpec as ModelSpec
    from facespace.models import common_threshold as common_threshold
    from facespace.models import read_spec as read_spec
    from facespace.table import FaceTable as FaceTable
    from facespace.verification import verify_faces as verify_faces


EXPORTS = {
    "facespace.cluster": ("agglomerative", "collection_threshold"),
    "facespace.distances": ("distance", "distance_matrix", "same_person", "similarity"),
    "facespace.embed": ("Embedder", "dequantise", "quantise"),
    "facespace.errors": ("FacespaceError",),
    "facespace.extract": ("extract_image", "extract_photos", "extract_video"),
    "facespace.faces.align": ("align_faces",),
    "facespace.faces.detect": ("Detector",),
    "facespace.faces.detections": ("Detections",),
    "facespace.gallery": ("Gallery",),
    "facespace.images": ("read_image",),
    "facespace.jobs": ("people", "verify"),
    "facespace.library": ("Library",),
    "facespace.models": ("ModelSpec", "common_threshold", "read_spec"),
    "facespace.table": ("FaceTable",),
    "facespace.verification": ("verify_faces",),
}
_HOMES = {name: module for module, names in EXPORTS.items() for name in names}

__all__ = sorted(_HOMES)
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'facespace' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
