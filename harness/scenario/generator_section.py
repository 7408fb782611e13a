"""`load.generator` of a scenario: other bounds for the generator's own health."""

from collections.abc import Callable

from harness.scenario.generator_limits import LIMITS, Limit
from harness.scenario.nodes import Book, Node, fields, value
from harness.units import parse_duration_s, parse_share


def generator(book: Book, node: Node | None) -> tuple[tuple[str, float], ...]:
    """What was set: ((key, seconds or share), ...), in the order of the table."""
    if node is None:
        return ()
    path = "load.generator"
    found = fields(book, node, path, (), tuple(limit.key for limit in LIMITS))
    return tuple(
        (limit.key, value(book, found[limit.key], f"{path}.{limit.key}", _parser(limit), 0.0, ""))
        for limit in LIMITS
        if limit.key in found
    )


def _parser(limit: Limit) -> Callable[[object], float]:
    return parse_share if limit.unit == "share" else _duration_s


def _duration_s(text: object) -> float:
    seconds = parse_duration_s(text)
    if not 0.001 <= seconds <= 10:
        raise ValueError("a duration from 1ms to 10s")
    return seconds
