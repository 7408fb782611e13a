"""How a set of drills is shown and kept: text, suite.json, junit.xml, index.html (a heat map).

drills that were run ─► Outcome ─► one page that links to every drill's own report
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from harness.report.html import render
from harness.report.junit import Case, Suite, cases, suites
from harness.report.tables import Table, notes_text, table_text
from harness.suite.catalogue import Drill
from harness.suite.outcome import Outcome, Row

SCHEMA = 1
TEMPLATE = "suite.html.j2"
MARKS = {"held": "good", "breached": "bad"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the heat map. good, bad: where the colour begins and is full; the value is
    printed in every cell all the same."""

    key: str
    head: str
    unit: str
    good: float
    bad: float

    def shown(self, value: float | None) -> str:
        """For people; nothing measured is no zero."""
        if value is None:
            return "no data"
        if self.unit == "share":
            return f"{value * 100:.2f} %"
        return f"{value:,.0f} ms" if self.unit == "ms" else f"{value:,.4g}{self.unit}"

    def heat(self, value: float | None) -> float | None:
        """0 good to 1 bad."""
        if value is None:
            return None
        share = (value - self.good) / (self.bad - self.good)
        return round(min(1.0, max(0.0, share)), 3)


COLUMNS = (
    Column("drill.guarantee", "guarantee", "share", 1.0, 0.5),
    Column("fault.guarantee", "in the fault", "share", 1.0, 0.5),
    Column("watch.guarantee", "in the watch", "share", 1.0, 0.5),
    Column("drill.guarantee_money", "by money", "share", 1.0, 0.5),
    Column("drill.access", "access", "share", 1.0, 0.5),
    Column("fault.p95", "p95 in the fault", "ms", 200.0, 5000.0),
    Column("drill.recover_s", "recovered", " s", 0.0, 10.0),
    Column("drill.blast_radius", "blast radius", "share", 0.0, 0.5),
    Column("drill.amplification", "presses a draw", "", 1.0, 2.0),
    Column("drill.stranded", "stranded", "", 0.0, 20.0),
    Column("drill.rpo_draws", "lost draws", "", 0.0, 1.0),
    Column("drill.wrongly_approved", "wrongly approved", "", 0.0, 1.0),
    Column("drill.audit_breaches", "audit rules broken", "", 0.0, 1.0),
)


@dataclass(frozen=True, slots=True)
class HeatCell:
    """text: what is printed; heat: 0 good to 1 bad; None: no data."""

    text: str
    heat: float | None


def list_table(drills: Sequence[Drill]) -> Table:
    """What there is: a drill a row."""
    rows = tuple(
        (one.name, one.entry.kind, one.entry.title, ", ".join((*one.entry.sets, "full")),
         f"{one.run_s:.0f} s")
        for one in drills
    )  # fmt: skip
    return Table("drills", ("drill", "class", "title", "sets", "takes"), rows, ("",) * len(rows))


def list_text(drills: Sequence[Drill]) -> str:
    """For the terminal; the last line counts and adds up."""
    count = f"{len(drills)} drill{'s' * (len(drills) != 1)}"
    total = f"about {sum(one.run_s for one in drills) / 60:.0f} min one after another"
    return "\n".join([*table_text(list_table(drills)), "", f"{count}, {total}"])


def suite_text(found: Outcome) -> str:
    """For the terminal: the answer first."""
    whole = found.whole
    rows = tuple(
        (row.drill.name, row.arm, row.seen.digest.verdict or "no verdict", _guarantee(row),
         f"{row.took_s:.0f} s", why(row))
        for row in found.rows
    )  # fmt: skip
    head = ("drill", "arm", "verdict", "guarantee", "took", "")
    table = Table("", head, rows, ("",) * len(rows))
    failed = [f"{one.drill}: {one.name}: {one.message}" for one in found.checks if not one.well]
    return "\n".join(
        [
            f"{whole.verdict.upper()} (exit {whole.exit_code}): {whole.reason}",
            *([f"seeds + {found.reseed}"] if found.reseed else []),
            "",
            *table_text(table),
            *notes_text("broken drill", failed),
            *notes_text("not run", found.not_run),
        ]
    )


def why(row: Row) -> str:
    """The lines that broke, or why it is not to be believed."""
    seen = row.seen
    if seen.breached:
        return ", ".join(seen.breached)
    return "" if seen.digest.verdict == "held" else seen.digest.reason


def _guarantee(row: Row) -> str:
    return COLUMNS[0].shown(row.seen.digest.value(COLUMNS[0].key))


def suite_html(found: Outcome) -> str:
    """index.html: one self-contained file; the same outcome gives the same bytes."""
    rows = [
        {
            "row": row,
            "href": quote(f"{row.seen.digest.run}/report.html"),
            "verdict": row.seen.digest.verdict or "no verdict",
            "mark": MARKS.get(row.seen.digest.verdict or "", "unsure"),
            "why": why(row),
            "heat": [_cell(column, row) for column in COLUMNS],
        }
        for row in found.rows
    ]
    return render(
        TEMPLATE, found=found, rows=rows, columns=COLUMNS,
        mark=MARKS.get(found.whole.verdict, "unsure"),
        minutes=sum(row.took_s for row in found.rows) / 60,
    )  # fmt: skip


def _cell(column: Column, row: Row) -> HeatCell:
    value = row.seen.digest.value(column.key)
    more = "≥ " if column.key in row.seen.digest.at_least else ""
    return HeatCell(f"{more}{column.shown(value)}", column.heat(value))


def suite_junit(found: Outcome) -> str:
    """junit.xml: a test suite a drill, with its run, its expectations, its audit and its checks.

    What a second arm breaks is no failure: it is there for the drill's checks of itself.
    """
    made = [Suite(f"set {found.name}", (_whole_case(found),), {"arm": found.arm})]
    for name in dict.fromkeys(row.drill.name for row in found.rows):
        mine = [row for row in found.rows if row.drill.name == name]
        told = [case for row in mine if row.judged for case in _run_cases(row)]
        told += [
            Case("drill", check.name, "held" if check.well else "inconclusive", check.message)
            for check in found.checks
            if check.drill == name
        ]
        seed = mine[0].seen.digest.seed
        made.append(Suite(name, tuple(told), {"class": mine[0].drill.entry.kind, "seed": seed}))
    return suites(made)


def _whole_case(found: Outcome) -> Case:
    return Case("set", "the whole", found.whole.verdict, found.whole.reason)


def _run_cases(row: Row) -> Iterator[Case]:
    if row.seen.value is None:
        yield Case("run", "the run has a verdict", "inconclusive", row.seen.digest.reason)
    else:
        yield from cases(row.seen.value)


def suite_json(found: Outcome) -> str:
    """suite.json: fixed order, no time stamps. Figures in the units of digests: shares 0 to 1, ms,
    s."""
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "set": found.name,
        "arm": found.arm,
        "profile": found.profile,
        "order": found.order,
        "reseed": found.reseed,
        "verdict": found.whole.verdict,
        "exit_code": found.whole.exit_code,
        "reason": found.whole.reason,
        "drills": [_row_json(row) for row in found.rows],
        "checks": [
            {"drill": one.drill, "check": one.name, "well": one.well, "message": one.message}
            for one in found.checks
        ],
        "not_run": list(found.not_run),
    }
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _row_json(row: Row) -> dict[str, Any]:
    digest = row.seen.digest
    return {
        "drill": row.drill.name,
        "class": row.drill.entry.kind,
        "arm": row.arm,
        "seed": digest.seed,
        "verdict": digest.verdict,
        "exit_code": digest.exit_code,
        "reason": digest.reason,
        "breached": list(row.seen.breached),
        "took_s": row.took_s,
        "commit": digest.commit,
        "run": digest.run,
        "values": {column.key: digest.value(column.key) for column in COLUMNS},
        "at_least": [column.key for column in COLUMNS if column.key in digest.at_least],
    }
