"""One line of `faults`: its family and kind, and its own keys, to a FaultSpec at a moment still to
be said."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import ScenarioError, guess
from harness.faults.catalogue import CATALOGUE, fault_name
from harness.faults.kind import FaultKind, Parameter, Value, text
from harness.faults.names import NAMES, has
from harness.scenario.model import FaultSpec, LenderSpec, PhasePlan
from harness.scenario.nodes import (
    Book,
    Node,
    data_value,
    fields,
    form_of,
    key_names,
    plain,
    shown,
    value,
)
from harness.units import format_duration, parse_duration_s


@dataclass(frozen=True, slots=True)
class Around:
    """What a fault is checked against."""

    plan: PhasePlan
    lender: LenderSpec
    seed: int


@dataclass(frozen=True, slots=True)
class Line:
    """spec: at second 0, until its moment is known. found: the nodes by key."""

    spec: FaultSpec
    found: dict[str, Node]


def some_time(found: object) -> float:
    """A duration above 0s. Raises ValueError."""
    seconds = parse_duration_s(found)
    if seconds <= 0:
        raise ValueError("a duration above 0s")
    return seconds


def read_line(
    book: Book, node: Node, path: str, around: Around, more: tuple[Sequence[str], Sequence[str]]
) -> Line | None:
    """more: keys that are not the fault's own, those that are needed and those that may be."""
    named = _kind_of(book, node, path)
    if named is None:
        return None
    family, kind = named
    known = CATALOGUE[named]
    before = len(book.problems)
    found = _fields(book, node, path, named, more)
    params = {p.param: _param(book, found.get(p.key), f"{path}.{p.key}", p, around.lender)
              for p in known.parameters}  # fmt: skip
    for_s = value(book, found.get("for"), f"{path}.for", some_time, None, "")
    name = fault_name(family, kind, params)
    spec = FaultSpec(name, family, kind, 0.0, for_s, tuple(sorted(params.items())))
    if len(book.problems) == before:  # else there is nothing that could be built
        _check_built(book, node, path, known, spec, found, around)
    return Line(spec, found)


def _kind_of(book: Book, node: Node, path: str) -> tuple[str, str] | None:
    """(family, kind) that the item names, if it is in the catalogue."""
    families = sorted({family for family, _ in CATALOGUE})
    keys = key_names(node)
    named = [family for family in families if family in keys]
    if len(named) != 1:
        _say_no_family(book, node, path, named, families)
        return None
    family = named[0]
    kind_node = next(child for key, child in node.value if key.value == family)
    kind = str(plain(kind_node)) if form_of(kind_node) == "value" else ""
    if (family, kind) not in CATALOGUE:
        kinds = sorted(k for f, k in CATALOGUE if f == family)
        allowed = f"{guess(kind, kinds)}one of {', '.join(kinds)}"
        book.add(kind_node, f"{path}.{family}", shown(kind_node), allowed)
        return None
    return family, kind


def _say_no_family(
    book: Book, node: Node, path: str, named: list[str], families: list[str]
) -> None:
    """Which of the keys may have been meant for one."""
    keys = key_names(node)
    allowed = f"one family: {', '.join(families)}, or a mix"
    if named:
        book.add(node, path, f"{' and '.join(named)} in one fault", allowed)
        return
    for key in keys:
        family, colon, kind = key.partition(":")
        if colon and (near := guess(family, families)):
            meant = near.removesuffix("? ")
            book.add(node, path, repr(key), f"a space after the colon, `{meant}: {kind.strip()}`")
            return
    for key in keys:
        if near := guess(key, [*families, "mix"]):
            book.add(node, f"{path}.{key}", "an unknown family", f"{near}{allowed}")
            return
    book.add(node, path, f"no family among {', '.join(keys)}" if keys else shown(node), allowed)


def _fields(
    book: Book,
    node: Node,
    path: str,
    named: tuple[str, str],
    more: tuple[Sequence[str], Sequence[str]],
) -> dict[str, Node]:
    known = CATALOGUE[named]
    needed = [p.key for p in known.parameters if p.required]
    optional = [p.key for p in known.parameters if not p.required]
    if known.for_key != "none":
        (needed if known.for_key == "needed" else optional).append("for")
    return fields(book, node, path, [named[0], *more[0], *needed], [*optional, *more[1]])


def _param(book: Book, node: Node | None, path: str, p: Parameter, lender: LenderSpec) -> Value:
    """Read, and for a name looked for among what the lender has."""
    fallback: Value = p.default if p.default is not None else ""
    if p.data:
        return data_value(book, node, path, p.parse, fallback)
    # What is wrong with a name is said by what there is; all else says best itself what it takes.
    found = value(book, node, path, p.parse, fallback, p.allowed if p.parse is text else "")
    if node is not None and p.names and found != fallback and not has(p.names, lender, str(found)):
        allowed = NAMES[p.names](lender)
        said = f"{guess(str(found), allowed)}one of {', '.join(allowed)}" if allowed else p.allowed
        said += "" if allowed else "; this lender has none"
        book.add(node, path, repr(str(found)), said)
    return found


def _check_built(
    book: Book,
    node: Node,
    path: str,
    known: FaultKind,
    spec: FaultSpec,
    found: dict[str, Node],
    around: Around,
) -> None:
    """Each parameter is right: are they all together, and can the fault be seen?"""
    try:
        fault = known.build(spec)
    except ScenarioError as exc:
        book.add(node, path, exc.problems[0].found, exc.problems[0].allowed)
        return
    _check_seen(book, found.get("for"), f"{path}.for", spec, fault.look_s_max + known.begins_s)
    if known.warns is not None and (said := known.warns(spec, around.lender)):
        book.warn(node, path, said)


def _check_seen(book: Book, node: Node | None, path: str, spec: FaultSpec, takes_s: float) -> None:
    """A look that begins when the fault is there must be able to end before it is healed."""
    if node is not None and spec.for_s is not None and spec.for_s <= takes_s:
        takes = format_duration(round(takes_s, 3))
        allowed = f"longer than {takes}, which one look at it may take: else it may never be seen"
        book.add(node, path, format_duration(spec.for_s), allowed)
