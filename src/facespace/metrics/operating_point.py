"""TAR at a FAR, stated only where enough pairs stand behind it (paper, section 4: VAL and FAR)."""

from dataclasses import dataclass

MIN_FALSE_ACCEPTS = 10


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold gives on a set of pairs."""

    far: float  # the false accept rate that was asked for
    # share of the same-person pairs accepted (VAL in the paper); None where the pairs cannot tell
    tar: float | None
    threshold: float | None  # largest distance that is accepted; None likewise
    far_met: float | None  # the false accept rate at that threshold, at most ``far``; None likewise
    n_same: int  # pairs of one person
    n_diff: int  # pairs of two persons
    reason: str | None = None  # why there is no figure, else None
    # where ``tar`` was read from a grid, the most that the exact figure can be; the same as ``tar`` where it
    # is exact to the pair
    tar_high: float | None = None


def supported(far: float, n_same: int, n_diff: int) -> OperatingPoint | None:
    """None where the pairs support a statement at ``far``, else the point that says why not.

    Ten false accepts are the least that make a rate: n_diff * far >= 10.
    """
    if n_same == 0:
        return OperatingPoint(far, None, None, None, n_same, n_diff, "no pairs of the same person")
    if n_diff * far < MIN_FALSE_ACCEPTS:
        reason = f"{n_diff} pairs of different people cannot support FAR {far:g}: {10 / far:.0f} are needed"
        return OperatingPoint(far, None, None, None, n_same, n_diff, reason)
    return None
