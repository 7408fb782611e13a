"""Each section of a scenario file, read into its part of the model."""

import re

from harness.faults.names import NAMES
from harness.scenario.fault_section import faults
from harness.scenario.grammar import parse_abort, parse_expectation
from harness.scenario.lender_section import lender
from harness.scenario.load_section import load
from harness.scenario.model import (
    CAUSES,
    AbortRule,
    Cause,
    Expectation,
    LenderSpec,
    PhasePlan,
    SafetySpec,
)
from harness.scenario.nodes import Book, Node, fields, items, value
from harness.scenario.numbers import one_of, whole
from harness.units import parse_duration_s

__all__ = [
    "abort", "cause", "expect", "faults", "lender", "load", "name", "phases", "proxy", "safety",
    "seed",
]  # fmt: skip
_TOXIPROXY = re.compile(r"http://127\.0\.0\.1:\d{1,5}", re.ASCII)
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


def proxy(book: Book, node: Node | None, whose: LenderSpec) -> tuple[str, tuple[str, ...]]:
    """`{toxiproxy: URL, edges: [...]}`, both optional. On loopback, since a dead run is healed from
    this machine alone."""
    if node is None:
        return "", ()

    def url(text: object) -> str:
        if not isinstance(text, str) or not _TOXIPROXY.fullmatch(text):
            raise ValueError("http://127.0.0.1:PORT")
        return text

    ends = {"borrower", *NAMES["role"](whose), *NAMES["service"](whose)}

    def edge(text: object) -> str:
        client, _, server = str(text).partition("->")
        if not {client, server} <= ends:
            raise ValueError('an edge of this lender such as "gateway->bank.own"')
        return str(text)

    found = fields(book, node, "proxy", (), ("toxiproxy", "edges"))
    edges = {
        value(book, item, path, edge, "", "")
        for path, item in items(book, found.get("edges"), "proxy.edges", "edges")
    }
    chosen = found.get("toxiproxy")
    address = "" if chosen is None else value(book, chosen, "proxy.toxiproxy", url, "", "")
    return address, tuple(sorted(edges))


def safety(book: Book, node: Node | None) -> SafetySpec:
    """`{max_targets, blind_after}`, both optional."""
    if node is None:
        return SafetySpec()

    def parse(text: object) -> float:
        seconds = parse_duration_s(text)
        if not 1 <= seconds <= 60:
            raise ValueError("a duration from 1s to 1min")
        return seconds

    found = fields(book, node, "safety", (), ("max_targets", "blind_after"))
    usual = SafetySpec()
    most = found.get("max_targets")
    return SafetySpec(
        max_targets=value(book, most, "safety.max_targets", whole(1, 100), None, ""),
        blind_after_s=value(
            book, found.get("blind_after"), "safety.blind_after", parse, usual.blind_after_s, ""
        ),
    )
