"""What each fault of a drill really cost, from drills that leave one out at a time. Pure.

Of one round, all arms with one seed: the cost of a fault is what the drill with all of them lost
more than the one without it. With two faults each has two costs, in company and alone (the drill
with it only, less the drill without any), and by how much the first is more is the interaction:

    interaction = all - only the first - only the second + none

It is above zero when the two together cost more than each by itself, as when one takes away what
the other would have been survived by. Costs are totals over a drill, draws and fen, never put down
to single draws: which draw meets what differs from run to run. Over rounds: the mean, and an
interval for it from the differences of rounds (see `paired`). Rounds in which a drill is in doubt
say nothing and are left out; where they are more than half, nothing is said at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.compare.paired import Paired
from harness.compare.worth import DRAWS, LEVEL, MONEY, Word
from harness.repeats.digest import Digest
from harness.repeats.leave_out import ALL, NONE, LeftOut

KEYS = (DRAWS, MONEY)
COMPANY, ALONE, INTERACTION = "in company", "alone", "interaction"
Round = Mapping[str, Digest]


@dataclass(frozen=True, slots=True)
class Cost:
    """What something cost. what: a fault's name, or `interaction`. how: `in company` (of the
    others), `alone`, or empty where there is but one way. values: by DRAWS and MONEY, a round each.
    """

    what: str
    how: str
    values: Mapping[str, Paired]

    @property
    def word(self) -> Word:
        """Does the interval of the draws leave zero out? By one that covers 95 %, or not at all."""
        found = self.values[DRAWS].interval()
        if found.coverage < LEVEL:
            return "too few rounds"
        if found.low > 0:
            return "costs"
        return "saves" if found.high < 0 else "no difference shown"


@dataclass(frozen=True, slots=True)
class Costs:
    """rounds: those that counted. dropped: a sentence on each that did not. lost: what each arm
    lost, mean over rounds, by DRAWS and MONEY."""

    rounds: int
    dropped: tuple[str, ...]
    lost: Mapping[str, Mapping[str, float]]
    found: tuple[Cost, ...]


def costs(left_out: LeftOut, rounds: Mapping[int, Round]) -> Costs:
    """By the round's number: the digests of its arms."""
    labels = [arm.label for arm in left_out.arms]
    doubts = {number: _doubt(rounds[number], labels) for number in sorted(rounds)}
    chosen = [rounds[number] for number, doubt in doubts.items() if doubt is None]
    dropped = tuple(f"round {number + 1}: {doubt}" for number, doubt in doubts.items() if doubt)
    if 2 * len(chosen) < len(rounds):
        what = f"{len(dropped)} of {len(rounds)} rounds have a drill in doubt"
        return Costs(0, (*dropped, f"{what}: what is left is no fair sample"), {}, ())
    if not chosen:
        return Costs(0, dropped, {}, ())
    lost = {
        label: {key: _paired({label: 1}, key, chosen).estimate for key in KEYS} for label in labels
    }
    found = tuple(
        Cost(what, how, {key: _paired(weights, key, chosen) for key in KEYS})
        for what, how, weights in contrasts(left_out)
    )
    return Costs(len(chosen), dropped, lost, found)


def contrasts(left_out: LeftOut) -> list[tuple[str, str, Mapping[str, int]]]:
    """(what, how, the arms with the weights whose sum is its cost)."""
    faults = left_out.faults
    if len(faults) == 1:
        return [(faults[0], "", {ALL: 1, NONE: -1})]
    without = [left_out.without(number) for number in range(len(faults))]
    company: list[tuple[str, str, Mapping[str, int]]] = [
        (name, COMPANY, {ALL: 1, without[number]: -1}) for number, name in enumerate(faults)
    ]
    if len(faults) > 2:
        return company
    # Without the one, the other is alone.
    alone: list[tuple[str, str, Mapping[str, int]]] = [
        (name, ALONE, {without[1 - number]: 1, NONE: -1}) for number, name in enumerate(faults)
    ]
    both = {ALL: 1, without[0]: -1, without[1]: -1, NONE: 1}
    return [*company, *alone, (INTERACTION, "", both)]


def _doubt(one: Round, labels: Sequence[str]) -> str | None:
    """Why a round does not count; None: it does."""
    for label in labels:
        if label not in one:
            return f"{label} was not run"
        # Without a fault an expectation of recovery has nothing to look at; what was lost is known.
        if not one[label].measured:
            return f"{label}: {one[label].doubt}"
        if any(one[label].value(key) is None for key in KEYS):
            return f"{label}: nothing was promised"
    return None


def _paired(weights: Mapping[str, int], key: str, rounds: Sequence[Round]) -> Paired:
    return Paired(
        tuple(
            sum(weight * (one[label].value(key) or 0.0) for label, weight in weights.items())
            for one in rounds
        )
    )
