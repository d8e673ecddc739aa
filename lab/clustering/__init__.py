"""Clustering compared with other methods, and the rule that chooses its threshold."""
