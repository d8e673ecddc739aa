"""Who belongs together: agglomerative clustering that is exact, constraints, and what people ask of groups."""

from facespace.cluster.constraints import Constraints
from facespace.cluster.groups import tightness
from facespace.cluster.linkage import Linkage, agglomerative
from facespace.cluster.tree import Clustering, cut

__all__ = ["Clustering", "Constraints", "Linkage", "agglomerative", "cut", "tightness"]
