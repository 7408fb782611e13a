"""How much a borrower wants, whole yuan. Pure; one number of the stream an amount."""

import math
import random
from statistics import NormalDist

from harness.scenario.model import LogNormal

AMOUNT_YUAN = (100, 5_000)
_NORMAL = NormalDist()


def amount_fen(dice: random.Random, law: LogNormal | None) -> int:
    """Log-normal and clipped, or log-uniform over AMOUNT_YUAN when there is no law."""
    if law is None:
        low, high = (math.log(yuan) for yuan in AMOUNT_YUAN)
        return round(math.exp(dice.uniform(low, high))) * 100
    # By the quantile, so that each amount takes one number: another sigma shifts nothing else.
    deviation = _NORMAL.inv_cdf(dice.random() or 0.5)
    yuan = round(law.median_fen / 100 * math.exp(law.sigma * deviation))
    return min(max(yuan * 100, law.low_fen), law.high_fen)
