"""Training pictures: where they lie (folders, lists, shards) and how they come into memory."""

from facespace.training.data.faces import Faces, open_faces, prefetched
from facespace.training.data.pictures import Pictures, find_pictures

__all__ = ["Faces", "Pictures", "find_pictures", "open_faces", "prefetched"]
