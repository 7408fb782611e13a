"""The `load` section of a scenario."""

from harness.scenario.generator_section import generator
from harness.scenario.model import BORROWERS_MAX, LoadSpec, Patience, PhasePlan
from harness.scenario.nodes import Book, Node, fields, value
from harness.scenario.numbers import whole
from harness.scenario.people_section import journey, population
from harness.scenario.shape_section import shape
from harness.scenario.trace import Beside
from harness.units import parse_duration_s, parse_range_s


def load(book: Book, node: Node | None, plan: PhasePlan, beside: Beside) -> LoadSpec:
    """shape, borrowers, journey, patience; population, spacing, workers, generator are optional."""
    keys = ("shape", "borrowers", "journey", "patience")
    more = ("population", "spacing", "workers", "generator")
    found = fields(book, node, "load", keys, more) if node else {}
    borrowers = value(
        book, found.get("borrowers"), "load.borrowers", whole(1, BORROWERS_MAX), BORROWERS_MAX, ""
    )
    return LoadSpec(
        shape=shape(book, found.get("shape"), found.get("spacing"), plan, beside, borrowers),
        borrowers=borrowers,
        journey=journey(book, found.get("journey")),
        patience=_patience(book, found.get("patience")),
        workers=value(book, found.get("workers"), "load.workers", whole(1, 16), 1, ""),
        population=population(book, found.get("population")),
        generator=generator(book, found.get("generator")),
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
