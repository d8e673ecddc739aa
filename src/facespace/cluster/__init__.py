"""Who belongs together: exact clustering, what people say of it, what they ask of it, and how it grows."""

from facespace.cluster.constraints import Constraints
from facespace.cluster.doubtful import DoubtfulGroup, find_doubtful_groups
from facespace.cluster.explain import Explanation, Step, explain
from facespace.cluster.groups import tightness
from facespace.cluster.incremental import add_faces, attach_faces, group_good_faces
from facespace.cluster.linkage import Linkage, agglomerative
from facespace.cluster.table_groups import TableGroups, group_table
from facespace.cluster.threshold import IMPOSTORS_IN_REACH, CollectionThreshold, collection_threshold
from facespace.cluster.tree import Clustering, cut, labels_by_size

__all__ = [
    "IMPOSTORS_IN_REACH",
    "Clustering",
    "CollectionThreshold",
    "Constraints",
    "DoubtfulGroup",
    "Explanation",
    "Linkage",
    "Step",
    "TableGroups",
    "add_faces",
    "agglomerative",
    "attach_faces",
    "collection_threshold",
    "cut",
    "explain",
    "find_doubtful_groups",
    "group_good_faces",
    "group_table",
    "labels_by_size",
    "tightness",
]
