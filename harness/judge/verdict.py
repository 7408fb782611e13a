"""The verdict: what doubts, money and expectations come to."""

import json
from dataclasses import dataclass
from typing import Any

from harness.judge.doubts import doubts
from harness.judge.expectations import Met, meet, shown
from harness.judge.parts import Parts
from harness.judge.verdict_json import to_json
from harness.judge.view import RunView
from harness.scenario.model import Expectation
from harness.units import format_yuan

RANK = {"held": 0, "inconclusive": 1, "breached": 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """verdict: held | inconclusive | breached. reason: one sentence. value: verdict.json."""

    verdict: str
    exit_code: int
    reason: str
    doubts: tuple[str, ...]
    met: tuple[Met, ...]
    parts: Parts
    value: dict[str, Any]


def conclude(view: RunView, parts: Parts) -> Verdict:
    """Weigh doubts, money and expectations.

    Wrong money breaches whatever else is in doubt. Else a doubt makes it inconclusive: what was
    not measured well can't accuse either. Exit codes: 4 aborted, 5 harness or target error.
    """
    found = tuple(doubts(view, parts))
    met = tuple(_meet(view, expectation, parts) for expectation in view.scenario.expect)
    wrong = [finding for finding in parts.audit if finding.verdict == "breached"]
    if wrong and not _only_unfinished(view, [finding.rule for finding in wrong]):
        names = ", ".join(f"rule {f.rule} ({f.name}: {f.count})" for f in wrong)
        verdict, reason = "breached", f"the money is wrong: {names}; first: {wrong[0].first}"
    elif found:
        verdict, reason = "inconclusive", found[0]
    else:
        verdict = max((one.verdict for one in met), key=RANK.__getitem__, default="held")
        reason = _reason(verdict, met, parts)
    exit_code = {"held": 0, "inconclusive": _unsure_code(view), "breached": 1}[verdict]
    value = to_json(view, parts, met, verdict, exit_code, reason, found)
    return Verdict(verdict, exit_code, reason, found, met, parts, value)


def _meet(view: RunView, expectation: Expectation, parts: Parts) -> Met:
    """What was computed from rows that are not all there holds nothing and breaches nothing; nor
    does what follows from seconds alone in which the generator was not well."""
    gone = sorted({*view.missing, *view.cut})
    if gone:
        why = f"evidence is missing or cut: {', '.join(gone)}"
        return Met(expectation, None, "inconclusive", why)
    met = meet(expectation, parts)
    if parts.without_bad is None or met.verdict == "inconclusive":
        return met
    other = meet(expectation, parts.without_bad)
    if other.verdict == met.verdict or (met.verdict, other.verdict) == ("held", "inconclusive"):
        return met
    why = f"{met.verdict} only with the draws due in seconds in which the generator was not well"
    if met.why:
        why = f"{met.why}: {why}"
    return Met(expectation, met.actual, "inconclusive", why)


def _only_unfinished(view: RunView, rules: list[int]) -> bool:
    """A run that did not end leaves holds and unknowns; that accuses nobody."""
    return view.ended != "complete" and set(rules) <= {8, 12}


def _unsure_code(view: RunView) -> int:
    if view.ended.startswith("aborted"):
        return 4
    return 5 if view.ended.startswith("error") else 3


def _reason(verdict: str, met: tuple[Met, ...], parts: Parts) -> str:
    total = parts.guarantee.total
    if verdict == "held":
        share = shown("guarantee", total.count)
        return (
            f"{total.kept:,} of {total.promised:,} promised draws were kept ({share}), "
            f"and the audit found nothing wrong"
        )
    first = next(one for one in met if one.verdict == verdict)
    where = "" if first.expectation.phase == "drill" else f"{first.expectation.phase}: "
    text = f"{where}{first.expectation.text} — was {shown(first.expectation.measure, first.actual)}"
    if first.why:
        text += f" ({first.why})"
    if verdict == "inconclusive" or not parts.guarantee.broken_by:
        return text
    worst = parts.guarantee.broken_by[0]
    return (
        f"{text}; {total.broken:,} promised draws broken ({format_yuan(total.broken_fen)}), "
        f"most by {worst.cause} at {worst.hop}: {worst.draws:,} draws, "
        f"{format_yuan(worst.amount_fen)}"
    )


def verdict_bytes(verdict: Verdict) -> bytes:
    """verdict.json."""
    return (json.dumps(verdict.value, indent=1, ensure_ascii=False) + "\n").encode()
