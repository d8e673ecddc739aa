"""Train embedders and detectors: the only part of facespace that imports torch."""
