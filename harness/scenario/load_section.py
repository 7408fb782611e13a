"""The `load` section of a scenario."""

import re
from collections.abc import Callable
from typing import Literal

from harness.scenario.generator_section import generator
from harness.scenario.model import (
    PHASES,
    Journey,
    LoadSpec,
    Patience,
    PhasePlan,
    RateStep,
    Shape,
    Spike,
)
from harness.scenario.nodes import Book, Node, fields, items, value
from harness.scenario.numbers import number, one_of, whole
from harness.units import parse_duration_s, parse_range_s, parse_rate_per_s, parse_share

_MOMENT = re.compile(r"\s*([a-z]+)\s*(?:\+\s*(.+?))?\s*")
RATE_MAX_PER_S = 5000.0


def moment(plan: PhasePlan) -> Callable[[object], float]:
    """Reads `fault+1s` into seconds from t = 0."""

    def parse(text: object) -> float:
        match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
        if match is None or match[1] not in PHASES:
            raise ValueError(f"a phase and an offset, such as fault+1s; {', '.join(PHASES)}")
        at_s = plan.start_s(match[1]) + (parse_duration_s(match[2]) if match[2] else 0.0)
        if at_s >= plan.load_s:
            raise ValueError(f"a moment before the load ends at {plan.load_s:g} s")
        return at_s

    return parse


def load(book: Book, node: Node | None, plan: PhasePlan) -> LoadSpec:
    """shape, borrowers, journey, patience; workers and generator are optional."""
    keys = ("shape", "borrowers", "journey", "patience")
    found = fields(book, node, "load", keys, ("workers", "generator")) if node else {}
    return LoadSpec(
        shape=_shape(book, found.get("shape"), plan),
        borrowers=value(book, found.get("borrowers"), "load.borrowers", whole(1, 10**6), 1000, ""),
        journey=_journey(book, found.get("journey")),
        patience=_patience(book, found.get("patience")),
        workers=value(book, found.get("workers"), "load.workers", whole(1, 16), 1, ""),
        generator=generator(book, found.get("generator")),
    )


def _rate(text: object) -> float:
    rate_per_s = parse_rate_per_s(text)
    if rate_per_s > RATE_MAX_PER_S:
        raise ValueError(f"at most {RATE_MAX_PER_S:g}/s")
    return rate_per_s


def _shape(book: Book, node: Node | None, plan: PhasePlan) -> Shape:
    path = "load.shape"
    found = fields(book, node, path, ("kind", "rate"), ("steps", "spikes")) if node else {}
    kind = value(book, found.get("kind"), f"{path}.kind", one_of("steady", "spike"), "steady", "")
    made: Literal["steady", "spike"] = "spike" if kind == "spike" else "steady"
    if made == "spike" and "spikes" not in found and node is not None:
        book.add(node, f"{path}.spikes", "nothing", "at least one spike: {at, for, rate}")
    if made == "steady" and "spikes" in found:
        book.add(found["spikes"], f"{path}.spikes", "spikes", "kind: spike, or no spikes")
    steps = []
    for place, item in items(book, found.get("steps"), f"{path}.steps", "{at, rate}"):
        one = fields(book, item, place, ("at", "rate"))
        at_s = value(book, one.get("at"), f"{place}.at", moment(plan), 0.0, "")
        steps.append(RateStep(at_s, value(book, one.get("rate"), f"{place}.rate", _rate, 1.0, "")))
    spikes = []
    for place, item in items(book, found.get("spikes"), f"{path}.spikes", "{at, for, rate}"):
        one = fields(book, item, place, ("at", "for", "rate"))
        at_s = value(book, one.get("at"), f"{place}.at", moment(plan), 0.0, "")
        for_s = value(book, one.get("for"), f"{place}.for", parse_duration_s, 1.0, "")
        rate = value(book, one.get("rate"), f"{place}.rate", _rate, 1.0, "")
        spikes.append(Spike(at_s, for_s, rate))
    rate_per_s = value(book, found.get("rate"), f"{path}.rate", _rate, 1.0, "")
    return Shape(made, rate_per_s, tuple(steps), tuple(spikes))


def _journey(book: Book, node: Node | None) -> Journey:
    path = "load.journey"
    keys = ("draw", "quota", "must_refuse")
    found = fields(book, node, path, keys, ("hot",)) if node else {}
    value(book, found.get("draw"), f"{path}.draw", number(1, 1), 1.0, "1: each intent is one draw")
    return Journey(
        quota_per_draw=value(book, found.get("quota"), f"{path}.quota", number(0, 1), 0.0, ""),
        must_refuse=value(
            book, found.get("must_refuse"), f"{path}.must_refuse", parse_share, 0.0, ""
        ),
        hot=value(book, found.get("hot"), f"{path}.hot", parse_share, 0.0, ""),
    )


def _patience(book: Book, node: Node | None) -> Patience:
    path = "load.patience"
    keys = ("deadline", "attempt_timeout", "retries", "pause", "poll")
    found = fields(book, node, path, keys) if node else {}

    def positive(text: object) -> float:
        seconds = parse_duration_s(text)
        if not 0.01 <= seconds <= 600:
            raise ValueError("a duration from 10ms to 10min")
        return seconds

    def seconds(key: str) -> float:
        return value(book, found.get(key), f"{path}.{key}", positive, 1.0, "")

    low_s, high_s = value(book, found.get("pause"), f"{path}.pause", parse_range_s, (0.1, 0.1), "")
    return Patience(
        deadline_s=seconds("deadline"),
        attempt_timeout_s=seconds("attempt_timeout"),
        retries=value(book, found.get("retries"), f"{path}.retries", whole(0, 20), 0, ""),
        pause_low_s=low_s,
        pause_high_s=high_s,
        poll_s=seconds("poll"),
    )
