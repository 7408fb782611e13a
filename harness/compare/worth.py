"""What it is worth to have a thing: runs with it against runs without it, the same draws. Pure.

Also for faults: what one costs is what it saves to leave it out. Saved is always *without less
with*, so that a positive number speaks for having it, and a negative one against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.compare.paired import Interval, Paired
from harness.repeats.digest import Digest

PROMISED_APART_MAX = 0.01
LEVEL = 0.95
DRAWS, MONEY, RECOVERY = "drill.broken", "drill.broken_fen", "drill.recover_s"
KEYS = (DRAWS, MONEY, RECOVERY)

Word = Literal["saves", "costs", "no difference shown", "too few rounds", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Saved:
    """One figure: draws, fen or seconds. values: one a round that both arms have. estimate: their
    mean. interval: of the mean, 95 % or what so few rounds give. at_least, at_most: in how many
    rounds a value may be larger, or smaller, than it is known to be (a recovery that was not
    reached without the thing, or with it)."""

    key: str
    values: tuple[float, ...]
    estimate: float
    interval: Interval
    at_least: int
    at_most: int = 0

    @property
    def word(self) -> Word:
        """By the interval; never by one that covers less than 95 %."""
        if self.interval.coverage < LEVEL:
            return "too few rounds"
        if self.interval.low > 0:
            return "saves"
        return "costs" if self.interval.high < 0 else "no difference shown"


@dataclass(frozen=True, slots=True)
class Worth:
    """Of one thing. have, lack: labels of the arms. why: in words, when it can't be told; then
    `saved` is for looking at and no claim. rounds: those that both arms have and may be judged."""

    name: str
    have: str
    lack: str
    rounds: int
    saved: Mapping[str, Saved]
    why: str
    dropped: tuple[str, ...]

    @property
    def word(self) -> Word:
        """Of the draws, which is the headline."""
        if self.why or DRAWS not in self.saved:
            return "cannot tell"
        return self.saved[DRAWS].word


def worth(
    name: str,
    have: str,
    lack: str,
    runs: Mapping[str, Mapping[int, Digest]],
    keys: Sequence[str] = KEYS,
) -> Worth:
    """Of having `name`: arm `have` against arm `lack`. runs: by arm and round."""
    mine, theirs = runs[have], runs[lack]
    both = sorted({*mine, *theirs})
    pairs, dropped = [], []
    for number in both:
        one, other = mine.get(number), theirs.get(number)
        if one is None or other is None:
            dropped.append(f"round {number + 1}: only one of the two was run")
            continue
        doubted = [run for run in (one, other) if not run.counts]
        dropped += [f"round {number + 1}: {run.run}: {run.doubt}" for run in doubted]
        if not doubted:
            pairs.append((one, other))
    saved = {key: found for key in keys if (found := _saved(key, pairs)) is not None}
    return Worth(name, have, lack, len(pairs), saved, _why(pairs, len(both)), tuple(dropped))


def _why(pairs: Sequence[tuple[Digest, Digest]], rounds: int) -> str:
    if not pairs:
        return "no round in which both runs may be judged"
    if 2 * len(pairs) < rounds:
        return f"{rounds - len(pairs)} of {rounds} rounds have a run in doubt"
    for one, other in pairs:
        counts = one.value("drill.promised") or 0, other.value("drill.promised") or 0
        if max(counts) - min(counts) > PROMISED_APART_MAX * max(counts):
            return (
                f"other draws were promised: {counts[0]:g} and {counts[1]:g} with seed {one.seed}, "
                f"more than 1 % apart"
            )
    return ""


def _saved(key: str, pairs: Sequence[tuple[Digest, Digest]]) -> Saved | None:
    values, at_least, at_most = [], 0, 0
    for one, other in pairs:
        have, lack = one.value(key), other.value(key)
        if have is not None and lack is not None:
            values.append(lack - have)
            at_least += key in other.at_least
            at_most += key in one.at_least
    if not values:
        return None
    paired = Paired(tuple(values))
    return Saved(key, tuple(values), paired.estimate, paired.interval(LEVEL), at_least, at_most)
