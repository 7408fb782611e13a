"""`drawproof attribute`: what each fault of a drill cost, over repeats that leave it out.

1. Arms: the drill with all faults, without each, and without any; the same draws in all of them.
2. Every arm with every seed, each drill in a process of its own; resumable.
3. Costs in draws and money, with intervals over the rounds; with two faults their interaction too.
"""

import json
from collections.abc import Sequence
from typing import Any

from harness.compare.costs import KEYS, Cost, Costs, costs
from harness.compare.worth import DRAWS, MONEY
from harness.compare_runs import How, Side, drilled, place_of
from harness.errors import HarnessError
from harness.repeats.arms import seeds_from
from harness.repeats.digest import Digest
from harness.repeats.leave_out import LeftOut, arms_of
from harness.repeats.repeats import Drive, make_folder
from harness.report.tables import Page, Strip, Table, notes_text, page_html, table_text
from harness.scenario.loader import load_scenario
from harness.units import format_yuan

SCHEMA = 1
MARKS = {"costs": "bad", "saves": "good"}
MEASURED, TOO_FEW = "measured", "too few rounds"
LOST = "Lost in each drill"
NOTES = (
    "Costs are totals over a drill, never of single draws: by how much more is lost with the fault "
    "than without, so that a negative number is a fault that saved something. In company: the "
    "drill with all faults less the one without this fault; alone: with this fault only less "
    "without any. Intervals are of the mean over the rounds. Fewer than 6 rounds give no interval "
    "of 95 %.",
    "The drills without any fault are not asked how they recover: there is nothing to recover "
    "from.",
)


def attribute_command(side: Side, rounds: int, how: How, drive: Drive | None = None) -> int:
    """Exit codes: 0 measured (also too few rounds), 1 money was wrong in a drill, 3 no round could
    be used.

    Raises ScenarioError, also for a scenario without faults.
    """
    scenario = load_scenario(side.what, side.changes, side.profile).scenario
    place = make_folder(place_of(how, "attribute", scenario.name))
    left_out = arms_of(side.what, side.changes, side.profile, place)
    seeds = seeds_from(scenario.seed, rounds)
    done = drilled("attribute", left_out.arms, seeds, scenario.name, how, drive, place)
    runs: dict[int, dict[str, Digest]] = {}
    for one in done.rows:
        runs.setdefault(one.number, {})[one.arm] = one.digest
    found = costs(left_out, runs)
    wrong = [
        f"the money is wrong in {one.digest.run}: {', '.join(one.digest.wrong)}"
        for one in done.rows
        if one.digest.wrong
    ]
    code = 1 if wrong else 0 if found.rounds else 3
    page = _page(scenario.name, left_out, found, (*NOTES, *wrong, *found.dropped))
    try:
        (place / "attribute.json").write_text(_json(scenario.name, found, wrong, code))
        (place / "attribute.html").write_text(page_html(page))
    except OSError as exc:
        raise HarnessError(f"the report could not be written to {place}: {exc}") from exc
    print(_text(page, code, found, wrong))
    print(f"kept in     {place}")
    return code


def _page(name: str, left_out: LeftOut, found: Costs, notes: Sequence[str]) -> Page:
    head = ("fault", "", "cost in draws", "interval", "drawn", "cost in money", "interval", "")
    rows = tuple(_row(one) for one in found.found)
    marks = tuple(MARKS.get(one.word, "unsure") for one in found.found)
    lost = tuple(
        (label, f"{one[DRAWS]:.1f}", format_yuan(round(one[MONEY])))
        for label, one in found.lost.items()
    )
    word = _word(found)
    return Page(
        title=f"What each fault cost: {name}",
        word=word,
        mark="" if word == MEASURED else "unsure",
        reason=_reason(left_out, found),
        tables=(
            Table("Costs", head, rows, marks),
            Table(
                LOST, ("drill", "broken draws, mean", "broken money, mean"), lost, ("",) * len(lost)
            ),
        ),
        notes=tuple(notes),
    )


def _word(found: Costs) -> str:
    """Rounds that show nothing with 95 % measure nothing, as `ablate` says it too."""
    if not found.rounds:
        return "cannot tell"
    return TOO_FEW if _worst(found).word == TOO_FEW else MEASURED


def _worst(found: Costs) -> Cost:
    return max(found.found, key=lambda one: one.values[DRAWS].estimate)


def _reason(left_out: LeftOut, found: Costs) -> str:
    drills = f"{found.rounds} {'round' if found.rounds == 1 else 'rounds'} of {len(left_out.arms)}"
    if not found.rounds:
        return "no round could be used"
    worst = _worst(found)
    label = f"{worst.what} {worst.how}".strip()
    cost = f"{label}: {_shown(worst, DRAWS)} draws a drill"
    if worst.word == TOO_FEW:
        return f"over {drills} drills most was seen lost by {cost}, {_interval(worst, DRAWS)}"
    return f"over {drills} drills most is lost by {cost}"


def _row(one: Cost) -> tuple[str | Strip | None, ...]:
    draws = one.values[DRAWS]
    interval = draws.interval()
    strip = Strip(draws.estimate, interval.low, interval.high, 0.0, draws.differences)
    return (
        one.what, one.how, _shown(one, DRAWS), _interval(one, DRAWS), strip, _shown(one, MONEY),
        _interval(one, MONEY), one.word,
    )  # fmt: skip


def _shown(one: Cost, key: str) -> str:
    return _value(key, one.values[key].estimate)


def _interval(one: Cost, key: str) -> str:
    found = one.values[key].interval()
    return f"{_value(key, found.low)} to {_value(key, found.high)} ({found.coverage * 100:.0f} %)"


def _value(key: str, value: float) -> str:
    if key == MONEY:
        return ("+" if value > 0 else "") + format_yuan(round(value))
    return f"{value:+.1f}"


def _text(page: Page, code: int, found: Costs, wrong: Sequence[str]) -> str:
    lines = [f"{page.word.upper()} (exit {code}): {page.reason}"]
    for table in page.tables:
        if table.rows:
            lines += ["", *table_text(table)]
    return "\n".join([*lines, *notes_text("left out", found.dropped), *notes_text("wrong", wrong)])


def _json(name: str, found: Costs, wrong: Sequence[str], code: int) -> str:
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "scenario": name,
        "exit_code": code,
        "rounds": found.rounds,
        "left_out": list(found.dropped),
        "costs": [
            {
                "what": one.what,
                "how": one.how,
                "word": one.word,
                **{key.removeprefix("drill."): _cost_json(one, key) for key in KEYS},
            }
            for one in found.found
        ],
        "lost": {
            label: {key.removeprefix("drill."): round(one[key], 2) for key in KEYS}
            for label, one in found.lost.items()
        },
        "money_wrong": list(wrong),
    }
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _cost_json(one: Cost, key: str) -> dict[str, Any]:
    found = one.values[key]
    interval = found.interval()
    return {
        "estimate": round(found.estimate, 2),
        "interval": [round(interval.low, 2), round(interval.high, 2)],
        "coverage": round(interval.coverage, 4),
        "values": list(found.differences),
    }
