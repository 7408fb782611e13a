"""Which run of one side goes with which of the other, and what sets the sides apart."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.repeats.digest import Digest


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs of the same draws."""

    base: Digest
    candidate: Digest

    @property
    def doubt(self) -> str:
        """Why it can't be compared, in a sentence; empty when it can."""
        for side, one in (("base", self.base), ("candidate", self.candidate)):
            if not one.counts:
                return f"seed {one.seed}, {side}: {one.verdict or 'no verdict'}: {one.doubt}"
        known = {one.patience for one in (self.base, self.candidate) if one.patience}
        if len(known) > 1:
            return f"seed {self.base.seed}: the borrowers of the two runs are not equally patient"
        return ""


@dataclass(frozen=True, slots=True)
class Pairing:
    """pairs: in order of seed. alone: runs without a partner, in words."""

    pairs: tuple[Pair, ...]
    alone: tuple[str, ...]


def pairing(base: Sequence[Digest], candidate: Sequence[Digest]) -> Pairing:
    """By seed and plan; where a seed was run more than once, the first with the first."""
    left, right = _by_draws(base), _by_draws(candidate)
    pairs, alone = [], []
    for key in sorted({*left, *right}):
        mine, theirs = left[key], right[key]
        pairs += [Pair(one, other) for one, other in zip(mine, theirs, strict=False)]
        alone += [f"base: {one.run} (seed {one.seed})" for one in mine[len(theirs) :]]
        alone += [f"candidate: {one.run} (seed {one.seed})" for one in theirs[len(mine) :]]
    return Pairing(tuple(pairs), tuple(alone))


def _by_draws(runs: Sequence[Digest]) -> defaultdict[tuple[int, str], list[Digest]]:
    found: defaultdict[tuple[int, str], list[Digest]] = defaultdict(list)
    for one in runs:
        found[one.seed, one.plan].append(one)
    return found


def apart(base: Sequence[Digest], candidate: Sequence[Digest]) -> list[str]:
    """In what the two sides differ beside what they measured; a sentence each."""
    left, right = _surroundings(base), _surroundings(candidate)
    return [
        f"{name}: base {_told(left.get(name, []))}; candidate {_told(right.get(name, []))}"
        for name in dict.fromkeys((*left, *right))
        if left.get(name) != right.get(name)
    ]


def _surroundings(runs: Sequence[Digest]) -> dict[str, list[object]]:
    """All values of each thing that should be the same on both sides, in order of appearance."""
    found: dict[str, list[object]] = {}
    for one in runs:
        facts = {
            "scenario": one.scenario,
            "faults": one.faults,
            "profile": one.profile,
            "commit of drawproof": one.commit,
            **{f"machine: {key}": value for key, value in one.machine.items()},
            **{f"version of {key}": value for key, value in one.versions.items()},
        }
        for name, value in facts.items():
            kinds = found.setdefault(name, [])
            if value not in kinds:
                kinds.append(value)
    return found


def _told(kinds: Sequence[object]) -> str:
    return " and ".join(str(kind) for kind in kinds) or "nothing"
