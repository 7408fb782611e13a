"""`drawproof ablate`: what each protection is worth, over repeats of one scenario.

1. Arms: `full`, `naive`, each protection off from full, and on from naive where naive lacks it.
2. Every arm with every seed, resumable; the draws are the same in all of them.
3. Draws, money and recovery saved by having it, paired by seed, with an interval over the rounds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.compare.worth import DRAWS, KEYS, MONEY, RECOVERY, Saved, Worth, worth
from harness.compare_runs import How, Side, drilled
from harness.errors import HarnessError
from harness.given_runs import mistake
from harness.repeats.arms import Arm, seeds_from
from harness.repeats.digest import Digest
from harness.repeats.repeats import Drive, by_arm
from harness.report.tables import Page, Strip, Table, notes_text, page_html, table_text
from harness.scenario.model import PROTECTIONS, Scenario
from harness.target.profiles import protections_in
from harness.units import format_yuan

SCHEMA = 1
FULL, NAIVE = "full", "naive"
HEADLINE = "full against naive"
MARKS = {"saves": "good", "costs": "bad"}
DEPLOYS = "deploy"
# Where there is money enough, and no limit, it is all the same how it is allocated.
OF_MONEY = ("fine_allocation", "funding_plan")
NOTES = (
    "Saved is what the arm without it lost more than the arm with it: a negative number speaks "
    "against the protection. Intervals are of the mean over the rounds and are not adjusted for "
    "there being many rows. Fewer than 6 rounds give no interval of 95 %.",
    "Off from full: what the full lender would lose without it; by this row decide whether to do "
    "without. On from naive: what it is worth where the others are missing, which may be less than "
    "nothing.",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One worth that is asked for: of `name`, by two arms."""

    name: str
    have: str
    lack: str


def ablate_command(
    side: Side, only: Sequence[str], rounds: int, how: How, drive: Drive | None = None
) -> int:
    """Exit codes: 0 measured, 3 the headline can't be told, 1 money was wrong in a run of `full`.

    Raises ScenarioError.
    """
    scenario = Arm(FULL, side.what, side.changes).loaded().scenario
    names, skipped = protections_for(scenario, only)
    arms, rows = arms_of(side, names)
    seeds = seeds_from(scenario.seed, rounds)
    done = drilled("ablate", arms, seeds, scenario.name, how, drive)
    runs = {arm.label: by_arm(done.rows, arm.label) for arm in arms}
    found = [worth(row.name, row.have, row.lack, runs) for row in rows]
    wrong = [
        f"{one.digest.run}: {', '.join(one.digest.wrong)}" for one in done.rows if one.digest.wrong
    ]
    code = _exit_code(found[0], list(runs[FULL].values()))
    notes = (*NOTES, *skipped, *(f"the money is wrong in {text}" for text in wrong))
    page = _page(scenario.name, found, notes)
    try:
        (done.place / "ablate.json").write_text(_json(scenario, found, wrong, code))
        (done.place / "ablate.html").write_text(page_html(page))
    except OSError as exc:
        raise HarnessError(f"the report could not be written to {done.place}: {exc}") from exc
    print(_text(page, code, found, (*skipped, *wrong), done.place))
    return code


def protections_for(
    scenario: Scenario, only: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(those to switch, what is left out and why, in words). Raises ScenarioError."""
    strangers = [name for name in only if name not in PROTECTIONS]
    if strangers:
        raise mistake("--only", ", ".join(strangers), f"some of {', '.join(PROTECTIONS)}")
    names = tuple(name for name in PROTECTIONS if not only or name in only)
    idle = {name: why for name, why in _idle(scenario).items() if name not in only}
    left = tuple(f"{name} is left out: {idle[name]}" for name in names if name in idle)
    return tuple(name for name in names if name not in idle), left


def _idle(scenario: Scenario) -> dict[str, str]:
    """Protections that have nothing to do in a scenario, and why."""
    found = {}
    if not any(fault.family == DEPLOYS for fault in scenario.faults):
        found["canary"] = "nothing is deployed in this scenario, it has nothing to watch"
        found["handshake"] = "nothing is deployed in this scenario, all are of one version"
    if not scenario.lender.law.rules:
        found["compliance_first"] = "this scenario has no rules file, it has nothing to adopt"
    if not scenario.lender.tier_terms:
        found |= dict.fromkeys(OF_MONEY, "no tier has limits or little money in this scenario")
    if not scenario.lender.money_bound_fen:
        found["money_bound"] = "lender.money_bound is not said"
    return found


def arms_of(side: Side, names: Sequence[str]) -> tuple[tuple[Arm, ...], tuple[Row, ...]]:
    """Every arm once, and which two each worth is from; the headline first."""

    def arm(label: str, profile: str, protections: str) -> Arm:
        changes = (*side.changes, f"lender.protections={{{protections}}}")
        return Arm(label, side.what, changes, profile, side.lender)

    arms = [arm(FULL, "full", ""), arm(NAIVE, "naive", "")]
    rows = [Row(HEADLINE, FULL, NAIVE)]
    for name in names:
        if name in protections_in(FULL):
            label = f"full - {name}"
            arms.append(arm(label, "full", f"{name}: off"))
            rows.append(Row(f"{name}, off from full", FULL, label))
    for name in names:
        if name not in protections_in(NAIVE):
            label = f"naive + {name}"
            arms.append(arm(label, "naive", f"{name}: on"))
            rows.append(Row(f"{name}, on from naive", label, NAIVE))
    return tuple(arms), tuple(rows)


def _exit_code(headline: Worth, full: Sequence[Digest]) -> int:
    if any(one.wrong for one in full):
        return 1
    return 3 if headline.why else 0


def _page(name: str, found: Sequence[Worth], notes: Sequence[str]) -> Page:
    first = found[0]
    head = ("what is had", "draws it saves", "interval", "drawn", "money it saves", "interval",
            "recovery it saves", "interval", "rounds", "")  # fmt: skip
    rows = tuple(_row(one) for one in found)
    marks = tuple(MARKS.get(one.word, "unsure" if one.why else "") for one in found)
    return Page(
        title=f"What the protections are worth: {name}",
        word=first.word,
        mark=MARKS.get(first.word, "unsure"),
        reason=headline(first),
        tables=(Table("Each alone, and all together", head, rows, marks),),
        notes=(*notes, *(f"{one.name}: {text}" for one in found for text in one.dropped)),
    )


def headline(one: Worth) -> str:
    """One sentence on full against naive."""
    if one.why:
        return f"{one.name}: {one.why}"
    draws, money = one.saved[DRAWS], one.saved[MONEY]
    low, high = draws.interval.low, draws.interval.high
    return (
        f"{one.name}: {draws.estimate:+.1f} draws a run ({draws.interval.told} {low:+.1f} "
        f"to {high:+.1f}), {format_yuan(round(money.estimate))}, over "
        f"{one.rounds} {'round' if one.rounds == 1 else 'rounds'}"
    )


def _row(one: Worth) -> tuple[str | Strip | None, ...]:
    cells: list[str | Strip | None] = [one.name]
    for key in KEYS:
        saved = one.saved.get(key)
        cells += ("", "") if saved is None else _cells(saved)
        if key == DRAWS:
            cells.append(None if saved is None else _strip(saved))
    return (*cells, str(one.rounds), f"cannot tell: {one.why}" if one.why else one.word)


def _cells(saved: Saved) -> tuple[str, str]:
    low, high = saved.interval.low, saved.interval.high
    more, less = " or more" * bool(saved.at_least), " or less" * bool(saved.at_most)
    return (
        shown(saved.key, saved.estimate) + more + less,
        f"{saved.interval.told} {shown(saved.key, low)} to {shown(saved.key, high)}",
    )


def shown(key: str, value: float) -> str:
    """A saving with its sign and unit."""
    if key == MONEY:
        return ("+" if value > 0 else "") + format_yuan(round(value))
    return f"{value:+.2f} s" if key == RECOVERY else f"{value:+.1f}"


def _strip(saved: Saved) -> Strip:
    return Strip(saved.estimate, saved.interval.low, saved.interval.high, 0.0, saved.values)


def _text(page: Page, code: int, found: Sequence[Worth], more: Sequence[str], place: Path) -> str:
    lines = [f"{page.word.upper()} (exit {code}): {page.reason}", "", *table_text(page.tables[0])]
    dropped = [f"{one.name}: {text}" for one in found for text in one.dropped]
    lines += [*notes_text("left out", dropped), *notes_text("to know", more)]
    return "\n".join([*lines, f"kept in     {place}"])


def _json(scenario: Scenario, found: Sequence[Worth], wrong: Sequence[str], code: int) -> str:
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "scenario": scenario.name,
        "exit_code": code,
        "worth": [
            {
                "name": one.name,
                "have": one.have,
                "lack": one.lack,
                "rounds": one.rounds,
                "word": one.word,
                "why": one.why,
                "saved": {key: _saved_json(saved) for key, saved in one.saved.items()},
                "left_out": list(one.dropped),
            }
            for one in found
        ],
        "money_wrong": list(wrong),
    }
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _saved_json(saved: Saved) -> dict[str, Any]:
    return {
        "estimate": round(saved.estimate, 4),
        "interval": [round(saved.interval.low, 4), round(saved.interval.high, 4)],
        "coverage": round(saved.interval.coverage, 4),
        "values": [round(value, 4) for value in saved.values],
        "at_least": saved.at_least,
        "at_most": saved.at_most,
    }
