"""Other ways to group embeddings, for comparison only: scikit-learn's, and chinese whispers as dlib's users run it.

Each maps embeddings to a function from a threshold (squared L2) to labels, in which no face is noise: what a
method leaves out stands alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn import cluster

from facespace.distances import distance_matrix
