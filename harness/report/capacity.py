"""How a lender's capacity is shown: a line a drill, a picture in the terminal, capacity.html."""

import math
from dataclasses import dataclass

from harness.capacity.found import Found, Point
from harness.report.charts import Tick, nice_top
from harness.report.html import render

TEMPLATE = "capacity.html.j2"
WIDTH, HEIGHT = 960, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 40
BAR = 40
MARK = {True: "✓", False: "✗", None: "?"}


def point_line(point: Point) -> str:
    """One drill, as it ends."""
    return (
        f"{MARK[point.held]} {point.rate_per_s:7g}/s offered  {point.granted_per_s:7.1f}/s granted "
        f"in time  guarantee {_percent(point.guarantee)}  p95 {_ms(point.p95_ms)}"
        + ("" if point.held else f"  {point.reason}")
    )


def capacity_text(found: Found) -> str:
    """The summary for the terminal: verdict, curve, hops."""
    top = max((point.rate_per_s for point in found.points), default=1.0)
    lines = [f"CAPACITY (exit {found.exit_code}): {found.reason}", ""]
    for point in sorted(found.points, key=lambda one: (one.rate_per_s, one.search)):
        bar = "█" * round(BAR * min(point.granted_per_s, top) / top)
        lines.append(
            f"{MARK[point.held]} {point.rate_per_s:7g}/s {bar:{BAR}} {point.granted_per_s:7.1f}/s "
            f"in time, p95 {_ms(point.p95_ms)}"
        )
    if found.few:
        lines.append(f"too few     {found.few}")
    first = found.first_hop
    if first is not None:
        lines.append(
            f"first full  {first[0]}: from {first[1]:g}/s on a draw spends more than twice its "
            f"usual time there"
        )
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Dot:
    """A drill in the drawing; kind is held, breached or inconclusive."""

    x: float
    y: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One drawing over the offered rate; `ideal`: where all that is offered is granted."""

    rates: tuple[Tick, ...]
    values: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    ideal: tuple[float, float, float, float] | None
    knee: tuple[float, float] | None


def granted_curve(found: Found) -> Curve:
    """Granted in time a second, over what was offered."""
    rates = [point.rate_per_s for point in found.points]
    top = nice_top(max(rates))
    dots = [(point, point.granted_per_s) for point in found.points]
    ideal = (_x(0, top), _y(0, top), _x(top, top), _y(top, top))
    return _curve(found, top, dots, top, "/s", ideal)


def p95_curve(found: Found) -> Curve:
    """p95 from the due time; beyond the deadline it is drawn at the top."""
    top_x = nice_top(max(point.rate_per_s for point in found.points))
    known = [p.p95_ms for p in found.points if p.p95_ms is not None and math.isfinite(p.p95_ms)]
    top = nice_top(max(known, default=1.0))
    dots = [(p, min(p.p95_ms, top)) for p in found.points if p.p95_ms is not None]
    return _curve(found, top_x, dots, top, " ms", None)


def capacity_html(found: Found) -> str:
    """One self-contained file; the same findings give the same bytes."""
    full = found.first_hop[0] if found.first_hop else ""
    # The hop that fills up first is shown first.
    known = {hop for point in found.points for hop in point.own}
    hops = sorted(known, key=lambda hop: (hop != full, hop))
    ordered = sorted(found.points, key=lambda one: (one.rate_per_s, one.search))
    return render(
        TEMPLATE,
        found=found,
        points=ordered,
        hops=hops,
        curves=(
            ("Granted in time, of what was offered", granted_curve(found)),
            ("p95: from the due time to the known grant", p95_curve(found)),
        ),
        box=(WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM),
        ms=_ms,
        percent=_percent,
        word=_word,
    )


def _curve(
    found: Found,
    top_x: float,
    dots: list[tuple[Point, float]],
    top_y: float,
    unit: str,
    ideal: tuple[float, float, float, float] | None,
) -> Curve:
    spread = found.held_per_s
    return Curve(
        rates=tuple(Tick(_x(top_x * n / 5, top_x), f"{top_x * n / 5:g}/s") for n in range(6)),
        values=tuple(Tick(_y(top_y * n / 4, top_y), f"{top_y * n / 4:g}{unit}") for n in range(5)),
        dots=tuple(
            Dot(_x(p.rate_per_s, top_x), _y(value, top_y), _word(p.held), point_line(p))
            for p, value in dots
        ),
        ideal=ideal,
        knee=None if spread is None else (_x(spread[1], top_x), _x(spread[2], top_x)),
    )


def _word(held: bool | None) -> str:
    return {True: "held", False: "breached", None: "inconclusive"}[held]


def _x(rate: float, top: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * rate / top, 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 1)


def _ms(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:.0f} ms" if math.isfinite(value) else "> deadline"


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value * 100:.2f} %"
