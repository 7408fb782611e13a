"""What a scenario plans, drawn for a terminal: the rate, the phases, the faults, and a table. Pure.

80 columns: a gutter of 10, then 70 of time. A column shows the highest rate in its time, so that no
spike is too short to be seen; of draws given by a trace it shows their number over its time.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.load.foreseen import DRILL, Count
from harness.plan import Plan
from harness.report.plan_facts import facts
from harness.scenario.model import PHASES, PhasePlan
from harness.scenario.shape import Shape

COLUMNS = 70
GUTTER = 10
ROWS = 8
TICKS_MAX = 7
TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Pen:
    """What is drawn with. levels: a cell filled from not at all to wholly."""

    levels: str
    wall: str
    floor: str
    tick: str
    bar: str
    after: str


BLOCKS = Pen(" ▁▂▃▄▅▆▇█", "│", "─", "┬", "█", "┄")
ASCII = Pen(" #", "|", "-", "+", "#", ".")


def pen_for(encoding: str | None) -> Pen:
    """Blocks where the output can write them, else plain ASCII."""
    try:
        "".join((BLOCKS.levels, BLOCKS.wall, BLOCKS.floor, BLOCKS.tick, BLOCKS.after)).encode(
            encoding or "ascii"
        )
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def picture(plan: Plan, pen: Pen) -> str:
    """The whole picture; no line is longer than 80 columns but for names that are."""
    scenario, load_s = plan.scenario, plan.scenario.phases.load_s
    shape = scenario.load.shape
    lines = [
        scenario.name,
        f"cause {scenario.cause}, seed {scenario.seed}, profile {scenario.lender.profile}; "
        f"load: {' + '.join(shape.kinds)}" + (", evenly spaced" if shape.spacing == "even" else ""),
        "",
        *_rate_rows(column_rates(shape, load_s), pen),
        *_axis(load_s, pen),
        _phase_line(scenario.phases, pen),
        *_fault_lines(plan, pen),
        "",
        *_table(plan),
        "",
        *facts(plan),
    ]
    return "\n".join(line.rstrip() for line in lines)


def column_rates(shape: Shape, load_s: float) -> list[float]:
    """The highest rate in each column's time, draw intents a second."""
    width_s = load_s / COLUMNS
    counts = Counter(column_of(draw.due_ns / NS_PER_S, load_s) for draw in shape.traced)
    highest = [0.0] * COLUMNS
    for stretch in shape.stretches:
        last = column_end(stretch.end_s, load_s)
        for column in range(column_of(stretch.start_s, load_s), last):
            ends = (column * width_s, (column + 1) * width_s)
            rate = max(
                stretch.rate_at(min(max(at_s, stretch.start_s), stretch.end_s)) for at_s in ends
            )
            highest[column] = max(highest[column], rate)
    return [rate + counts[column] / width_s for column, rate in enumerate(highest)]


def column_of(at_s: float, load_s: float) -> int:
    """The column that a moment falls in."""
    return min(COLUMNS - 1, max(0, math.floor(at_s / load_s * COLUMNS + 1e-9)))


def column_end(at_s: float, load_s: float) -> int:
    """The column after the last that something which ends at `at_s` has a part of."""
    return min(COLUMNS, max(1, math.ceil(at_s / load_s * COLUMNS - 1e-9)))


def _rate_rows(rates: Sequence[float], pen: Pen) -> list[str]:
    """The rate as columns of blocks, the highest filling all rows; any rate at all is seen."""
    top = max(rates) or 1.0
    parts = len(pen.levels) - 1
    heights = [max(round(rate / top * ROWS * parts), 1 if rate > 0 else 0) for rate in rates]
    lines = []
    for row in reversed(range(ROWS)):
        label = {ROWS - 1: _per_s(top), ROWS // 2 - 1: _per_s(top / 2)}.get(row, "")
        cells = (pen.levels[min(max(high - row * parts, 0), parts)] for high in heights)
        lines.append(f"{label:>{GUTTER - 2}} {pen.wall}" + "".join(cells))
    return lines


def _per_s(rate: float) -> str:
    return f"{rate:.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def _axis(load_s: float, pen: Pen) -> tuple[str, str]:
    """The floor with its ticks, and their labels."""
    step_s = next((s for s in TICK_STEPS_S if load_s / s <= TICKS_MAX), TICK_STEPS_S[-1])
    floor, labels = [pen.floor] * COLUMNS, [" "] * COLUMNS
    for number in range(math.ceil(load_s / step_s)):
        at_s = number * step_s
        column = column_of(at_s, load_s)
        floor[column] = pen.tick
        text = f"{at_s / 60:g} min" if step_s >= 60 and at_s else f"{at_s:g} s"
        if column + len(text) <= COLUMNS:
            labels[column : column + len(text)] = text
    return f"{'0':>{GUTTER - 2}} {pen.wall}" + "".join(floor), " " * GUTTER + "".join(labels)


def _phase_line(phases: PhasePlan, pen: Pen) -> str:
    """Each phase's name from where it starts, cut to its length."""
    cells = [" "] * COLUMNS
    starts = [column_of(phases.start_s(phase), phases.load_s) for phase in PHASES]
    for phase, start, end in zip(PHASES, starts, (*starts[1:], COLUMNS), strict=True):
        text = f"{pen.wall}{phase}"[: end - start]
        cells[start : start + len(text)] = text
    return f"{'phases':>{GUTTER - 2}}  " + "".join(cells)


def _fault_lines(plan: Plan, pen: Pen) -> list[str]:
    """A bar for each fault while it is there, and below what it is. Where nobody says for how
    long, only its start is sure: the rest is dotted."""
    load_s = plan.scenario.phases.load_s
    bars, names = [], [""]
    for number, (fault, at_s, for_s) in enumerate(plan.faults, 1):
        start = column_of(at_s, load_s)
        if for_s is None:
            bar = pen.bar + pen.after * (COLUMNS - start - 1)
            until = "for good" if fault.healer == "nobody" else "until the lender is over it"
        else:
            bar = pen.bar * max(1, column_end(at_s + for_s, load_s) - start)
            until = f"for {for_s:g} s"
        bars.append(f"{f'fault {number}':>{GUTTER - 2}}  " + " " * start + bar)
        names.append(f"{f'fault {number}':>{GUTTER - 2}}  {fault.name}, at {at_s:g} s {until}")
    return [*bars, *names] if bars else [f"{'faults':>{GUTTER - 2}}  none"]


def _table(plan: Plan) -> list[str]:
    """By phase: its time, its rates, how many draws of it must be refused, and how many promised
    ones it will be judged by."""
    phases, shape = plan.scenario.phases, plan.scenario.load.shape
    lines = [
        _row("phase", "from", "length", "planned rate", "draws", "refused", "promised", "yuan")
    ]
    for phase in PHASES:
        start_s, end_s = phases.start_s(phase), phases.end_s(phase)
        rates = [
            stretch.rate_at(min(max(at_s, stretch.start_s), stretch.end_s))
            for stretch in shape.stretches
            if stretch.start_s < end_s and stretch.end_s > start_s
            for at_s in (start_s, end_s)
        ]
        words = _rate_words(_per_s(min(rates)), _per_s(max(rates)), shape)
        length = f"{end_s - start_s:g} s"
        lines.append(_row(phase, f"{start_s:g} s", length, words, *_cells(plan.counts[phase])))
    lines.append(_row("all", "", f"{phases.load_s:g} s", "", *_cells(plan.counts[DRILL])))
    return [*lines, "", *_notes(plan)]


def _notes(plan: Plan) -> list[str]:
    """What the columns mean: as the judge counts, which is not always by due time."""
    timeout_s = plan.scenario.load.patience.attempt_timeout_s
    moved = sum(intent.straddling and intent.phase != "fault" for intent in plan.intents)
    withheld = plan.counts[DRILL].withheld
    lines = [
        "refused: these must be. promised, yuan: what the phase is judged by; warmup",
        "counts in the total alone.",
    ]
    if moved:
        lines += [
            f"{moved} draws due before the fault phase, and within {timeout_s:g} s "
            "(attempt_timeout) before", "the first fault, straddle: they count to the fault phase.",
        ]  # fmt: skip
    if withheld:
        lines.append(f"{withheld} more are withheld: borrowers are told no before they are due.")
    return lines


def _cells(count: Count) -> tuple[str, str, str, str]:
    yuan = f"{round(count.promised_fen / 100):,}"
    return str(count.draws), str(count.refused), str(count.promised), yuan


def _rate_words(low: str, high: str, shape: Shape) -> str:
    if shape.kinds == ("trace",):
        return "trace"
    return (low if low == high else f"{low}..{high}") + (" + trace" if shape.traced else "")


def _row(
    phase: str, start: str, length: str, rate: str, draws: str, refused: str, promised: str,
    yuan: str,
) -> str:  # fmt: skip
    return f"{phase:<9}{start:>7}{length:>8}{rate:>18}{draws:>8}{refused:>8}{promised:>9}{yuan:>13}"
