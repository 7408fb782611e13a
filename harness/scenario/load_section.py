"""The `load` section of a scenario."""

from harness.scenario.model import Journey, LoadSpec, Patience, PhasePlan
from harness.scenario.nodes import Book, Node, fields, value
from harness.scenario.numbers import number, whole
from harness.scenario.shape_section import shape
from harness.scenario.trace import Beside
from harness.units import parse_duration_s, parse_range_s, parse_share


def load(book: Book, node: Node | None, plan: PhasePlan, beside: Beside) -> LoadSpec:
    """shape, borrowers, journey, patience; spacing and workers are optional."""
    keys = ("shape", "borrowers", "journey", "patience")
    found = fields(book, node, "load", keys, ("spacing", "workers")) if node else {}
    return LoadSpec(
        shape=shape(book, found.get("shape"), found.get("spacing"), plan, beside),
        borrowers=value(book, found.get("borrowers"), "load.borrowers", whole(1, 10**6), 1000, ""),
        journey=_journey(book, found.get("journey")),
        patience=_patience(book, found.get("patience")),
        workers=value(book, found.get("workers"), "load.workers", whole(1, 16), 1, ""),
    )


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
