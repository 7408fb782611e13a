"""Charts as geometry: what goes where, in the units of the drawing; the template draws. Pure."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_MS, NS_PER_S
from harness.judge.exposure import window_ns
from harness.judge.parts import Parts
from harness.judge.view import RunView
from harness.scenario.model import CAUSES, PHASES

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 34, 30


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where it lies, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a second's bar; kind is `kept` or a cause."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Shade:
    """A fault as it was observed. number: by its place in the scenario, from 1."""

    x: float
    width: float
    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Line:
    """Points of a polyline, `x,y x,y`, in pieces where data is missing."""

    kind: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything to draw; `seconds` are marks of time, `values` of the other axis."""

    seconds: tuple[Tick, ...]
    values: tuple[Tick, ...]
    phases: tuple[Tick, ...]
    shades: tuple[Shade, ...]
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    limit_y: float | None
    marks: tuple[Tick, ...]


def _x(view: RunView, at_s: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * at_s / view.scenario.phases.load_s, 1)


def x_at(view: RunView, at_ns: int) -> float:
    """Where a moment lies on the axis of time, or at its nearer end."""
    at_s = (at_ns - view.t0_ns) / NS_PER_S
    return _x(view, min(max(at_s, 0.0), view.scenario.phases.load_s))


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value, top) / top, 1)


def nice_top(value: float) -> float:
    """A round number at or above `value`."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * unit >= value)


def _frame(view: RunView, top: float, unit: str) -> dict[str, tuple[Tick, ...]]:
    load_s = view.scenario.phases.load_s
    step = next(s for s in (5, 10, 30, 60, 300, 600, 3600) if load_s / s <= 12)
    return {
        "seconds": tuple(
            Tick(_x(view, at_s), f"{at_s} s") for at_s in range(0, int(load_s) + 1, step)
        ),
        "values": tuple(Tick(_y(top * n / 4, top), f"{top * n / 4:g}{unit}") for n in range(5)),
        "phases": tuple(
            Tick(_x(view, view.scenario.phases.start_s(phase)), phase) for phase in PHASES
        ),
    }


def shades(view: RunView) -> tuple[Shade, ...]:
    """The faults that were seen, from first sighting to heal."""
    found = []
    for number, fault in enumerate(view.faults, start=1):
        window = window_ns(view, fault)
        if window is None:
            continue
        x, end_x = x_at(view, window[0]), x_at(view, fault.heal_observed_ns or window[1])
        found.append(Shade(x, round(max(end_x - x, 1.0), 1), fault.name, number))
    return tuple(found)


def promise_chart(view: RunView, parts: Parts) -> Chart:
    """Promised draws by the second they fell due: kept, and broken by cause."""
    rows = parts.guarantee.per_second
    top = nice_top(max((offered for _, offered, _, _ in rows), default=1))
    bars, offered_line = [], []
    width = round((WIDTH - LEFT - RIGHT) / max(len(rows), 1) - 1, 1)
    for second, offered, kept, broken in rows:
        below = 0
        for kind in ("kept", *CAUSES):
            count = kept if kind == "kept" else broken.get(kind, 0)
            if count:
                y = _y(below + count, top)
                height = round(_y(below, top) - y, 1)
                title = f"{second} s: {count} {'kept' if kind == 'kept' else 'broken by ' + kind}"
                bars.append(Bar(_x(view, second), y, width, height, kind, title))
            below += count
        offered_line.append(f"{_x(view, second + 0.5)},{_y(offered, top)}")
    return Chart(
        **_frame(view, top, "/s"),
        shades=shades(view),
        bars=tuple(bars),
        lines=(Line("offered", (" ".join(offered_line),)),),
        limit_y=None,
        marks=(),
    )


def latency_chart(view: RunView, parts: Parts) -> Chart:
    """From the due time to the known grant, p50 and p95 of each second; never granted: a mark."""
    seconds: dict[int, list[float]] = defaultdict(list)
    censored: dict[int, int] = defaultdict(int)
    promised = parts.ends.where(promised=[True])
    for due_ns, granted_ns in promised.columns("due_ns", "granted_ns"):
        second = (due_ns - view.t0_ns) // NS_PER_S
        if granted_ns is None:
            censored[second] += 1
        else:
            seconds[second].append((granted_ns - due_ns) / NS_PER_MS)
    deadline_ms = view.scenario.load.patience.deadline_s * 1000
    top = nice_top(deadline_ms * 1.1)
    marks = tuple(
        Tick(_x(view, second + 0.5), str(count)) for second, count in sorted(censored.items())
    )
    return Chart(
        **_frame(view, top, " ms"),
        shades=shades(view),
        bars=(),
        lines=tuple(
            Line(name, _pieces(view, seconds, share, top))
            for name, share in (("p50", 0.5), ("p95", 0.95))
        ),
        limit_y=_y(deadline_ms, top),
        marks=marks,
    )


def _pieces(
    view: RunView, seconds: dict[int, list[float]], share: float, top: float
) -> tuple[str, ...]:
    """One polyline a run of seconds that have data."""
    pieces: list[list[str]] = [[]]
    for second in range(math.ceil(view.scenario.phases.load_s)):
        values: Sequence[float] = sorted(seconds.get(second, ()))
        if not values:
            pieces.append([])
            continue
        value = values[min(len(values) - 1, math.ceil(share * len(values)) - 1)]
        pieces[-1].append(f"{_x(view, second + 0.5)},{_y(value, top)}")
    return tuple(" ".join(piece) for piece in pieces if piece)
