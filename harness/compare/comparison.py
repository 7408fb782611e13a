"""Better, same, worse, or cannot tell: one comparison of two arms over pairs of runs.

For each measure, of the pairs' differences:

- *same*: two one-sided tests put the centre within the margin. A failed test is never sameness.
- *better*, *worse*: the test against zero says that there is a difference, and the mean is beyond
  the margin: a difference, and one that matters.
- *cannot tell*: all else, with how many more pairs would decide.

The primary measure is tested at LEVEL; the rest are adjusted together (Holm). The whole is *worse*
when the primary one or any of the rest is; else it is what the primary one is. With two-sided tests
half of the chance errors are on the good side, so "worse" for two arms that are the same comes up
in about 2.5 % by the primary one and 2.5 % by the rest.

Wrong money in the candidate is worse whatever the rest says: it is no matter of statistics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.compare.measures import Measure
from harness.compare.paired import Interval, Paired, holm
from harness.compare.pairs import Pair, apart, pairing, settings_apart
from harness.compare.power import LEVEL, PAIRS_MIN, pairs_to_decide
from harness.repeats.digest import Digest

Word = Literal["better", "same", "worse", "cannot tell"]
EXITS: dict[Word, int] = {"better": 0, "same": 0, "worse": 1, "cannot tell": 3}
# Runs that end in doubt do so for a reason: what is left over is not a fair sample of the arm.
DROPPED_MOST = 0.25
# Exit codes of drills that were stopped for safety, or in which something failed: their pairs are
# left out, and with them the worst that there was to see of the lender.
STOPPED, FAILED = 4, 5


@dataclass(frozen=True, slots=True)
class Line:
    """One measure.

    base, candidate: means over the pairs that have it. differs, same: p-values, adjusted but for
    the primary one. interval: of the difference, 95 % or what so few pairs give, unadjusted. more:
    pairs that would decide, None: not known or too many. why: in words, for "cannot tell".
    differences: one a pair, candidate less base, in the measure's own terms. at_least: values that
    are only known to be so large, of both arms. lost: some runs have it, and no
    pair on both sides. gone: the base has it, and no run of the candidate.
    """

    measure: Measure
    word: Word
    pairs: int
    base: float | None
    candidate: float | None
    estimate: float | None
    interval: Interval | None
    differs: float | None
    same: float | None
    more: int | None
    why: str
    differences: tuple[float, ...] = ()
    at_least: int = 0
    lost: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """lines: the primary measure first. pairs: all of them; used: those without a doubt. dropped:
    pairs left out, and runs without a partner, in words. notes: what else differs between the
    sides. wrong: runs of the candidate in which the money is wrong. settings: keys of the scenario
    that are not the same on both sides, with their values."""

    word: Word
    reason: str
    lines: tuple[Line, ...]
    pairs: int
    used: tuple[Pair, ...]
    dropped: tuple[str, ...]
    notes: tuple[str, ...]
    wrong: tuple[str, ...]
    settings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 better or same, 1 worse, 3 cannot tell."""
        return EXITS[self.word]

    @property
    def more(self) -> int | None:
        """How many more pairs would decide the primary measure; None: not known."""
        return self.lines[0].more


def compare(
    base: Sequence[Digest], candidate: Sequence[Digest], measures: Sequence[Measure]
) -> Comparison:
    """`measures`: the primary one first."""
    found = pairing(base, candidate)
    sound = [pair for pair in found.pairs if not pair.doubt]
    dropped = [pair.doubt for pair in found.pairs if pair.doubt]
    lines = compare_pairs(sound, measures)
    wrong = tuple(f"{one.run}: {', '.join(one.wrong)}" for one in candidate if one.wrong)
    word, reason = _whole(lines, len(found.pairs), len(sound), wrong)
    unfair = _stopped(base, candidate)
    if unfair and word in ("better", "same"):
        word, reason = "cannot tell", unfair
    return Comparison(
        word=word,
        reason=reason,
        lines=lines,
        pairs=len(found.pairs),
        used=tuple(sound),
        dropped=(*dropped, *(f"without a partner: {one}" for one in found.alone)),
        notes=(*_verdicts(sound), *apart(base, candidate)),
        wrong=wrong,
        settings=tuple(settings_apart(found.pairs)),
    )


def _stopped(base: Sequence[Digest], candidate: Sequence[Digest]) -> str:
    """Why what is left of the candidate's runs is the better part of them; empty when it is not."""
    left, right = (
        sum(one.exit_code in (STOPPED, FAILED) and not one.counts for one in side)
        for side in (base, candidate)
    )
    if right <= left:
        return ""
    runs = "1 run" if right == 1 else f"{right} runs"
    return (
        f"{runs} of the candidate, and {left} of the base, had to be stopped or failed: what is "
        f"left is no fair sample"
    )


def _verdicts(pairs: Sequence[Pair]) -> list[str]:
    """A note when the sides met their own expectations differently: no measure may see why."""
    sides = [pair.base for pair in pairs], [pair.candidate for pair in pairs]
    base, candidate = (sum(one.verdict == "breached" for one in side) for side in sides)
    if base == candidate:
        return []
    return [f"runs that breached their expectations: base {base}; candidate {candidate}"]


@dataclass(frozen=True, slots=True)
class _Sample:
    """One measure's values: (base, candidate) of each pair that has both, and their difference.
    had: in how many pairs the base has it, and the candidate."""

    measure: Measure
    sides: tuple[tuple[float, float], ...]
    paired: Paired | None
    at_least: int
    had: tuple[int, int]


def compare_pairs(pairs: Sequence[Pair], measures: Sequence[Measure]) -> tuple[Line, ...]:
    """A line a measure, of pairs that may be compared."""
    first, *rest = (_sample(measure, pairs) for measure in measures)
    tested = [one for one in rest if one.paired and len(one.sides) >= PAIRS_MIN]
    differs = holm([one.paired.p_differs() for one in tested if one.paired])
    same = holm([one.paired.p_same(one.measure.margin) for one in tested if one.paired])
    found = {
        one.measure.key: tests
        for one, *tests in zip(tested, differs, same, strict=True)
    }  # fmt: skip
    if first.paired:
        found[first.measure.key] = [
            first.paired.p_differs(), first.paired.p_same(first.measure.margin),
        ]  # fmt: skip
    level = LEVEL / max(1, len(tested))
    return (
        _line(first, found.get(first.measure.key), LEVEL),
        *(_line(one, found.get(one.measure.key), level) for one in rest),
    )


def _sample(measure: Measure, pairs: Sequence[Pair]) -> _Sample:
    sides, differences, at_least, had = [], [], 0, [0, 0]
    for pair in pairs:
        base, candidate = pair.base.value(measure.key), pair.candidate.value(measure.key)
        had[0] += base is not None
        had[1] += candidate is not None
        if base is None or candidate is None:
            continue
        difference = measure.difference(base, candidate)
        if difference is not None:
            sides.append((base, candidate))
            differences.append(difference)
            at_least += measure.key in pair.base.at_least
            at_least += measure.key in pair.candidate.at_least
    paired = Paired(tuple(differences)) if differences else None
    return _Sample(measure, tuple(sides), paired, at_least, (had[0], had[1]))


def _line(one: _Sample, tests: Sequence[float] | None, level: float) -> Line:
    """tests: p-values for a difference and for sameness; level: for how many pairs would do."""
    measure, paired, pairs = one.measure, one.paired, len(one.sides)
    differs, same = tests if tests is not None else (None, None)
    if paired is None:
        return _no_data(one)
    word: Word = "cannot tell"
    if pairs >= PAIRS_MIN and differs is not None and same is not None:
        word = _word(measure, paired.estimate, differs, same)
    more, why = None, ""
    if word == "cannot tell":
        needed = pairs_to_decide(paired.estimate, paired.spread, measure.margin, level)
        more = None if needed is None else max(needed - pairs, 1)
        why = _why(pairs, more, differs)
    if one.at_least:
        why = "; ".join(filter(None, (why, f"{one.at_least} values are lower bounds")))
    return Line(
        measure, word, pairs,
        sum(base for base, _ in one.sides) / pairs, sum(other for _, other in one.sides) / pairs,
        paired.estimate, paired.interval(), differs, same, more, why, paired.differences,
        one.at_least,
    )  # fmt: skip


def _no_data(one: _Sample) -> Line:
    why = "no data"
    if any(one.had):
        why = f"no data on both sides: base in {one.had[0]} pairs, candidate in {one.had[1]}"
    return Line(
        one.measure, "cannot tell", 0, None, None, None, None, None, None, None, why,
        lost=any(one.had), gone=one.had[0] >= PAIRS_MIN and not one.had[1],
    )  # fmt: skip


def _word(measure: Measure, estimate: float, differs: float, same: float) -> Word:
    if same <= LEVEL:
        return "same"
    if differs <= LEVEL and abs(estimate) > measure.margin:
        return "better" if (estimate > 0) == measure.up else "worse"
    return "cannot tell"


def _why(pairs: int, more: int | None, differs: float | None) -> str:
    would = "more pairs than can be run: the difference is about the margin"
    if more is not None:
        would = f"about {more} more {'pair' if more == 1 else 'pairs'} would decide"
    if pairs < PAIRS_MIN:
        return f"{pairs} of at least {PAIRS_MIN} pairs; {would}"
    if differs is not None and differs <= LEVEL:
        return f"there is a difference, but perhaps one smaller than the margin; {would}"
    return would


def _whole(lines: Sequence[Line], pairs: int, used: int, wrong: Sequence[str]) -> tuple[Word, str]:
    """(the word for it all, one sentence)."""
    if wrong:
        runs = "1 run" if len(wrong) == 1 else f"{len(wrong)} runs"
        return "worse", f"the money is wrong in {runs} of the candidate; first: {wrong[0]}"
    first = lines[0]
    if pairs and pairs - used > DROPPED_MOST * pairs:
        return "cannot tell", (
            f"{pairs - used} of {pairs} pairs have a run in doubt: what is left is no fair sample"
        )
    if used < PAIRS_MIN:
        return "cannot tell", f"{_told(first)}{first.why or 'too few pairs'}"
    worse = [line for line in lines if line.word == "worse"]
    if worse:
        return "worse", "; ".join(_told(line).rstrip(": ") for line in worse)
    if first.word == "cannot tell":
        return "cannot tell", f"{_told(first)}{first.why}"
    gone = next((line for line in lines if line.gone), None)
    if gone is not None:
        return "cannot tell", f"{gone.measure.key}: {gone.why}"
    return first.word, _told(first).rstrip(": ")


def _told(line: Line) -> str:
    if line.estimate is None or line.interval is None:
        return f"{line.measure.key}: "
    one, interval = line.measure, line.interval
    return (
        f"{one.key} {one.shown(line.estimate)} "
        f"({interval.told} {one.between(interval.low, interval.high)}; margin {one.margin_shown}): "
    )
