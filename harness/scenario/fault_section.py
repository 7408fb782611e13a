"""The `faults` section: single faults, repeated ones, and mixes drawn by the scenario's seed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import harness.scenario.fault_mix as mixes
from harness.faults.catalogue import CATALOGUE
from harness.scenario.fault_checks import contradiction
from harness.scenario.fault_line import Around, read_line, some_time
from harness.scenario.fault_mix import Choice
from harness.scenario.model import FaultSpec, LenderSpec, PhasePlan
from harness.scenario.moments import inside_its_phase
from harness.scenario.nodes import Book, Node, fields, items, key_names, value
from harness.scenario.numbers import whole

TIMES_MAX = 100
# Each is looked at beside each other one; and no phase has room for more that are seen.
FAULTS_MAX = 1000


def faults(
    book: Book, node: Node | None, plan: PhasePlan, spec: LenderSpec, seed: int
) -> tuple[FaultSpec, ...]:
    """`{family: kind, parameters, at, for, repeat}` or `{mix: {pick, of, within}}` each; names are
    made unique. A mix is replaced in the tree by what was drawn, so that the scenario's text says
    what was done."""
    around = Around(plan, spec, seed)
    listed = items(book, node, "faults", "faults; an empty list is a control drill")
    placed: dict[int, list[FaultSpec]] = {}
    for number, (path, item) in enumerate(listed):
        if "mix" not in key_names(item):
            placed[number] = _repeated(book, item, path, around)
            if _count(placed) <= FAULTS_MAX:
                _check_each(book, item, path, placed, number)
    drawn: dict[int, list[tuple[list[FaultSpec], Node]]] = {}
    for number, (path, item) in enumerate(listed):
        if number not in placed:
            if _count(placed) > FAULTS_MAX:
                break
            others = [made for some in placed.values() for made in some]
            drawn[number] = _mix(book, item, path, around, others)
            placed[number] = [made for some, _ in drawn[number] for made in some]
    if node is not None and _count(placed) > FAULTS_MAX:
        found = f"{_count(placed)} faults, repeated ones counted each time"
        book.add(node, "faults", found, f"at most {FAULTS_MAX}")
        return ()
    lines = [
        line
        for number, (_, item) in enumerate(listed)
        for line in drawn.get(number, [(placed[number], item)] if number in placed else [])
    ]
    if node is not None and drawn:
        node.value = [item for _, item in lines]
    return _named(
        [
            replace(one, path=f"faults.{number}")
            for number, (made, _) in enumerate(lines)
            for one in made
        ]
    )


def _count(placed: Mapping[int, Sequence[FaultSpec]]) -> int:
    return sum(map(len, placed.values()))


def _named(found: Sequence[FaultSpec]) -> tuple[FaultSpec, ...]:
    """The second of a name is `... #2`."""
    seen: dict[str, int] = {}
    named = []
    for made in found:
        seen[made.name] = seen.get(made.name, 0) + 1
        again = seen[made.name]
        named.append(replace(made, name=f"{made.name} #{again}") if again > 1 else made)
    return tuple(named)


def _check_each(
    book: Book, item: Node, path: str, placed: dict[int, list[FaultSpec]], number: int
) -> None:
    """Against each one before it, once: one problem of an item is enough."""
    for made in placed[number]:
        for other in (one for some in placed.values() for one in some):
            if other is not made:
                found = contradiction(made, other)
                if found is not None:
                    book.add(item, path, *found)
                    return


def _repeated(book: Book, node: Node, path: str, around: Around) -> list[FaultSpec]:
    """One fault, or as many as `repeat` says."""
    line = read_line(book, node, path, around, (("at",), ("repeat",)))
    if line is None:
        return []
    at_s = value(
        book, line.found.get("at"), f"{path}.at", inside_its_phase(around.plan),
        around.plan.start_s("fault"), "",
    )  # fmt: skip
    every_s, times = _repeat(book, line.found.get("repeat"), f"{path}.repeat", line.spec)
    if "at" in line.found:
        lasts_s = line.spec.for_s or 0.0
        _check_end(book, line.found["at"], f"{path}.at", at_s, (every_s, times, lasts_s), around)
    return Choice(line.spec, every_s, times, node).at(at_s)


def _repeat(book: Book, node: Node | None, path: str, made: FaultSpec) -> tuple[float, int]:
    """(every_s, times) of `repeat: {every, times}`."""
    if node is None:
        return 0.0, 1
    found = fields(book, node, path, ("every", "times"))
    times = value(book, found.get("times"), f"{path}.times", whole(2, TIMES_MAX), 1, "")
    if made.for_s is None and CATALOGUE[made.family, made.kind].for_key == "optional":
        book.add(node, path, "what lasts for good, repeated",
                 "`for` with it: what is never healed can't be done again")  # fmt: skip
        return 0.0, 1

    def parse(text: object) -> float:
        every_s = some_time(text)
        if made.for_s is not None and every_s <= made.for_s:
            raise ValueError(f"longer than `for`, {made.for_s:g} s")
        return every_s

    every_s = value(book, found.get("every"), f"{path}.every", parse, 0.0, "")
    return (every_s, times) if every_s else (0.0, 1)


def _check_end(
    book: Book,
    node: Node,
    path: str,
    at_s: float,
    repeated: tuple[float, int, float],
    around: Around,
) -> None:
    """A fault is over when its phase is. repeated: (every_s, times, lasts_s)."""
    plan, (every_s, times, lasts_s) = around.plan, repeated
    phase = plan.phase_at(at_s)
    phase_end_s = plan.end_s(phase)
    ends_s = [at_s + every_s * n + lasts_s for n in range(times)]
    for number, end_s in enumerate(ends_s):
        if end_s > phase_end_s + 1e-9:
            which = f", time {number + 1} of {times}" if times > 1 else ""
            allowed = f"a fault that is over when its phase, {phase}, ends, at {phase_end_s:g} s"
            if end_s > plan.load_s + 1e-9:
                allowed = f"a fault that is over before the load ends at {plan.load_s:g} s"
            book.add(node, path, f"until {end_s:g} s{which}", allowed)
            return


def _mix(
    book: Book, node: Node, path: str, around: Around, others: Sequence[FaultSpec]
) -> list[tuple[list[FaultSpec], Node]]:
    """What a mix draws, each with its node."""
    found = fields(book, node, path, ("mix",))
    inner = mixes.read(book, found.get("mix"), f"{path}.mix", around.plan)
    before = len(book.problems)
    choices: list[Choice] = []
    for place, item in inner.of:
        line = read_line(book, item, place, around, ((), ("repeat",)))
        if line is not None:
            node_of = line.found.get("repeat")
            every_s, times = _repeat(book, node_of, f"{place}.repeat", line.spec)
            choices.append(Choice(line.spec, every_s, times, item))
    if not choices or len(book.problems) > before:
        return []
    drawn = mixes.draw(inner, choices, around.plan, around.seed, path, others)
    if isinstance(drawn, str):
        book.add(node, path, drawn, "fewer or shorter faults, or a longer phase")
        return []
    return drawn
