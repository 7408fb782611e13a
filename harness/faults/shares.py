"""Is what a few calls of our own met the share that a fault is to hit? Pure."""

import math

PROBES_MIN = 50
PROBES_MAX = 350
# Less could be told from nothing only by more calls than a look may make.
SHARE_MIN = 0.02
TAIL = 1e-3


def probes_for(share: float) -> int:
    """How many calls it takes for a share not to be missed altogether, but once in a thousand."""
    if share >= 1:
        return PROBES_MIN
    return min(PROBES_MAX, max(PROBES_MIN, math.ceil(math.log(TAIL) / math.log(1 - share))))


def interval(calls: int, share: float) -> tuple[int, int]:
    """How many of so many calls a share may hit, from and to: the binomial distribution without a
    thousandth at either end."""
    low, high, below = 0, calls, 0.0
    found_low = False
    for hit in range(calls + 1):
        below += math.comb(calls, hit) * share**hit * (1 - share) ** (calls - hit)
        if not found_low and below > TAIL:
            low, found_low = hit, True
        if below >= 1 - TAIL:
            high = hit
            break
    return low, high


def believed(hit: int, calls: int, share: float) -> bool:
    """Can so many hits have come of this share?"""
    low, high = interval(calls, share)
    return low <= hit <= high
