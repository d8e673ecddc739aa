"""Photos, crops or arrays to faces with embeddings, in memory or as a FaceTable on disk."""

from facespace.extract.photos import (
    CROPS_PER_BATCH,
    FaceDetector,
    FaceEmbedder,
    ImageFaces,
    PhotoFaces,
    extract_crops,
    extract_image,
    extract_photos,
)
from facespace.extract.tables import EmbedResult, embed_crops, embed_photos

__all__ = [
    "CROPS_PER_BATCH",
    "EmbedResult",
    "FaceDetector",
    "FaceEmbedder",
    "ImageFaces",
    "PhotoFaces",
    "embed_crops",
    "embed_photos",
    "extract_crops",
    "extract_image",
    "extract_photos",
]
