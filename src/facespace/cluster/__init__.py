"""Who belongs together: exact clustering, what people say of it, what they ask of it, and how it grows."""

from facespace.cluster.constraints import Constraints
from facespace.cluster.explain import Explanation, Step, explain
from facespace.cluster.groups import tightness
from facespace.cluster.heaps import Heap, find_heaps
from facespace.cluster.incremental import add_faces, attach_faces, group_good_faces
from facespace.cluster.linkage import Linkage, agglomerative
from facespace.cluster.table_groups import GroupOptions, TableGroups, group_table
from facespace.cluster.threshold import STRANGERS_IN_REACH, CollectionThreshold, collection_threshold
from facespace.cluster.tree import Clustering, cut, labels_by_size

__all__ = [
    "STRANGERS_IN_REACH",
    "Clustering",
    "CollectionThreshold",
    "Constraints",
    "Explanation",
    "GroupOptions",
    "Heap",
    "Linkage",
    "Step",
    "TableGroups",
    "add_faces",
    "agglomerative",
    "attach_faces",
    "collection_threshold",
    "cut",
    "explain",
    "find_heaps",
    "group_good_faces",
    "group_table",
    "labels_by_size",
    "tightness",
]
