r"""Harmonic triplet loss (paper, appendix): a newer model v2 learns to lie in one space with an older one, v1.

The batch is held twice, by v1, whose embeddings are fixed, and by v2, whose are learned. Anchor, positive and negative
of a triplet each come from either; a combination is written as three digits in that order.

                positive          anchor          negative
    v2 learned     o <------------- o . . . . . . . > o       ---  drawn together
                     ^           /     .           ^          . .  pushed apart, where the miner's rule says so
                       \       /          .     .             ===  fixed: both are v1's
                         \   /              . .
                         /   \              . .
                       /       \          .     .
                     v           \     .           v
    v1 fixed       # <============= # = = = = = = = > #

    222   the triplet loss of v2 alone
    221   v2 keeps its people together and away from where v1 has others
    212   a new face is nearer to the old ones of its person than to new ones of others
    211   a new probe in an old gallery: nearer to the right old template than to the wrong ones
    122   an old probe in a new gallery
    121   an old face is nearer to the new one of its person than to the old ones of others
    112   a new face of another stays farther from an old one than the old ones of one person are from each other
    111   v1 alone: nothing in it moves, so it has no gradient and is not made

Negatives are drawn, semi-hard unless the recipe says otherwise, from both versions as one set, as far as the
combinations allow for that anchor and positive. Each combination can be left out (`[harmonic] combinations`).
"""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from facespace.training.losses import Outcome, triplet_loss
from facespace.training.mining import Triplets, mine

COMBINATIONS = ("222", "221", "212", "211", "122", "121", "112")


def mine_versions(
    new: Tensor,
    old: Tensor,
    labels: Tensor,
    *,
    combinations: tuple[str, ...] = COMBINATIONS,
    same_face: bool = True,
    generator: torch.Generator | None = None,
    **options: Any,
) -> Triplets:
    """Triplets that index the rows of ``new`` and then those of ``old``, 2N in all.

    Args:
        new: unit rows of v2, shape (N, D).
        old: unit rows of v1 for the same faces, shape (N, D).
        labels: identities, shape (N,).
        combinations: those of COMBINATIONS that take part.
        same_face: v1's embedding of a face is a positive of v2's of that very face, and the reverse.
        generator: source of the draw.
        options: further ones of `mine`.
    """
    n, both, of_both = len(new), torch.cat([new.detach(), old]), labels.repeat(2)
    first_row = {"2": 0, "1": n}
    row = torch.arange(2 * n, device=labels.device)
    of_version = {"2": row < n, "1": row >= n}
    nothing = row[:0]
    found = [Triplets(nothing, nothing, nothing, 0)]
    for anchor, positive in dict.fromkeys((made[0], made[1]) for made in combinations):
        offset, positives = first_row[anchor], of_version[positive]
        if anchor == positive or not same_face:
            positives = positives & (row != (row[:n] + first_row[positive])[:, None])
        versions = {made[2] for made in combinations if made[:2] == anchor + positive}
        negatives = of_version[versions.pop()] if len(versions) == 1 else None
        mined = mine(
            both[offset : offset + n], labels, both, of_both, positives=positives, negatives=negatives,
            generator=generator, **options,
        )  # fmt: skip
        found.append(dataclasses.replace(mined, anchor_idx=mined.anchor_idx + offset))
    return Triplets(
        torch.cat([part.anchor_idx for part in found]),
        torch.cat([part.positive_idx for part in found]),
        torch.cat([part.negative_idx for part in found]),
        sum(part.n_pairs for part in found),
    )


def harmonic_loss(
    new: Tensor, old: Tensor, labels: Tensor, *, margin: float = 0.2, **options: Any
) -> Outcome:
    """The triplet loss (equation 3) over triplets of both versions; its gradient reaches v2 alone.

    Args:
        new: unit rows of v2, shape (N, D), with gradient.
        old: unit rows of v1 for the same faces, shape (N, D).
        labels: identities, shape (N,).
        margin: on squared L2.
        options: of `mine_versions`.
    """
    triplets = mine_versions(new, old, labels, margin=margin, **options)
    return triplet_loss(torch.cat([new, old.detach()]), triplets, margin=margin)
