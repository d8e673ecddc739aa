"""Choices that the protocols and their commands share; a command's help must not load what the protocol needs."""

__all__ = ["LEAK_FAR", "N_FRAMES", "N_GALLERIES", "N_SPLITS", "N_TEMPLATES"]

# The first detected frames of a video that count (paper, section 5.7; its second figure takes 1,000).
N_FRAMES = 100
# Disjoint splits of a hold-out set (paper, section 4.1).
N_SPLITS = 5
# Rare enough that strangers among thousands of identities seldom seem to be one person.
LEAK_FAR = 1e-5
# Faces enrolled of each person of a gallery, and random halves of the people that are enrolled in turn.
N_TEMPLATES = 5
N_GALLERIES = 10
