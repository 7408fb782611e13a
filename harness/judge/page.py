"""docs/measures.md, from the docstrings of what measures: `python -m harness.judge.page`.

A measure is defined once, in the function or property named here, whose docstring says its formula
first and then over what it is taken and when it is null.
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from harness.judge import (
    alerts,
    amplification,
    breakers,
    by_whom,
    drift,
    guarantee,
    harm,
    latency,
    recovery,
    shown,
    spillover,
    stranded,
    truth,
    warnings,
)
from harness.judge.intents import TABLE
from harness.scenario.measures import MEASURES

HEAD = """# Measures

<!-- Made from the docstrings of harness/judge/ by `make docs`; edit those, not this page. -->

Every number of `verdict.json` that says how well a promise was held, each with its one definition.
All of them are computed from the run directory alone. No data is null, never zero. The phase of a
draw is that of its due time. `x` stands for a name: the same measure of that phase, group or
replica. [scenario-format.md](scenario-format.md) has the grammar of expectations.

Two measures are of several runs: the amplification of a fault at peak against the same at steady
load (`python -m benchmarks.peaks`), and anything that compares lenders. Nothing in one run's
verdict stands in for them.

## The end of a draw

Every draw that fell due has one end: the first row that is true of it. Those that a stopped drill
never came to have none.

| when | end |
|---|---|
"""
# What the words of the table mean, and which counts are made of it.
WORDS = """
- *promised*: when it fell due, the amount fitted what the borrower truly had available (limit, less
  what is owed and held; not what is held for draws that came to nothing), the borrower was neither
  barred nor in arrears, and nothing that had been made known to him before (a quota shown lower, a
  notice of a rule, a policy or a limit) said no. It is judged of every draw, asked for or not.
- *withheld*: it would have been promised by what was known when the baseline began, and is not by
  what was made known since.
- *lawful*: no rule of law in force at the decision forbids it, adopted by the lender or not.
  *Permitted*: no policy of risk in force at the decision forbids it.
- *approved*: the borrower was told granted, or the ledger has it paid. *In time*: the borrower knew
  of the grant by the deadline. *Late*: approved, but not in time; or nobody knows at the end of the
  drain.

`promised` counts the draws promised; `kept` as in the table; `broken` is *broken* and *broken late*
together, and `late` the latter alone; `withheld` is *withheld* and *granted anyway*;
`rightly_refused` are draws that nobody was promised and nobody got; `wrongly_approved` as in the
table; `unresolved` are those of which at the end of the drain not even the ledger knows, whatever
their end.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """path: in verdict.json, `x` for any name. names: as expectations call it. source: what defines
    it, with its docstring."""

    path: str
    names: tuple[str, ...]
    unit: str
    source: object


ENTRIES = (
    Entry("guarantee.count", ("guarantee",), "share", guarantee.Share.count),
    Entry("guarantee.money", ("guarantee_money",), "share", guarantee.Share.money),
    Entry("guarantee.access", ("access",), "share", guarantee.Share.access),
    Entry("guarantee.access_money", ("access_money",), "share", guarantee.Share.access_money),
    Entry("guarantee.interval95", (), "share", guarantee.interval95),
    Entry("guarantee.by_phase.x, by_cause.x, by_hop.x, by_fault.x", (), "draws",
          guarantee.guarantee),
    Entry("guarantee.by_group.x", (), "share", by_whom.by_group),
    Entry("guarantee.by_replica.x", (), "share", by_whom.by_replica),
    Entry("guarantee.avoidable", ("avoidable",), "draws", guarantee.avoidable),
    Entry("guarantee.unfunded", ("unfunded",), "draws", guarantee.unfunded),
    Entry("guarantee.straddling", (), "draws", harm.straddling),
    Entry("latency_ms.x", ("p50", "p95", "p99", "p99.9"), "ms", latency.latency),
    Entry("recovery.recover_s, rto_s, stuck", ("recover_s", "rto_s"), "s", recovery.Recovery),
    Entry("recovery.rpo_draws, exposed_s", ("rpo_draws", "exposed_s"), "draws, s",
          recovery.recovery),
    Entry("recovery.detect_s, detection.detect_s", ("detect_s",), "s", alerts.Detection.detect_s),
    Entry("detection.by_fault_s, undetected", (), "s", alerts.Detection.undetected),
    Entry("detection.false_alarms", ("false_alarms",), "alerts", alerts.detection),
    Entry("warnings.lead_s, by_policy_s, untold", ("warning_lead_s",), "s",
          warnings.Warnings.lead_s),
    Entry("warnings.told_share, draws, told", ("told_share",), "share",
          warnings.Warnings.told_share),
    Entry("amplification.borrower, by_hop.x", ("amplification",), "ratio",
          amplification.amplification),
    Entry("amplification.out_per_in.x", (), "ratio", amplification.out_per_in),
    Entry("harm.goodput.x", ("goodput",), "draws a second", harm.goodput),
    Entry("harm.blocked_yuan_minutes.x", ("blocked_yuan_minutes",), "yuan-minutes",
          harm.blocked_yuan_minutes),
    Entry("harm.blast_radius, borrowers_hit, borrowers_due", ("blast_radius",), "share, borrowers",
          harm.Blast.radius),
    Entry("harm.spillover", ("spillover",), "share", spillover.spillover),
    Entry("harm.shown_age_ms", ("shown_age_ms",), "ms", shown.shown_age_ms),
    Entry("stranded", ("stranded",), "draws, fen", stranded.stranded),
    Entry("truth.matrix", (), "draws", truth.truth),
    Entry("truth.untrue, wrong", ("untrue",), "draws", truth.Truth.untrue),
    Entry("breakers.time_to_open_s", ("time_to_open_s",), "s", breakers.Breakers.time_to_open_s),
    Entry("breakers.wrongly_open", ("wrongly_open",), "openings", breakers.Breakers.wrongly_open),
    Entry("breakers.should_have_opened", ("should_have_opened",), "breakers",
          breakers.Breakers.should_have_opened),
    Entry("breakers.refused_calls", (), "calls", breakers.Breakers.refused_calls),
    Entry("breakers.failed_calls", (), "calls", breakers.Breakers.failed_calls),
    Entry("breakers.good_calls_blocked", ("good_calls_blocked",), "calls",
          breakers.Breakers.good_calls_blocked),
    Entry("breakers.stuck_breakers", ("stuck_breakers",), "breakers",
          breakers.Breakers.stuck_breakers),
    Entry("breakers.not_sent_but_served, each", (), "calls", breakers.Breakers),
    Entry("drift.guarantee, latency_p50_ms", (), "p-value", drift.drift),
)  # fmt: skip
# Counts that the words of the design define.
COUNTED = ("promised", "kept", "broken", "late", "withheld", "rightly_refused", "wrongly_approved",
           "unresolved", "audit_breaches")  # fmt: skip


def page() -> str:
    """The whole page, Markdown."""
    table = "\n".join(
        f"| {'all others' if when == 'true' else when} | {end.replace('_', ' ')} |"
        for when, end in TABLE
    )
    return "\n".join([HEAD + table, WORDS, *(line for one in ENTRIES for line in _lines(one))])


def _lines(entry: Entry) -> Iterator[str]:
    yield from (f"## `{entry.path}`", "")
    names = ", ".join(f"`{name}`" for name in entry.names)
    yield from (f"{entry.unit}{f' · in expectations: {names}' if names else ''}", "")
    yield from (inspect.getdoc(entry.source) or "", "")


def unlisted() -> list[str]:
    """Names of expectations that no entry has."""
    listed = {name for entry in ENTRIES for name in entry.names}
    return sorted({*MEASURES} - listed - {*COUNTED})


if __name__ == "__main__":
    sys.stdout.write(page())
