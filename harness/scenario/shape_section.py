"""The shape of the load: `load.shape`, one shape or a list whose rates are added.

A new shape is a function in shapes.py and one line in KINDS: which keys it has, how it is made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import harness.scenario.shapes as curves
from harness.scenario.model import PhasePlan
from harness.scenario.moments import moment
from harness.scenario.nodes import Book, Node, fields, form_of, items, value
from harness.scenario.numbers import number, one_of, whole
from harness.scenario.shape import Shape, Stretch, Traced
from harness.scenario.shapes import Curve, RateStep, ShapeMistake, Spike
from harness.scenario.trace import Beside, TraceMistakes, Window, read_trace
from harness.units import parse_duration_s, parse_rate_per_s

RATE_MAX_PER_S = 5000.0
# As many as one controller plans and judges in memory: 2,500/s for nearly seven minutes.
INTENTS_MAX = 1_000_000
SHAPES_MAX = 20
# The keys' meaning is the same in every shape.
RATES = ("rate", "peak", "second_peak", "to", "by", "rest")
MOMENTS = ("at", "again")
# Key to the shortest it may be, seconds: a day of no length would never end.
DURATIONS = {
    "rise": 0.0, "for": 0.0, "fall": 0.0, "half_life": 0.01, "every": 0.01, "day": 1.0,
    "repeat": 1.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """The keys of a shape besides `kind`, and its curve from what was read."""

    needed: tuple[str, ...]
    optional: tuple[str, ...]
    curve: Callable[[Mapping[str, Any]], Curve]


def _times(given: Mapping[str, Any], times: float) -> float:
    """The peak, or so many times the rate."""
    peak_per_s: float = given.get("peak", given["rate"] * times)
    return peak_per_s


def _double_peak(given: Mapping[str, Any]) -> Curve:
    second = given["again"], given.get("second_peak", given["peak"])
    first = given["at"], given["peak"]
    return curves.double_peak(
        given["rate"], first, second, given["rise"], given["for"], given["fall"]
    )


def _level(given: Mapping[str, Any]) -> Curve:
    return curves.level(given["rate"], given.get("steps", ()), given.get("spikes", ()))


KINDS: dict[str, Kind] = {
    "steady": Kind(("rate",), ("steps", "spikes", "repeat"), _level),
    "spike": Kind(("rate",), ("steps", "spikes", "repeat"), _level),
    "ramp": Kind(
        ("rate", "to", "at", "rise"),
        ("repeat",),
        lambda g: curves.ramp(g["rate"], g["to"], g["at"], g["rise"]),
    ),
    "step": Kind(
        ("rate", "to", "at"),
        ("by", "every", "repeat"),
        lambda g: curves.step(g["rate"], g["to"], g["at"], g.get("by"), g.get("every")),
    ),
    "double_peak": Kind(
        ("rate", "peak", "at", "again", "rise", "for", "fall"),
        ("second_peak", "repeat"),
        _double_peak,
    ),
    "diurnal": Kind(
        ("rate", "peak", "day"),
        ("at", "hours"),
        lambda g: curves.diurnal(
            g["rate"], g["peak"], g.get("at", 0.0), g["day"], g["load_s"],
            g.get("hours", curves.HOURS),
        ),
    ),
    "repayment_day": Kind(
        ("rate", "at", "rise", "for", "fall"),
        ("peak", "repeat"),
        lambda g: curves.repayment_day(
            g["rate"], _times(g, curves.REPAYMENT_DAY_TIMES), g["at"], g["rise"], g["for"],
            g["fall"],
        ),
    ),
    "promotion": Kind(
        ("rate", "at", "half_life"),
        ("peak", "repeat"),
        lambda g: curves.promotion(
            g["rate"], _times(g, curves.PROMOTION_TIMES), g["at"], g["half_life"]
        ),
    ),
    "festival_eve": Kind(
        ("rate", "at", "rise"),
        ("peak", "rest", "repeat"),
        lambda g: curves.festival_eve(
            g["rate"], _times(g, curves.FESTIVAL_EVE_TIMES), g.get("rest", g["rate"] / 2),
            g["at"], g["rise"],
        ),
    ),
    "quarter_end": Kind(
        ("rate", "at", "rise"),
        ("peak", "days", "repeat"),
        lambda g: curves.quarter_end(
            g["rate"], _times(g, curves.QUARTER_END_TIMES), g["at"], g["rise"],
            g.get("days", curves.WORKING_DAYS),
        ),
    ),
    "trace": Kind(("file",), ("at",), lambda g: ((0.0, 0.0),)),
}  # fmt: skip
# Warned of when the load has only a part of their rise; all others begin with it or have no end.
CUT_SHORT = ("ramp", "step", "double_peak", "repayment_day", "festival_eve", "quarter_end")


def shape(
    book: Book,
    node: Node | None,
    spacing: Node | None,
    plan: PhasePlan,
    beside: Beside,
    borrowers: int,
) -> Shape:
    """`load.shape` and `load.spacing`; every problem goes into the book. borrowers: how many a
    trace may name."""
    path = "load.shape"
    nodes = [(path, node)] if node is not None else []
    if node is not None and form_of(node) == "list":
        nodes = items(book, node, path, "shapes")
        if not 1 <= len(nodes) <= SHAPES_MAX:
            book.add(node, path, f"{len(nodes)} shapes", f"1 to {SHAPES_MAX} shapes")
    one = _One(book, plan, beside, borrowers)
    kinds, parts = [], []
    for place, item in nodes:
        kind, curve = one.read(place, item)
        kinds.append(kind)
        parts.append(curves.stretches(curve, plan.load_s))
    total = curves.added(parts) if parts else (Stretch(0.0, plan.load_s, 1.0),)
    if node is not None:
        _check_bounds(book, node, total, len(one.traced))
    evenly = value(book, spacing, "load.spacing", one_of("poisson", "even"), "poisson", "")
    made: Literal["poisson", "even"] = "even" if evenly == "even" else "poisson"
    traced = tuple(sorted(one.traced, key=lambda draw: draw.due_ns))
    return Shape(tuple(kinds), total, made, traced, one.trace)


def _check_bounds(book: Book, node: Node, total: tuple[Stretch, ...], traced: int) -> None:
    """The highest rate of all together, and how many draws are planned."""
    ends = ((s.start_s, s.rate_per_s) for s in total), ((s.end_s, s.last_per_s) for s in total)
    at_s, rate_per_s = max(chain(*ends), key=lambda end: end[1])
    if rate_per_s > RATE_MAX_PER_S * (1 + 1e-9):
        found = f"{rate_per_s:g}/s together at {at_s:g} s"
        book.add(node, "load.shape", found, f"at most {RATE_MAX_PER_S:g}/s")
    draws = sum(stretch.draws for stretch in total) + traced
    if draws > INTENTS_MAX:
        book.add(node, "load.shape", f"about {draws:.0f} draws", f"at most {INTENTS_MAX} in all")


@dataclass
class _One:
    """Reads one shape after another; keeps what traces give."""

    book: Book
    plan: PhasePlan
    beside: Beside
    borrowers: int

    def __post_init__(self) -> None:
        self.traced: list[Traced] = []
        self.trace = ""

    def read(self, path: str, node: Node) -> tuple[str, Curve]:
        """(its kind, its curve); a level curve when there are problems."""
        before = len(self.book.problems)
        name, found = self._fields(path, node)
        given = {key: self._value(key, child, f"{path}.{key}") for key, child in found.items()}
        if len(self.book.problems) > before:
            return name, ((0.0, 1.0),)
        if name == "trace":
            self._take_trace(found["file"], f"{path}.file", given)
        given["load_s"] = self.plan.load_s
        try:
            curve = KINDS[name].curve(given)
            if name in CUT_SHORT:
                for key, text in curves.cut_off(curve, given, self.plan.load_s):
                    self.book.warn(found.get(key, node), f"{path}.{key}", text)
            if "repeat" in given:
                curve = curves.repeated(curve, given["repeat"], self.plan.load_s)
        except ShapeMistake as exc:
            self.book.add(found.get(exc.key, node), f"{path}.{exc.key}", exc.found, exc.allowed)
            return name, ((0.0, 1.0),)
        return name, curve

    def _fields(self, path: str, node: Node) -> tuple[str, dict[str, Node]]:
        """The shape's kind and the nodes of its other keys, checked by its kind."""
        pairs = node.value if form_of(node) == "mapping" else []
        kind_node = next((child for key, child in pairs if key.value == "kind"), None)
        name = str(kind_node.value) if kind_node is not None else ""
        known = KINDS.get(name)
        if known is None:
            every = {key: 0 for kind in KINDS.values() for key in (*kind.needed, *kind.optional)}
            found = fields(self.book, node, path, ("kind",), tuple(every))
            value(self.book, kind_node, f"{path}.kind", one_of(*KINDS), "", "")
            return "steady", {key: child for key, child in found.items() if key != "kind"}
        found = fields(self.book, node, path, ("kind", *known.needed), known.optional)
        if name == "spike" and "spikes" not in found:
            self.book.add(node, f"{path}.spikes", "nothing", "at least one spike: {at, for, rate}")
        if name == "steady" and "spikes" in found:
            allowed = "kind: spike, or no spikes"
            self.book.add(found["spikes"], f"{path}.spikes", "spikes", allowed)
        return name, {key: child for key, child in found.items() if key != "kind"}

    def _value(self, key: str, node: Node, path: str) -> Any:
        """One value, by what its key means in every shape."""
        if key in RATES:
            return value(self.book, node, path, _rate, 1.0, "")
        if key in MOMENTS:
            return value(self.book, node, path, moment(self.plan), 0.0, "")
        if key in DURATIONS:
            return value(self.book, node, path, _at_least(DURATIONS[key]), 1.0, "")
        if key == "days":
            return value(self.book, node, path, whole(1, 31), 1, "")
        if key == "file":
            return value(self.book, node, path, _name, "", "")
        if key == "hours":
            return self._hours(node, path)
        return self._steps(node, path) if key == "steps" else self._spikes(node, path)

    def _steps(self, node: Node, path: str) -> tuple[RateStep, ...]:
        made = []
        for place, item in items(self.book, node, path, "{at, rate}"):
            one = self._keys(item, place, ("at", "rate"))
            made.append(RateStep(one["at"], one["rate"]))
        return tuple(made)

    def _spikes(self, node: Node, path: str) -> tuple[Spike, ...]:
        made = []
        for place, item in items(self.book, node, path, "{at, for, rate}"):
            one = self._keys(item, place, ("at", "for", "rate"))
            made.append(Spike(one["at"], one["for"], one["rate"]))
        return tuple(made)

    def _keys(self, node: Node, path: str, keys: tuple[str, ...]) -> dict[str, Any]:
        found = fields(self.book, node, path, keys)
        read = {key: self._value(key, child, f"{path}.{key}") for key, child in found.items()}
        return {**dict.fromkeys(keys, 1.0), **read}

    def _hours(self, node: Node, path: str) -> tuple[float, ...]:
        listed = items(self.book, node, path, "levels from 0 to 1")
        if form_of(node) == "list" and not 2 <= len(listed) <= 96:
            self.book.add(node, path, f"{len(listed)} levels", "2 to 96 levels from 0 to 1")
        return tuple(value(self.book, item, at, number(0, 1), 0.0, "") for at, item in listed)

    def _take_trace(self, node: Node, path: str, given: Mapping[str, Any]) -> None:
        """Its draws; the name of its copy in the run directory takes the place of its own."""
        name = str(given["file"])
        try:
            kept, data = self.beside.take(name)
            self.trace = str(self.beside.folder / name)
            window = Window(given.get("at", 0.0), self.plan.load_s, self.borrowers, INTENTS_MAX)
            self.traced += read_trace(data, self.trace, window)
            node.value = kept
        except TraceMistakes as exc:
            self.book.problems += exc.problems
        except ValueError as exc:
            self.book.add(node, path, repr(name), str(exc))


def _rate(text: object) -> float:
    rate_per_s = parse_rate_per_s(text)
    if rate_per_s > RATE_MAX_PER_S:
        raise ValueError(f"at most {RATE_MAX_PER_S:g}/s")
    return rate_per_s


def _at_least(low_s: float) -> Callable[[object], float]:
    def parse(text: object) -> float:
        seconds = parse_duration_s(text)
        if seconds < low_s:
            raise ValueError(f"a duration of at least {low_s:g} s")
        return seconds

    return parse


def _name(text: object) -> str:
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError("the path of a CSV or Parquet file, from the scenario's folder")
    return text
