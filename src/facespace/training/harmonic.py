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
from dataclasses import dataclass

import torch
from torch import Tensor

from facespace.training.losses import Outcome, triplet_loss
from facespace.training.mining import Roles, Triplets, mine

COMBINATIONS = ("222", "221", "212", "211", "122", "121", "112")


@dataclass(frozen=True)
class HarmonicMiner:
    """Makes the triplets of both versions; each field but the first two is an option of `mine`.

    Attributes:
        combinations: those of COMBINATIONS that take part.
        same_face: v1's embedding of a face is a positive of v2's of that very face, and the reverse.
    """

    combinations: tuple[str, ...] = COMBINATIONS
    same_face: bool = True
    margin: float = 0.2
    rule: str = "semi-hard"
    pairs: str = "all"
    negatives_per_pair: int = 1
    choice: str = "uniform"

    def mine(
        self, new: Tensor, old: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Triplets:
        """Triplets that index the rows of ``new`` and then those of ``old``, 2N in all.

        Args:
            new: unit rows of v2, shape (N, D).
            old: unit rows of v1 for the same faces, shape (N, D).
            labels: identities, shape (N,).
            generator: source of the draw.
        """
        both, of_both = torch.cat([new.detach(), old]), labels.repeat(2)
        options = dataclasses.asdict(self)
        del options["combinations"], options["same_face"]
        found = []
        for (anchor, positive), negatives in self._kinds().items():
            offset = _first_row(anchor, len(new))
            rows = both[offset : offset + len(new)]
            roles = self._roles(anchor, positive, negatives, len(new), labels.device)
            mined = mine(rows, labels, both, of_both, roles=roles, generator=generator, **options)
            found.append(dataclasses.replace(mined, anchor_idx=mined.anchor_idx + offset))
        return _together(found, labels.device)

    def _kinds(self) -> dict[tuple[str, str], str]:
        """Versions of anchor and positive -> versions that their negative may come from."""
        kinds: dict[tuple[str, str], str] = {}
        for versions in self.combinations:
            pair = versions[0], versions[1]
            kinds[pair] = kinds.get(pair, "") + versions[2]
        return kinds

    def _roles(self, anchor: str, positive: str, negatives: str, n: int, device: torch.device) -> Roles:
        is_old = torch.arange(2 * n, device=device) >= n
        faces = torch.arange(n, device=device)
        its_own = anchor == positive or not self.same_face
        return Roles(
            positives=is_old if positive == "1" else ~is_old,
            negatives=None if len(negatives) > 1 else is_old if negatives == "1" else ~is_old,
            anchor_at=faces + _first_row(positive, n) if its_own else None,
        )


def harmonic_loss(
    new: Tensor, old: Tensor, labels: Tensor, miner: HarmonicMiner, generator: torch.Generator | None = None
) -> Outcome:
    """The triplet loss (equation 3) over triplets of both versions; its gradient reaches v2 alone.

    Args:
        new: unit rows of v2, shape (N, D), with gradient.
        old: unit rows of v1 for the same faces, shape (N, D).
        labels: identities, shape (N,).
        miner: makes the triplets.
        generator: of the miner's draws.
    """
    triplets = miner.mine(new, old, labels, generator)
    return triplet_loss(torch.cat([new, old.detach()]), triplets, margin=miner.margin)


def _first_row(version: str, n: int) -> int:
    """Where a version's rows begin: v2's stand first."""
    return n if version == "1" else 0


def _together(found: list[Triplets], device: torch.device) -> Triplets:
    nothing = Triplets(*(torch.zeros(0, dtype=torch.long, device=device),) * 3, n_pairs=0)
    return Triplets(
        torch.cat([t.anchor_idx for t in (nothing, *found)]),
        torch.cat([t.positive_idx for t in (nothing, *found)]),
        torch.cat([t.negative_idx for t in (nothing, *found)]),
        sum(t.n_pairs for t in found),
    )
