"""The `faults` section: single faults, repeated ones, and mixes drawn by the scenario's seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import harness.scenario.fault_mix as mixes
from harness.errors import ScenarioError
from harness.faults.catalogue import CATALOGUE, fault_name
from harness.faults.kind import FaultKind, Value
from harness.faults.names import NAMES
from harness.scenario.fault_checks import contradiction
from harness.scenario.model import FaultSpec, LenderSpec, PhasePlan
from harness.scenario.moments import inside_its_phase
from harness.scenario.nodes import (
    Book,
    Node,
    data_value,
    fields,
    items,
    key_names,
    plain,
    shown,
    value,
)
from harness.scenario.numbers import whole
from harness.units import parse_duration_s

TIMES_MAX = 100
# Each is looked at beside each other one; and no phase has room for more that are seen.
FAULTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Around:
    """What a fault is checked against."""

    plan: PhasePlan
    lender: LenderSpec
    seed: int


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
    resolved: dict[int, list[Node]] = {}
    for number, (path, item) in enumerate(listed):
        if number not in placed:
            if _count(placed) > FAULTS_MAX:
                break
            others = [made for some in placed.values() for made in some]
            placed[number], resolved[number] = _mix(book, item, path, around, others)
    if node is not None and _count(placed) > FAULTS_MAX:
        found = f"{_count(placed)} faults, repeated ones counted each time"
        book.add(node, "faults", found, f"at most {FAULTS_MAX}")
        return ()
    if node is not None and resolved:
        node.value = [
            child
            for number, (_, item) in enumerate(listed)
            for child in resolved.get(number, [item])
        ]
    return _named([made for number in sorted(placed) for made in placed[number]])


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
    known = _kind_of(book, node, path)
    if known is None:
        return []
    found = _fields(book, node, path, known, ("at",), ("repeat",))
    made = _spec(book, node, found, path, known, around)
    at_s = value(
        book, found.get("at"), f"{path}.at", inside_its_phase(around.plan),
        around.plan.start_s("fault"), "",
    )  # fmt: skip
    every_s, times = _repeat(book, found.get("repeat"), f"{path}.repeat", made)
    last_s = at_s + every_s * (times - 1)
    _check_end(book, found, path, at_s, last_s + (made.for_s or 0.0), around.plan)
    return [replace(made, at_s=at_s + every_s * n) for n in range(times)]


def _repeat(book: Book, node: Node | None, path: str, made: FaultSpec) -> tuple[float, int]:
    """(every_s, times) of `repeat: {every, times}`."""
    if node is None:
        return 0.0, 1
    found = fields(book, node, path, ("every", "times"))
    times = value(book, found.get("times"), f"{path}.times", whole(2, TIMES_MAX), 1, "")

    def parse(text: object) -> float:
        every_s = _some_time(text)
        if made.for_s is not None and every_s <= made.for_s:
            raise ValueError(f"longer than `for`, {made.for_s:g} s")
        return every_s

    if made.for_s is None and CATALOGUE[made.family, made.kind].for_key == "optional":
        book.add(node, path, "without `for`", "a fault that is healed: it can't be done again")
    return value(book, found.get("every"), f"{path}.every", parse, 1.0, ""), times


def _check_end(
    book: Book, found: dict[str, Node], path: str, at_s: float, end_s: float, plan: PhasePlan
) -> None:
    """A fault is over when its phase is."""
    if "at" not in found:
        return
    phase_end_s = plan.end_s(plan.phase_at(at_s))
    if end_s > plan.load_s + 1e-9:
        book.add(found["at"], f"{path}.at", f"until {end_s:g} s",
                 f"a fault that is over before the load ends at {plan.load_s:g} s")  # fmt: skip
    elif end_s > phase_end_s + 1e-9:
        book.add(found["at"], f"{path}.at", f"until {end_s:g} s",
                 f"a fault that is over when its phase ends, at {phase_end_s:g} s")  # fmt: skip


def _kind_of(book: Book, node: Node, path: str) -> tuple[str, str] | None:
    """(family, kind) that the item names, if it is in the catalogue."""
    families = sorted({family for family, _ in CATALOGUE})
    named = [family for family in families if family in key_names(node)]
    if len(named) != 1:
        book.add(node, path, shown(node), f"one family: {', '.join(families)}, or a mix")
        return None
    family = named[0]
    kind_node = next(child for key, child in node.value if key.value == family)
    kind = str(plain(kind_node))
    if (family, kind) not in CATALOGUE:
        kinds = sorted(k for f, k in CATALOGUE if f == family)
        book.add(kind_node, f"{path}.{family}", repr(kind), f"one of {', '.join(kinds)}")
        return None
    return family, kind


def _fields(
    book: Book,
    node: Node,
    path: str,
    named: tuple[str, str],
    required: tuple[str, ...],
    more: tuple[str, ...],
) -> dict[str, Node]:
    known = CATALOGUE[named]
    needed = [p.key for p in known.parameters if p.required]
    optional = [p.key for p in known.parameters if not p.required]
    if known.for_key != "none":
        (needed if known.for_key == "needed" else optional).append("for")
    return fields(book, node, path, [named[0], *required, *needed], [*optional, *more])


def _spec(
    book: Book,
    node: Node,
    found: dict[str, Node],
    path: str,
    named: tuple[str, str],
    around: Around,
) -> FaultSpec:
    """The fault at a moment still to be said."""
    known: FaultKind = CATALOGUE[named]
    before = len(book.problems)
    params: dict[str, Value] = {}
    for p in known.parameters:
        place = f"{path}.{p.key}"
        fallback: Value = p.default if p.default is not None else ""
        params[p.param] = (
            data_value(book, found.get(p.key), place, p.parse, fallback)
            if p.data
            else value(book, found.get(p.key), place, p.parse, fallback, p.allowed)
        )
        if p.names and p.key in found:
            allowed = NAMES[p.names](around.lender)
            if params[p.param] not in allowed:
                said = repr(str(params[p.param]))
                book.add(found[p.key], place, said, f"one of {', '.join(allowed)}")
    for_s = value(book, found.get("for"), f"{path}.for", _some_time, None, "")
    family, kind = named
    name = fault_name(family, kind, params)
    spec = FaultSpec(name, family, kind, 0.0, for_s, tuple(sorted(params.items())))
    if len(book.problems) == before:
        try:
            known.build(spec)
        except ScenarioError as exc:  # each parameter is right, and not all together
            book.add(node, path, exc.problems[0].found, exc.problems[0].allowed)
    return spec


def _some_time(text: object) -> float:
    seconds = parse_duration_s(text)
    if seconds <= 0:
        raise ValueError("a duration above 0s")
    return seconds


def _mix(
    book: Book, node: Node, path: str, around: Around, others: Sequence[FaultSpec]
) -> tuple[list[FaultSpec], list[Node]]:
    """What a mix draws, and the same as nodes."""
    found = fields(book, node, path, ("mix",))
    inner = mixes.read(book, found.get("mix"), f"{path}.mix", around.plan)
    before = len(book.problems)
    choices: list[tuple[FaultSpec, Node]] = []
    for place, item in inner.of:
        known = _kind_of(book, item, place)
        if known is not None:
            keys = _fields(book, item, place, known, (), ())
            choices.append((_spec(book, item, keys, place, known, around), item))
    if not choices or len(book.problems) > before:
        return [], []
    drawn = mixes.draw(inner, choices, around.plan, around.seed, path, others)
    if isinstance(drawn, str):
        book.add(node, path, drawn, "fewer or shorter faults, or a longer phase")
        return [], []
    return [made for made, _ in drawn], [child for _, child in drawn]
