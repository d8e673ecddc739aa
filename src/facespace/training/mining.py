"""Online triplet mining (paper, section 3.2).

A miner takes (embeddings, labels, reference embeddings, reference labels) and returns index arrays: anchors index the
first pair, positives and negatives the reference. Mining a batch against itself passes nothing more; an anchor is
then never its own positive. Masks say which rows of a reference may be positives, and which negatives.

    rule         a negative may serve the pair (a, p) where
    semi-hard    d_ap < d_an < d_ap + margin         the paper's; on its way through the margin
    hard         d_an <= d_ap                        nearer than the positive: early on these collapse a model
    one-sided    d_an < d_ap + margin                both of them; what other codes often call semi-hard
    any          every negative                      mostly easy ones: how a curriculum begins
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from facespace.errors import InputError


@dataclass(frozen=True)
class Rule:
    """Which negatives may serve a pair: distances from ``above`` d_ap (or from 0) up to d_ap + margin (or d_ap)."""

    above: bool = False
    within_margin: bool = False
    any_distance: bool = False

    def allows(self, ap_dist: Tensor, an_dist: Tensor, margin: float) -> Tensor:
        """Whether each negative may serve."""
        if self.any_distance:
            return torch.ones_like(an_dist, dtype=torch.bool)
        nearer = an_dist < ap_dist + margin if self.within_margin else an_dist <= ap_dist
        return nearer & (an_dist > ap_dist) if self.above else nearer

    def limits(self, ap_dist: Tensor, margin: float) -> tuple[Tensor, Tensor]:
        """Least and largest distance that may serve."""
        low = ap_dist if self.above else torch.zeros_like(ap_dist)
        if self.any_distance:
            return low, torch.full_like(ap_dist, 4.0)
        return low, ap_dist + margin if self.within_margin else ap_dist


RULES = {
    "semi-hard": Rule(above=True, within_margin=True),
    "hard": Rule(),
    "one-sided": Rule(within_margin=True),
    "any": Rule(any_distance=True),
}
PAIRS = ("all", "hardest", "easiest")
CHOICES = ("uniform", "nearest")
# Draws before the few pairs that are left are searched through.
ROUNDS = 4
KEY_BITS = 31
FLOAT_BITS = 24  # levels beyond would not be whole numbers in float32
# Entries of a block of pairs by references; bounds the memory of a search to some 60 MB.
BLOCK = 4_000_000


@dataclass(frozen=True)
class Triplets:
    """Index tensors of T triplets, each int64 of shape (T,), and how many pairs they came from.

    Attributes:
        anchor_idx: into the embeddings.
        positive_idx: into the reference embeddings.
        negative_idx: into the reference embeddings.
        n_pairs: all anchor-positive pairs that were looked at, those without a negative included.
    """

    anchor_idx: Tensor
    positive_idx: Tensor
    negative_idx: Tensor
    n_pairs: int

    def __len__(self) -> int:
        return len(self.anchor_idx)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared L2 of all rows of ``a`` (N, D) and ``b`` (M, D), unit length each: shape (N, M)."""
    return torch.addmm(a.new_tensor(2.0), a, b.T, alpha=-2.0).clamp_min_(0.0)


@torch.no_grad()
def mine(
    embeddings: Tensor,
    labels: Tensor,
    reference: Tensor | None = None,
    reference_labels: Tensor | None = None,
    *,
    margin: float = 0.2,
    rule: str = "semi-hard",
    pairs: str = "all",
    negatives_per_pair: int = 1,
    choice: str = "uniform",
    positives: Tensor | None = None,
    negatives: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Triplets:
    """Anchor-positive pairs, each with negatives that the rule allows.

    A pair without such a negative is left out: by the semi-hard rule it is either solved (every negative is beyond
    the margin) or it only has hard negatives.

    Args:
        embeddings: float, shape (N, D), unit rows.
        labels: int, shape (N,).
        reference: float, shape (M, D); the embeddings themselves when absent.
        reference_labels: int, shape (M,).
        margin: on squared L2.
        rule: "semi-hard", "hard", "one-sided" or "any"; see above.
        pairs: "all" anchor-positive pairs, as in the paper, or only each anchor's "hardest" (farthest) or "easiest"
            (nearest) positive.
        negatives_per_pair: the paper takes one; more lower the variance at no cost in embedding.
        choice: "uniform", a draw without replacement; "nearest", those with the smallest d_an.
        positives: bool, shape (N, M) or (M,), which rows of the reference may be positives; all when absent.
        negatives: likewise.
        generator: source of the draw.

    Raises:
        InputError: reference without its labels or the reverse, or an unknown rule, kind of pairs or choice.
    """
    for name, value, known in (("rule", rule, RULES), ("pairs", pairs, PAIRS), ("choice", choice, CHOICES)):
        if value not in known:
            raise InputError(f"{name}: expected one of {', '.join(known)}, got '{value}'")
    if (reference is None) != (reference_labels is None):
        raise InputError("expected reference embeddings together with their labels, got one of them")
    positive = labels[:, None] == (labels if reference_labels is None else reference_labels)
    negative = ~positive
    if reference is None:
        reference = embeddings
        positive.fill_diagonal_(False)
    if positives is not None:
        positive &= positives
    if negatives is not None:
        negative &= negatives
    search = _Search(distances(embeddings, reference), positive, negative, margin, RULES[rule])
    anchor_idx, positive_idx = search.pairs(pairs)
    if choice == "uniform" and negatives_per_pair == 1:
        pair_idx, negative_idx = search.draw_one(anchor_idx, positive_idx, generator)
    else:
        pair_idx, negative_idx = search.take(
            anchor_idx, positive_idx, negatives_per_pair, generator if choice == "uniform" else None, choice
        )
    return Triplets(anchor_idx[pair_idx], positive_idx[pair_idx], negative_idx, len(anchor_idx))


class _Search:
    """Distances of a batch to a reference set, and the negatives that a rule allows there."""

    def __init__(
        self, distance: Tensor, positive: Tensor, negative: Tensor, margin: float, rule: Rule
    ) -> None:
        self.distance, self.positive, self.negative = distance, positive, negative
        self.margin, self.rule = margin, rule

    def pairs(self, kind: str) -> tuple[Tensor, Tensor]:
        """Anchors and positives."""
        positive = self.positive
        if kind == "all":
            anchor_idx, positive_idx = positive.nonzero(as_tuple=True)
            return anchor_idx, positive_idx
        anchor_idx = positive.any(1).nonzero()[:, 0]
        if not len(anchor_idx):
            return anchor_idx, anchor_idx
        sign = 1.0 if kind == "hardest" else -1.0
        ranked = torch.where(positive[anchor_idx], sign * self.distance[anchor_idx], -5.0)
        return anchor_idx, ranked.argmax(1)

    def draw_one(
        self, anchor_idx: Tensor, positive_idx: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """One uniform negative a pair: which pair, which negative.

        With an anchor's negatives sorted by distance, those that a rule allows stand side by side, so that a draw
        is a draw of a rank. Levels of the sort are rounded: ranks run over a few negatives too many, and a draw
        that the rule does not allow is drawn again, which keeps the draw uniform over the allowed ones.
        """
        n_reference = self.distance.shape[1]
        if not len(anchor_idx) or not n_reference:
            return anchor_idx[:0], anchor_idx[:0]
        order = _Order(self.distance, self.negative)
        ap_dist = self.distance[anchor_idx, positive_idx]
        low, high = self.rule.limits(ap_dist, self.margin)
        first, last = order.ranks(anchor_idx, low, upper=False), order.ranks(anchor_idx, high, upper=True)
        negative_idx = torch.full_like(anchor_idx, -1)
        left = (last > first).nonzero()[:, 0]
        for _ in range(ROUNDS):
            anchors, span = anchor_idx[left], (last - first)[left]
            draw = torch.rand(left.shape, generator=generator, device=left.device, dtype=torch.float64)
            guess = order.reference_idx(anchors, first[left] + (draw * span).long())
            fits = self.rule.allows(ap_dist[left], self.distance[anchors, guess], self.margin)
            negative_idx[left[fits]] = guess[fits]
            left = left[~fits]
        rows, found = self.take(anchor_idx[left], positive_idx[left], 1, generator, "uniform")
        negative_idx[left[rows]] = found
        pair_idx = (negative_idx >= 0).nonzero()[:, 0]
        return pair_idx, negative_idx[pair_idx]

    def take(
        self, anchor_idx: Tensor, positive_idx: Tensor, k: int, generator: torch.Generator | None, choice: str
    ) -> tuple[Tensor, Tensor]:
        """Up to ``k`` negatives of each pair: which pair, which negative. Looks at every reference."""
        rows_per_block = max(1, BLOCK // max(1, self.distance.shape[1]))
        found_rows, found = [anchor_idx.new_zeros(0)], [anchor_idx.new_zeros(0)]
        for start in range(0, len(anchor_idx), rows_per_block):
            anchors, positives = (i[start : start + rows_per_block] for i in (anchor_idx, positive_idx))
            an_dist = self.distance[anchors]
            ap_dist = self.distance[anchors, positives][:, None]
            candidates = self.rule.allows(ap_dist, an_dist, self.margin) & self.negative[anchors]
            some = candidates.any(1).nonzero()[:, 0]
            rows, columns = _largest(candidates[some], self._keys(an_dist[some], choice, generator), k)
            found_rows.append(some[rows] + start)
            found.append(columns)
        return torch.cat(found_rows), torch.cat(found)

    @staticmethod
    def _keys(an_dist: Tensor, choice: str, generator: torch.Generator | None) -> Tensor:
        if choice == "nearest":
            return 4.0 - an_dist
        return torch.rand(an_dist.shape, generator=generator, device=an_dist.device)


class _Order:
    """Each anchor's negatives by distance, as one sorted int32 a negative: rounded distance, then its index.

    Half the memory and time of sorting distances with indices beside them.
    """

    def __init__(self, distance: Tensor, negative: Tensor) -> None:
        n_reference = distance.shape[1]
        self.index_bits = max(1, (n_reference - 1).bit_length())
        self.levels = 2 ** min(KEY_BITS - self.index_bits, FLOAT_BITS) - 2
        keys = self._level(distance).bitwise_left_shift_(self.index_bits)
        keys |= torch.arange(n_reference, dtype=torch.int32, device=keys.device)
        keys.masked_fill_(~negative, 2**KEY_BITS - 1)
        if keys.device.type == "cpu":
            keys.numpy().sort(axis=1)  # several times faster than torch's
        else:
            keys = keys.sort(dim=1).values
        self.keys = keys

    def _level(self, distance: Tensor) -> Tensor:
        return (distance * (self.levels / 4.0)).clamp_(max=self.levels).to(torch.int32)

    def ranks(self, anchor_idx: Tensor, distance: Tensor, *, upper: bool) -> Tensor:
        """How many negatives of each anchor lie below the level of a distance, or, ``upper``, not above it."""
        bound = (self._level(distance) + int(upper)).bitwise_left_shift_(self.index_bits)
        n = self.keys.shape[1]
        flat, start = self.keys.view(-1), anchor_idx * n
        low, high = torch.zeros_like(anchor_idx), torch.full_like(anchor_idx, n)
        for _ in range(n.bit_length()):
            middle = (low + high) >> 1
            below = (flat[start + middle.clamp_max(n - 1)] < bound) & (middle < high)
            low = torch.where(below, middle + 1, low)
            high = torch.where(below, high, middle)
        return low

    def reference_idx(self, anchor_idx: Tensor, rank: Tensor) -> Tensor:
        """Index of the negative at a rank."""
        return self.keys[anchor_idx, rank].long() & (2**self.index_bits - 1)


def _largest(candidates: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Of each row's true columns in (P, M) up to ``k`` with the largest keys: row and column indices."""
    if candidates.numel() == 0:
        nothing = torch.zeros(0, dtype=torch.long, device=candidates.device)
        return nothing, nothing
    keys = torch.where(candidates, keys, keys.new_tensor(-1.0))
    taken, columns = keys.topk(min(k, candidates.shape[1]), dim=1)
    rows, ranks = (taken >= 0).nonzero(as_tuple=True)
    return rows, columns[rows, ranks]
