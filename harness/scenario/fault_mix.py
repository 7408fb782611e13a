"""`mix: {pick: 2, of: [faults without at], within: fault}`: so many of these, anywhere in a phase.

Which and when follows from the scenario's seed and the mix's place in the list, and from nothing
else: `drawproof plan` shows it, and the run directory's scenario.yaml has it in the mix's place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.faults.catalogue import build_fault
from harness.scenario.fault_checks import contradiction
from harness.scenario.model import PHASES, FaultSpec, PhasePlan
from harness.scenario.moments import moment
from harness.scenario.nodes import Book, Node, fields, items, value, with_key
from harness.scenario.numbers import one_of, whole
from harness.seeds import stream

OF_MAX = 50
TRIES = 200


@dataclass(frozen=True, slots=True)
class Mix:
    """pick of them, within a phase. of: (key path, node) of each."""

    pick: int
    of: tuple[tuple[str, Node], ...]
    within: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A fault without its moment, how often it is repeated, and its node."""

    spec: FaultSpec
    every_s: float
    times: int
    node: Node

    def at(self, at_s: float) -> list[FaultSpec]:
        """Each time of it, from a moment on."""
        return [replace(self.spec, at_s=at_s + self.every_s * n) for n in range(self.times)]

    @property
    def lasts_s(self) -> float:
        """To the end of the last time. What has no `for` must at least be seen."""
        for_s = self.spec.for_s
        once_s = for_s if for_s is not None else build_fault(self.spec).bites_within_s
        return self.every_s * (self.times - 1) + once_s


def read(book: Book, node: Node | None, path: str, plan: PhasePlan) -> Mix:
    """The mapping under `mix`; its faults are read by the caller."""
    if node is None:
        return Mix(0, (), "fault")
    found = fields(book, node, path, ("pick", "of", "within"))
    of = items(book, found.get("of"), f"{path}.of", "faults without `at`")
    if "of" in found and not 0 < len(of) <= OF_MAX:
        book.add(found["of"], f"{path}.of", f"{len(of)} faults", f"1 to {OF_MAX} faults")
    pick = value(book, found.get("pick"), f"{path}.pick", whole(1, max(1, len(of))), 1, "")
    within = value(book, found.get("within"), f"{path}.within", one_of(*PHASES), "fault", "")
    return Mix(pick, tuple(of), within)


def draw(
    mix: Mix,
    choices: Sequence[Choice],
    plan: PhasePlan,
    seed: int,
    path: str,
    others: Sequence[FaultSpec],
) -> list[tuple[list[FaultSpec], Node]] | str:
    """Which and when, none against another or against `others`; or what there is no room for."""
    dice = stream(seed, path)
    length_ms = round((plan.end_s(mix.within) - plan.start_s(mix.within)) * 1000)
    picked = sorted(dice.sample(range(len(choices)), mix.pick))
    for _ in range(TRIES):
        made: list[tuple[list[FaultSpec], Node]] = []
        for number in picked:
            one = choices[number]
            room_ms = length_ms - round(one.lasts_s * 1000)
            if room_ms < 0:
                return f"{one.spec.name} of {one.lasts_s:g} s in {length_ms / 1000:g} s"
            at = f"{mix.within}+{dice.randint(0, room_ms)}ms"
            made.append((one.at(moment(plan)(at)), with_key(one.node, "at", at)))
        specs = [spec for some, _ in made for spec in some]
        if not any(
            contradiction(one, other) is not None
            for number, one in enumerate(specs)
            for other in (*specs[:number], *others)
        ):
            return made
    return f"no room for {mix.pick} of these beside each other"
