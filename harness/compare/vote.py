"""The verdicts of repeated runs: who wins the vote, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Vote:
    """counts: runs by verdict. wrong: runs in which the money was wrong. interval95: of the share
    of sound runs that hold, by Wilson's score; None when there is none."""

    held: int
    inconclusive: int
    breached: int
    wrong: int
    verdict: Literal["held", "inconclusive", "breached"]
    exit_code: int
    reason: str
    interval95: tuple[float, float] | None


def vote(verdicts: Sequence[str | None], wrong: int, stopped: int = 0) -> Vote:
    """The rule: wrong money in any run breaches. Else an inconclusive run has no voice, and where
    they are the half or more, or held and breached are level, nothing is decided (3). Else the
    larger number wins: held (0) or breached (1); but nothing is held of which a run was stopped
    for safety, or failed, as many as `stopped` (3): it may be the worst that there was to see."""
    held, breached = verdicts.count("held"), verdicts.count("breached")
    sound, runs = held + breached, len(verdicts)
    told = f"{held} of {sound} sound runs held"
    interval = wilson(held, sound) if sound else None
    if wrong:
        verdict, code, reason = "breached", 1, f"the money is wrong in {wrong} of {runs} runs"
    elif 2 * sound <= runs:
        verdict, code = "inconclusive", 3
        reason = f"{runs - sound} of {runs} runs are inconclusive: too many for a vote"
    elif held == breached:
        verdict, code, reason = "inconclusive", 3, f"{told}: level"
    elif held > breached and stopped:
        verdict, code = "inconclusive", 3
        reason = f"{told}, and {stopped} of {runs} had to be stopped or failed"
    elif held > breached:
        verdict, code, reason = "held", 0, told
    else:
        verdict, code, reason = "breached", 1, told
    return Vote(held, runs - sound, breached, wrong, verdict, code, reason, interval)  # type: ignore[arg-type]


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927); `trials` is at least 1."""
    share = successes / trials
    middle = share + Z95**2 / (2 * trials)
    half = Z95 * math.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2))
    whole = 1 + Z95**2 / trials
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)
