"""How a comparison is shown and kept: text, compare.json, compare.html, junit.xml, summary.md."""

import json
from typing import Any

from harness.compare.comparison import Comparison, Line
from harness.report.junit import Case, suite
from harness.report.markdown import escaped, table
from harness.report.tables import Page, Strip, Table, notes_text, page_html, table_text

SCHEMA = 1
HEAD = ("measure", "", "base", "candidate", "difference", "interval", "margin", "p", "pairs", "")
MARKS = {"better": "good", "same": "good", "worse": "bad", "cannot tell": "unsure"}
SIGNS = {"better": "✅", "same": "✅", "worse": "❌", "cannot tell": "❔"}
VERDICTS = {"better": "held", "same": "held", "worse": "breached", "cannot tell": "inconclusive"}
# A gate that runs another scenario by mistake differs in all of them.
SETTINGS_MOST, SETTING_MOST = 6, 300
P = (
    "of the sign-flip test for a difference, or where the word is same, of two one-sided ones "
    "against the margin"
)
METHOD = (
    "The first measure is the primary one, tested at 5 %; the p-values of the rest are adjusted "
    f"together (Holm). p: {P}. Intervals are not adjusted. How many more pairs would "
    "decide is by the normal approximation, at a power of 80 %, if the truth is what was seen."
)


def comparison_text(found: Comparison) -> str:
    """For the terminal: the answer first."""
    lines = [f"{found.word.upper()} (exit {found.exit_code}): {found.reason}", ""]
    lines += table_text(_table(found))
    lines += notes_text("left out", found.dropped)
    lines += notes_text("money", found.wrong)
    lines += notes_text("differs", _not_the_same(found))
    lines += notes_text("p", (P,)) if any(line.pairs for line in found.lines) else []
    return "\n".join(lines)


def comparison_html(found: Comparison, title: str) -> str:
    """compare.html."""
    notes = [f"left out: {text}" for text in found.dropped]
    notes += [f"the money is wrong: {text}" for text in found.wrong]
    notes += [f"not the same on both sides: {text}" for text in _not_the_same(found)]
    return page_html(
        Page(
            title, found.word, MARKS[found.word], found.reason, (_table(found, pictures=True),),
            (METHOD, *notes),
        )
    )  # fmt: skip


def comparison_junit(found: Comparison, title: str) -> str:
    """A test case for the whole and one a measure: worse fails, what can't be told is an error."""
    apart = _not_the_same(found)
    whole = "\n".join((found.reason, *(f"not the same on both sides: {text}" for text in apart)))
    cases = [Case("compare", "the whole", VERDICTS[found.word], whole)]
    cases += [
        Case(
            "compare", line.measure.key, VERDICTS[line.word] if _asked(line) else "skipped",
            f"{_difference(line)} {line.why}".strip(),
        )
        for line in found.lines
    ]  # fmt: skip
    return suite(
        title, cases,
        {"exit_code": found.exit_code, "pairs": len(found.used), "not_the_same": "; ".join(apart)},
    )  # fmt: skip


def _asked(line: Line) -> bool:
    """Was there anything to measure? A drill without faults has no latency in them."""
    return line.pairs > 0 or line.lost


def _not_the_same(found: Comparison) -> list[str]:
    """What sets the sides apart, of settings the first few."""
    left = len(found.settings) - SETTINGS_MOST
    more = [f"and {left} more settings: see compare.json"] if left > 0 else []
    shown = [_short(text) for text in found.settings[:SETTINGS_MOST]]
    return [*found.notes, *shown, *more]


def _short(text: str) -> str:
    return text if len(text) <= SETTING_MOST else f"{text[: SETTING_MOST - 3]}..."


def comparison_md(found: Comparison, title: str) -> str:
    """For a pull request."""
    rows = [
        (SIGNS[line.word], line.measure.key, _mean(line, line.base), _mean(line, line.candidate),
         _difference(line) or line.why, line.word)
        for line in found.lines
    ]  # fmt: skip
    lines = [f"### {SIGNS[found.word]} {found.word}: {escaped(title)}", ""]
    lines += [escaped(found.reason), ""]
    lines += table(("", "measure", "base", "candidate", "difference", ""), rows)
    lines += ["", *(f"- left out: {escaped(text)}" for text in found.dropped)]
    lines += [f"- not the same on both sides: {escaped(text)}" for text in _not_the_same(found)]
    return "\n".join(lines) + "\n"


def comparison_json(found: Comparison) -> str:
    """compare.json: fixed order, no time stamps. Differences and intervals are in the measure's own
    terms: shares 0 to 1, seconds, and for latencies the logarithm of candidate over base."""
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "word": found.word,
        "exit_code": found.exit_code,
        "reason": found.reason,
        "pairs": found.pairs,
        "pairs_used": len(found.used),
        "more_pairs": found.more,
        "measures": [_line_json(line) for line in found.lines],
        "left_out": list(found.dropped),
        "money_wrong": list(found.wrong),
        "not_the_same": [*found.notes, *found.settings],
        "runs": [
            {"seed": pair.base.seed, "base": pair.base.run, "candidate": pair.candidate.run}
            for pair in found.used
        ],
    }
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _line_json(line: Line) -> dict[str, Any]:
    interval = None
    if line.interval is not None:
        interval = [_round(line.interval.low), _round(line.interval.high)]
    return {
        "measure": line.measure.key,
        "word": line.word,
        "why": line.why,
        "pairs": line.pairs,
        "base": _round(line.base),
        "candidate": _round(line.candidate),
        "difference": _round(line.estimate),
        "interval": interval,
        "coverage": None if line.interval is None else _round(line.interval.coverage),
        "margin": _round(line.measure.margin),
        "p_differs": _round(line.differs),
        "p_same": _round(line.same),
        "more_pairs": line.more,
        "lower_bounds": line.at_least,
        "differences": [_round(one) for one in line.differences],
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _table(found: Comparison, *, pictures: bool = False) -> Table:
    used = len(found.used)
    title = f"{used} of {found.pairs} pairs" if used < found.pairs else f"{used} pairs"
    head = (*HEAD[:6], "drawn", *HEAD[6:]) if pictures else HEAD
    return Table(
        title, head, tuple(_row(line, pictures=pictures) for line in found.lines),
        tuple(MARKS[line.word] if line.pairs else "soft" for line in found.lines),
    )  # fmt: skip


def _row(line: Line, *, pictures: bool) -> tuple[str | Strip | None, ...]:
    interval, strip = "", None
    if line.interval is not None and line.estimate is not None:
        between = line.measure.between(line.interval.low, line.interval.high)
        interval = f"{line.interval.told} {between}"
        strip = Strip(
            line.estimate, line.interval.low, line.interval.high, line.measure.margin,
            line.differences,
        )  # fmt: skip
    p = line.same if line.word == "same" else line.differs
    return (
        line.measure.key,
        line.word,
        _mean(line, line.base),
        _mean(line, line.candidate),
        _difference(line),
        interval,
        *((strip,) if pictures else ()),
        line.measure.margin_shown,
        "" if p is None else f"{p:.4f}",
        str(line.pairs),
        line.why,
    )


def _difference(line: Line) -> str:
    return "" if line.estimate is None else line.measure.shown(line.estimate)


def _mean(line: Line, value: float | None) -> str:
    return "" if value is None else line.measure.value_shown(value)
