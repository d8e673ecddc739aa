"""facespace: faces as points of a space in which distance says how alike they are.

The public names below are the one door; each loads what it needs at first use, so that importing facespace
loads no network runtime, no torch and no web framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facespace.cluster import agglomerative, collection_threshold
    from facespace.distance import distance, distance_matrix, same_person, similarity
    from facespace.embed import Embedder, dequantise, quantise
    from facespace.errors import FacespaceError
    from facespace.extract import extract_image, extract_photos
    from facespace.faces.align import align_faces
    from facespace.faces.detect import Detector
    from facespace.faces.detections import Detections
    from facespace.gallery import Gallery, enrol, identify
    from facespace.images import read_image
    from facespace.library import Library
    from facespace.models import ModelSpec, common_threshold, read_spec
    from facespace.table import FaceTable
    from facespace.verify import verify_faces

__version__ = "0.1.0"

_HOMES = {
    "Detections": "facespace.faces.detections",
    "Detector": "facespace.faces.detect",
    "Embedder": "facespace.embed",
    "FaceTable": "facespace.table",
    "FacespaceError": "facespace.errors",
    "Gallery": "facespace.gallery",
    "Library": "facespace.library",
    "ModelSpec": "facespace.models",
    "agglomerative": "facespace.cluster",
    "align_faces": "facespace.faces.align",
    "collection_threshold": "facespace.cluster",
    "common_threshold": "facespace.models",
    "dequantise": "facespace.embed",
    "distance": "facespace.distance",
    "distance_matrix": "facespace.distance",
    "enrol": "facespace.gallery",
    "extract_image": "facespace.extract",
    "extract_photos": "facespace.extract",
    "identify": "facespace.gallery",
    "quantise": "facespace.embed",
    "read_image": "facespace.images",
    "read_spec": "facespace.models",
    "same_person": "facespace.distance",
    "similarity": "facespace.distance",
    "verify_faces": "facespace.verify",
}

__all__ = [
    "Detections",
    "Detector",
    "Embedder",
    "FaceTable",
    "FacespaceError",
    "Gallery",
    "Library",
    "ModelSpec",
    "agglomerative",
    "align_faces",
    "collection_threshold",
    "common_threshold",
    "dequantise",
    "distance",
    "distance_matrix",
    "enrol",
    "extract_image",
    "extract_photos",
    "identify",
    "quantise",
    "read_image",
    "read_spec",
    "same_person",
    "similarity",
    "verify_faces",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'facespace' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
