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
from harness.compare.pairs import Pair, apart, pairing
from harness.compare.power import LEVEL, PAIRS_MIN, pairs_to_decide
from harness.repeats.digest import Digest

Word = Literal["better", "same", "worse", "cannot tell"]
EXITS: dict[Word, int] = {"better": 0, "same": 0, "worse": 1, "cannot tell": 3}
# Runs that end in doubt do so for a reason: what is left over is not a fair sample of the arm.
DROPPED_MOST = 0.25


@dataclass(frozen=True, slots=True)
class Line:
    """One measure.

    base, candidate: means over the pairs that have it. differs, same: p-values, adjusted but for
    the primary one. interval: of the difference, 95 % or what so few pairs give, unadjusted. more:
    pairs that would decide, None: not known or too many. why: in words, for "cannot tell".
    differences: one a pair, candidate less base, in the measure's own terms.
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """lines: the primary measure first. pairs: all of them; used: those without a doubt. dropped:
    pairs left out, and runs without a partner, in words. notes: what else differs between the
    sides. wrong: runs of the candidate in which the money is wrong."""

    word: Word
    reason: str
    lines: tuple[Line, ...]
    pairs: int
    used: tuple[Pair, ...]
    dropped: tuple[str, ...]
    notes: tuple[str, ...]
    wrong: tuple[str, ...]

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
    return Comparison(
        word=word,
        reason=reason,
        lines=lines,
        pairs=len(found.pairs),
        used=tuple(sound),
        dropped=(*dropped, *(f"without a partner: {one}" for one in found.alone)),
        notes=tuple(apart(base, candidate)),
        wrong=wrong,
    )


def compare_pairs(pairs: Sequence[Pair], measures: Sequence[Measure]) -> tuple[Line, ...]:
    """A line a measure, of pairs that may be compared."""
    raw = [(measure, *_values(measure, pairs)) for measure in measures]
    tested = [at for at, (_, sides, _) in enumerate(raw) if at and len(sides) >= PAIRS_MIN]
    differ = [Paired(differences) if differences else None for _, _, differences in raw]
    known = {at: paired for at, paired in enumerate(differ) if paired is not None}
    p_differs = {0: known[0].p_differs()} if 0 in known else {}
    p_same = {0: known[0].p_same(measures[0].margin)} if 0 in known else {}
    rest = [at for at in tested if at in known]
    p_differs |= zip(rest, holm([known[at].p_differs() for at in rest]), strict=True)
    p_same |= zip(rest, holm([known[at].p_same(measures[at].margin) for at in rest]), strict=True)
    return tuple(
        _line(
            measure, sides, known.get(at), p_differs.get(at), p_same.get(at),
            LEVEL / (max(1, len(rest)) if at else 1),
        )
        for at, (measure, sides, _) in enumerate(raw)
    )  # fmt: skip


def _values(
    measure: Measure, pairs: Sequence[Pair]
) -> tuple[list[tuple[float, float]], tuple[float, ...]]:
    sides, differences = [], []
    for pair in pairs:
        base, candidate = pair.base.value(measure.key), pair.candidate.value(measure.key)
        if base is None or candidate is None:
            continue
        difference = measure.difference(base, candidate)
        if difference is not None:
            sides.append((base, candidate))
            differences.append(difference)
    return sides, tuple(differences)


def _line(
    measure: Measure,
    sides: Sequence[tuple[float, float]],
    paired: Paired | None,
    differs: float | None,
    same: float | None,
    level: float,
) -> Line:
    pairs = len(sides)
    if paired is None:
        return Line(
            measure, "cannot tell", 0, None, None, None, None, None, None, None, "no data"
        )  # fmt: skip
    estimate = paired.estimate
    word: Word = "cannot tell"
    if pairs >= PAIRS_MIN and differs is not None and same is not None:
        word = _word(measure, estimate, differs, same)
    more, why = None, ""
    if word == "cannot tell":
        needed = pairs_to_decide(estimate, paired.spread, measure.margin, level)
        if needed is not None:
            more = max(needed - pairs, 1)
        why = _why(pairs, more, differs)
    return Line(
        measure, word, pairs,
        sum(base for base, _ in sides) / pairs, sum(other for _, other in sides) / pairs,
        estimate, paired.interval(), differs, same, more, why, paired.differences,
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
    return first.word, _told(first).rstrip(": ")


def _told(line: Line) -> str:
    if line.estimate is None or line.interval is None:
        return f"{line.measure.key}: "
    one, interval = line.measure, line.interval
    return (
        f"{one.key} {one.shown(line.estimate)} "
        f"({interval.told} {one.between(interval.low, interval.high)}; margin {one.margin_shown}): "
    )
