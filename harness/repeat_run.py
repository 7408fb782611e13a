"""`drawproof run --repeat N`: one scenario with N seeds, the spread of its figures and a vote."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.compare.comparison import FAILED, STOPPED
from harness.compare.measures import USUAL
from harness.compare.vote import Vote, vote
from harness.compare_runs import How, Side, drilled
from harness.errors import HarnessError
from harness.repeats.arms import Arm, seeds_from
from harness.repeats.digest import Digest
from harness.repeats.repeats import Drive
from harness.report.tables import Page, Table, notes_text, page_html, table_text

SCHEMA = 1
MARKS = {"held": "good", "breached": "bad", "inconclusive": "unsure"}
LABEL = "run"


def repeat_command(side: Side, times: int, how: How, drive: Drive | None = None) -> int:
    """Returns the exit code, by the rule of the vote. Raises ScenarioError."""
    arm = Arm(LABEL, side.what, side.changes, side.profile)
    scenario = arm.loaded().scenario
    seeds = seeds_from(scenario.seed, times)
    done = drilled("run", (arm,), seeds, scenario.name, how, drive)
    runs = [one.digest for one in done.rows]
    found = vote(
        [one.verdict for one in runs],
        sum(bool(one.wrong) for one in runs),
        sum(one.exit_code in (STOPPED, FAILED) for one in runs),
    )
    spread = spreads([one for one in runs if one.counts])
    page = _page(scenario.name, runs, found, spread)
    value = {"schema": SCHEMA, "scenario": scenario.name, **asdict(found), "spread": spread}
    try:
        (done.place / "repeat.json").write_text(_json(value))
        (done.place / "repeat.html").write_text(page_html(page))
    except OSError as exc:
        raise HarnessError(f"the report could not be written to {done.place}: {exc}") from exc
    print(_text(page, found, done.place))
    return found.exit_code


def spreads(runs: Sequence[Digest]) -> dict[str, dict[str, float | int]]:
    """Of every figure of the sound runs that have it: how many, the median, lowest and highest."""
    found: dict[str, dict[str, float | int]] = {}
    for key in dict.fromkeys(key for one in runs for key in one.values):
        known = [value for one in runs if (value := one.value(key)) is not None]
        if known:
            found[key] = {
                "runs": len(known), "median": statistics.median(known),
                "lowest": min(known), "highest": max(known),
            }  # fmt: skip
    return found


def _page(
    name: str, runs: Sequence[Digest], found: Vote, spread: dict[str, dict[str, float | int]]
) -> Page:
    rows = []
    for measure in USUAL:
        if measure.key in spread:
            one = spread[measure.key]
            shown = [measure.value_shown(one[word]) for word in ("median", "lowest", "highest")]
            rows.append((measure.key, *shown, str(one["runs"])))
    each = tuple((str(one.seed), one.verdict or "no verdict", one.reason, one.run) for one in runs)
    return Page(
        title=f"{name}, {len(runs)} times",
        word=found.verdict,
        mark=MARKS[found.verdict],
        reason=_reason(found),
        tables=(
            Table("Spread over the sound runs", ("measure", "median", "lowest", "highest", "runs"),
                  tuple(rows), ("",) * len(rows)),
            Table("The runs", ("seed", "verdict", "reason", "run"), each,
                  tuple(MARKS.get(one.verdict or "", "unsure") for one in runs)),
        ),
        notes=("A seed a run: the scenario's own and those after it.",),
    )  # fmt: skip


def _reason(found: Vote) -> str:
    if found.interval95 is None:
        return found.reason
    low, high = (f"{end * 100:.0f} %" for end in found.interval95)
    return f"{found.reason}; runs like these hold in {low} to {high} of cases (95 %, Wilson)"


def _text(page: Page, found: Vote, place: Path) -> str:
    counts = f"{found.held} held, {found.breached} breached, {found.inconclusive} inconclusive"
    lines = [f"{page.word.upper()} (exit {found.exit_code}): {page.reason}", "", *notes_text(
        "vote", (counts,)), *table_text(page.tables[0]), f"kept in     {place}"]  # fmt: skip
    return "\n".join(lines)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
