"""The Kolmogorov-Smirnov test against a known distribution, for samples of more than a few."""

import math
from collections.abc import Callable, Sequence


def ks_p(values: Sequence[float], distribution: Callable[[float], float]) -> float:
    """How likely a sample so far from the distribution is (Kolmogorov's series, Stephens' n)."""
    ordered, count = sorted(values), len(values)
    far = max(
        max((place + 1) / count - distribution(x), distribution(x) - place / count)
        for place, x in enumerate(ordered)
    )
    root = math.sqrt(count)
    scaled = (root + 0.12 + 0.11 / root) * far
    if scaled < 0.2:
        return 1.0
    terms = (math.exp(-2 * (k * scaled) ** 2) * (1 if k % 2 else -1) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))


def exponential(gap: float) -> float:
    """Of gaps with mean 1."""
    return 1 - math.exp(-max(gap, 0.0))


def uniform(share: float) -> float:
    """From 0 to 1."""
    return min(1.0, max(0.0, share))
