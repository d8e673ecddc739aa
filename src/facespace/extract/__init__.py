"""Photos, crops or arrays to faces with embeddings, in memory or as a FaceTable on disk."""

from facespace.extract.photos import (
    CROPS_PER_BATCH,
    FaceDetector,
    FaceEmbedder,
    FoundFaces,
    ImageFaces,
    NamedDetector,
    PhotoFaces,
    embed_known_faces,
    extract_crops,
    extract_image,
    extract_photo,
    extract_photos,
    find_faces,
)
from facespace.extract.tables import (
    EmbedResult,
    content_hash,
    embed_photos,
    expand_paths,
    extract_table,
    extract_tables,
)
from facespace.extract.tracks import Track
from facespace.extract.videos import VideoFaces, embed_known_frames, extract_files, extract_video, file_hash
from facespace.workers import in_order

__all__ = [
    "CROPS_PER_BATCH",
    "EmbedResult",
    "FaceDetector",
    "FaceEmbedder",
    "FoundFaces",
    "ImageFaces",
    "NamedDetector",
    "PhotoFaces",
    "Track",
    "VideoFaces",
    "content_hash",
    "embed_known_faces",
    "embed_known_frames",
    "embed_photos",
    "expand_paths",
    "extract_crops",
    "extract_files",
    "extract_image",
    "extract_photo",
    "extract_photos",
    "extract_table",
    "extract_tables",
    "extract_video",
    "file_hash",
    "find_faces",
    "in_order",
]
