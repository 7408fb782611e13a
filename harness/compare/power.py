"""How many pairs it takes, by the normal approximation; no simulation.

The truth is taken to be what was seen: a centre and a spread of the differences. z of the level
plus z of the power, times spread over distance, squared; z^2 / 2 more for an estimated spread.
"""

import math
from statistics import NormalDist

POWER = 0.8
LEVEL = 0.05
PAIRS_MIN = 8
PAIRS_MAX = 1000


def pairs_to_decide(
    centre: float, spread: float, margin: float, level: float = LEVEL
) -> int | None:
    """Pairs with which a difference beyond the margin, or sameness within it, is shown in four of
    five cases; at least PAIRS_MIN. None: more than PAIRS_MAX, the difference is about the margin.
    """
    away = abs(abs(centre) - margin)
    if spread == 0:
        return PAIRS_MIN if away > 0 else None
    if away == 0:
        return None
    if abs(centre) > margin:
        needed = max(
            _pairs(level / 2, 1 - POWER, spread / abs(centre)),
            (_z(1 - POWER) * spread / away) ** 2,  # and it must be seen beyond the margin
        )
    else:
        needed = _pairs(level, (1 - POWER) / 2, spread / away)
    return None if needed > PAIRS_MAX else max(PAIRS_MIN, math.ceil(needed))


def detectable(spread: float, pairs: int, margin: float, power: float = 0.9) -> float:
    """The smallest true difference that so many pairs call one with the given power: sure to be
    other than zero, and seen beyond the margin."""
    z_level, z_power = _z(LEVEL / 2), _z(1 - power)
    sure = (z_level + z_power) * spread / math.sqrt(max(1.0, pairs - z_level**2 / 2))
    return max(sure, margin + z_power * spread / math.sqrt(pairs))


def _pairs(outside: float, missed: float, ratio: float) -> float:
    z_level = _z(outside)
    return ((z_level + _z(missed)) * ratio) ** 2 + z_level**2 / 2


def _z(outside: float) -> float:
    return NormalDist().inv_cdf(1 - outside)
