"""Which run of one side goes with which of the other, and what sets the sides apart."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.repeats.digest import Digest

# Settings that are told already, or that no two runs of a pair can differ in.
TOLD = ("name", "seed", "lender.profile")
NAMED_MOST = 3


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
    """By seed and plan; where a seed was run more than once, the first with the first, and a run
    that was interrupted only where there is no other."""
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
    return defaultdict(
        list, {key: sorted(of_it, key=lambda one: one.interrupted) for key, of_it in found.items()}
    )


def no_pair(base: Sequence[Digest], candidate: Sequence[Digest]) -> tuple[str, str] | None:
    """(why no run of one side has the draws of one of the other, what would be right); None: there
    is a pair."""
    if {*_by_draws(base)} & {*_by_draws(candidate)}:
        return None
    names, others = ({one.scenario: "" for one in side} for side in (base, candidate))
    if not {*names} & {*others}:
        told = f"{few([*names])} and {few([*others])}"
        return f"no draws in common: scenarios {told} differ", "runs of one scenario on both sides"
    seeds, theirs = ({str(one.seed): "" for one in side} for side in (base, candidate))
    if not {*seeds} & {*theirs}:
        return (
            f"no seed in common: base {few([*seeds])}; candidate {few([*theirs])}",
            f"runs with the same seeds: `drawproof run SCENARIO --set seed={next(iter(seeds))}`",
        )
    alike = [Pair(one, other) for one in base for other in candidate if one.seed == other.seed]
    keys = few(settings_apart(alike))
    return (
        f"no draws in common: with the same seed others were planned{keys and f' ({keys})'}",
        "runs with the same load, borrowers and phases, planned by the same drawproof",
    )


def settings_apart(pairs: Sequence[Pair]) -> list[str]:
    """Which keys of the scenario the two runs of a pair have otherwise; a sentence each.

    By pair, for what is drawn by the seed is not the same in every run of a side either.
    """
    found: dict[str, tuple[list[object], list[object]]] = {}
    unknown: dict[str, str] = {}
    for pair in pairs:
        left, right = pair.base.settings, pair.candidate.settings
        if not left or not right:
            if left or right:
                side = "candidate" if left else "base"
                unknown[side] = f"settings: not written down of the {side}, so none is compared"
            continue
        for key in dict.fromkeys((*left, *right)):
            values = left.get(key, "not set"), right.get(key, "not set")
            if key in TOLD or values[0] == values[1]:
                continue
            for kinds, value in zip(found.setdefault(key, ([], [])), values, strict=True):
                if value not in kinds:
                    kinds.append(value)
    return [*unknown.values()] + [
        f"{key}: base {_told(kinds)}; candidate {_told(others)}"
        for key, (kinds, others) in found.items()
    ]


def apart(base: Sequence[Digest], candidate: Sequence[Digest]) -> list[str]:
    """In what the two sides differ beside what they measured; a sentence each."""
    left, right = _surroundings(base), _surroundings(candidate)
    notes = [
        f"{name}: base {_told(left.get(name, []))}; candidate {_told(right.get(name, []))}"
        for name in dict.fromkeys((*left, *right))
        if left.get(name) != right.get(name)
    ]
    if {one.faults for one in base} != {one.faults for one in candidate}:
        notes.append("faults: other ones, or at other times")
    return notes


def _surroundings(runs: Sequence[Digest]) -> dict[str, list[object]]:
    """All values of each thing that should be the same on both sides, in order of appearance."""
    found: dict[str, list[object]] = {}
    for one in runs:
        facts = {
            "scenario": one.scenario,
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


def few(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    left = len(names) - NAMED_MOST
    return ", ".join(names[:NAMED_MOST]) + (f" and {left} more" if left > 0 else "")
