"""summary.md: what a reviewer reads of a run in a pull request, from its verdict.json.

Short, and every text of the run escaped: a scenario's or a target's words make no link, no table
cell, no mention and no HTML of ours.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.judge.expectations import shown
from harness.units import format_yuan

MARK = {"held": "✅", "inconclusive": "❔", "breached": "❌"}
BROKEN_BY_MOST = 3
DOUBTS_MOST = 5
# CommonMark lets any of these be written with a backslash; `:` so that no address becomes a link.
SPECIAL = re.compile(r"([\\`*_\[\]<>|~&#$]|:(?=//))")
# What GitHub makes a link of by itself, escaped or not: a name, an address, a number of an issue.
LINKED = re.compile(r"@|(?<=\bwww)(?=\.)|#(?=\w)|(?<=\bgh)-(?=\d)", re.IGNORECASE)
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")


def escaped(text: object) -> str:
    """One line of plain words, whatever it was."""
    plain = UNSEEN.sub(" ", str(text))
    # A space of no width in between does not show.
    return LINKED.sub("\\g<0>\u200b", SPECIAL.sub(r"\\\1", plain))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table; every cell is escaped."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(escaped(cell) for cell in row)} |" for row in rows)]


def summary_md(value: Mapping[str, Any]) -> str:
    """The file, of verdict.json as a value."""
    lines = [
        f"### {MARK[value['verdict']]} {value['verdict']}: {escaped(value['scenario'])}",
        "",
        f"{escaped(value['reason'])}",
        "",
    ]
    guarantee = value["guarantee"]
    if guarantee is not None:
        lines += [
            f"**Guarantee** {shown('guarantee', guarantee['count'])} of draws, "
            f"{shown('guarantee', guarantee['money'])} of money · **access** "
            f"{shown('access', guarantee['access'])} · {guarantee['broken']:,} of "
            f"{guarantee['promised']:,} promised draws broken "
            f"({format_yuan(guarantee['broken_fen'])})",
            "",
        ]
    if value["expectations"]:
        rows = [
            (MARK[one["verdict"]], f"{one['phase']}: {one['expected']}", one["shown"])
            for one in value["expectations"]
        ]
        lines += [*table(("", "expected", "was"), rows), ""]
    if guarantee is not None:
        lines += [
            f"- broken by {escaped(b['cause'])} at {escaped(b['hop'])}: {b['draws']:,} draws, "
            f"{format_yuan(b['amount_fen'])}"
            for b in guarantee["broken_by"][:BROKEN_BY_MOST]
        ]
    lines += _audit(value["audit"] or ())
    lines += [f"- in doubt: {escaped(doubt)}" for doubt in value["doubts"][:DOUBTS_MOST]]
    left = len(value["doubts"]) - DOUBTS_MOST
    if left > 0:
        lines.append(f"- and {left} more doubts in verdict.json")
    lines += ["", f"<sub>seed {value['seed']}, exit code {value['exit_code']}</sub>"]
    return "\n".join(lines) + "\n"


def _audit(audit: Sequence[Mapping[str, Any]]) -> list[str]:
    if not audit:
        return []
    held = sum(row["verdict"] == "held" for row in audit)
    return [f"- audit: {held} of {len(audit)} rules held"] + [
        f"- {MARK[row['verdict']]} rule {row['number']} {escaped(row['rule'])}: {row['count']} of "
        f"{row['examined']}; first: {escaped(row['first'])}"
        for row in audit
        if row["verdict"] != "held"
    ]
