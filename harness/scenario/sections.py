"""Each section of a scenario file, read into its part of the model."""

import re

from harness.faults.catalogue import CATALOGUE, fault_name
from harness.faults.names import NAMES
from harness.scenario.grammar import parse_abort, parse_expectation
from harness.scenario.lender_section import lender
from harness.scenario.load_section import load
from harness.scenario.model import (
    CAUSES,
    AbortRule,
    Cause,
    Expectation,
    FaultSpec,
    LenderSpec,
    PhasePlan,
)
from harness.scenario.moments import moment
from harness.scenario.nodes import Book, Node, fields, items, plain, shown, value
from harness.scenario.numbers import one_of, whole
from harness.units import parse_duration_s

__all__ = [
    "abort", "cause", "expect", "faults", "lender", "load", "name", "phases", "seed",
]  # fmt: skip
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
EXPECT = ("baseline", "fault", "watch", "drill")


def name(book: Book, node: Node | None) -> str:
    """Small letters, digits and -, since a folder is named by it."""

    def parse(found: object) -> str:
        if not isinstance(found, str) or not _NAME.fullmatch(found):
            raise ValueError("1 to 80 small letters, digits and -")
        return found

    return value(book, node, "name", parse, "x", "")


def cause(book: Book, node: Node | None) -> Cause:
    found = value(book, node, "cause", one_of(*CAUSES), "system", "")
    return next(known for known in CAUSES if known == found)


def seed(book: Book, node: Node | None) -> int:
    return value(book, node, "seed", whole(0, 2**53), 0, "")


def phases(book: Book, node: Node | None) -> PhasePlan:
    """Lengths; each at least a second, all at most an hour."""
    keys = ("warmup", "baseline", "fault", "watch")
    found = fields(book, node, "phases", keys) if node is not None else {}

    def parse(text: object) -> float:
        seconds = parse_duration_s(text)
        if not 1 <= seconds <= 3600:
            raise ValueError("a duration from 1s to 1h")
        return seconds

    lengths = [value(book, found.get(key), f"phases.{key}", parse, 10.0, "") for key in keys]
    return PhasePlan(*lengths)


def faults(
    book: Book, node: Node | None, plan: PhasePlan, spec: LenderSpec
) -> tuple[FaultSpec, ...]:
    """`{family: kind, parameters, at, for}` each; names are made unique."""
    found: list[FaultSpec] = []
    for path, item in items(book, node, "faults", "faults; an empty list is a control drill"):
        made = _fault(book, item, path, plan, spec)
        if made is not None:
            same = sum(other.name.partition(" #")[0] == made.name for other in found)
            _check_alone(book, item, path, made, found)
            unique = f"{made.name} #{same + 1}" if same else made.name
            found.append(
                FaultSpec(unique, made.family, made.kind, made.at_s, made.for_s, made.params)
            )
    return tuple(found)


def _fault(
    book: Book, node: Node, path: str, plan: PhasePlan, spec: LenderSpec
) -> FaultSpec | None:
    families = sorted({family for family, _ in CATALOGUE})
    keys = [str(key.value) for key, _ in node.value] if isinstance(node.value, list) else []
    named = [family for family in families if family in keys]
    if len(named) != 1:
        book.add(node, path, shown(node), f"one family: {', '.join(families)}")
        return None
    family = named[0]
    kind_node = next(child for key, child in node.value if key.value == family)
    kind = str(plain(kind_node))
    known = CATALOGUE.get((family, kind))
    if known is None:
        kinds = sorted(k for f, k in CATALOGUE if f == family)
        book.add(kind_node, f"{path}.{family}", repr(kind), f"one of {', '.join(kinds)}")
        return None
    needed = [p.key for p in known.parameters if p.required]
    optional = [p.key for p in known.parameters if not p.required]
    if known.for_key != "none":
        (needed if known.for_key == "needed" else optional).append("for")
    found = fields(book, node, path, [family, "at", *needed], optional)
    params: dict[str, float | int | str] = {}
    for p in known.parameters:
        place = f"{path}.{p.key}"
        fallback: float | int | str = p.default if p.default is not None else ""
        params[p.param] = value(book, found.get(p.key), place, p.parse, fallback, p.allowed)
        if p.names and p.key in found:
            _check_name(book, found[p.key], place, p.names, str(params[p.param]), spec)
    at_s = value(book, found.get("at"), f"{path}.at", moment(plan), 0.0, "")
    for_s = value(book, found.get("for"), f"{path}.for", _some_time, None, "")
    if at_s + (for_s or 0.0) > plan.load_s and "at" in found:
        book.add(found["at"], f"{path}.at", f"until {at_s + (for_s or 0):g} s",
                 f"a fault that is over before the load ends at {plan.load_s:g} s")  # fmt: skip
    return FaultSpec(
        fault_name(family, kind, params), family, kind, at_s, for_s, tuple(sorted(params.items()))
    )


def _some_time(text: object) -> float:
    seconds = parse_duration_s(text)
    if seconds <= 0:
        raise ValueError("a duration above 0s")
    return seconds


def _check_alone(
    book: Book, node: Node, path: str, made: FaultSpec, others: list[FaultSpec]
) -> None:
    """Two faults of one kind on one thing at one time would be one."""
    for other in others:
        same = (other.family, other.kind, _where(other)) == (made.family, made.kind, _where(made))
        end_s = other.at_s + (other.for_s or 0.0)
        if same and made.at_s < end_s and other.at_s < made.at_s + (made.for_s or 0.0):
            book.add(node, path, f"at the same time as {other.name!r}", "one of a kind at a time")


def _where(spec: FaultSpec) -> tuple[object, ...]:
    params = dict(spec.params)
    return params.get("edge"), params.get("target"), params.get("operation")


def _check_name(book: Book, node: Node, path: str, kind: str, found: str, spec: LenderSpec) -> None:
    """Edges, replicas and whatever else this lender has."""
    known = NAMES[kind](spec)
    if found not in known:
        book.add(node, path, repr(found), f"one of {', '.join(known)}")


def expect(book: Book, node: Node | None) -> tuple[Expectation, ...]:
    """Lists of sentences by phase."""
    if node is None:
        return ()
    made = []
    for phase, listed in fields(book, node, "expect", (), EXPECT).items():
        for path, item in items(book, listed, f"expect.{phase}", "expectations"):

            def parse(text: object, phase: str = phase) -> Expectation | None:
                return parse_expectation(str(text), phase)

            one = value(book, item, path, parse, None, "")
            if one is not None:
                made.append(one)
    return tuple(made)


def abort(book: Book, node: Node | None) -> tuple[AbortRule, ...]:
    """A list of sentences."""
    made = []
    for path, item in items(book, node, "abort", "abort rules"):

        def parse(text: object) -> AbortRule | None:
            return parse_abort(str(text))

        one = value(book, item, path, parse, None, "")
        if one is not None:
            made.append(one)
    return tuple(made)
