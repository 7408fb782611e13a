"""The grammar of expectations and abort rules. Pure.

expectation := measure op number unit? | measure op number "x baseline"
             | "recovered within" duration | "audit clean"
abort       := "estimate" op share "for" duration
op          := < | <= | = | >= | >
"""

import re
from typing import Literal, cast

from harness.errors import guess
from harness.scenario.measures import DRILL_ONLY, MEASURES
from harness.scenario.model import AbortRule, Expectation
from harness.units import parse_duration_s, parse_share

Op = Literal["<", "<=", "=", ">=", ">"]
_SENTENCE = re.compile(r"\s*([a-z][a-z0-9_.]*)\s*(<=|>=|<|>|=)\s*(\d+(?:\.\d+)?)\s*(.*?)\s*")
_RECOVERED = re.compile(r"\s*recovered\s+within\s+(.+?)\s*")
# The load says how it stands twice a second.
ABORT_FOR_S_MIN = 1.0
_ABORT = re.compile(r"\s*estimate\s*(<=|>=|<|>|=)\s*(.+?)\s+for\s+(.+?)\s*")


def parse_expectation(text: str, phase: str) -> Expectation:
    """One expectation of a phase (`baseline`, `fault`, `watch`) or of the `drill`.

    Raises ValueError whose text says what is allowed.
    """
    if text.strip() == "audit clean":
        return Expectation(_drill_only(phase, text), "audit_breaches", "=", 0.0, False, text)
    if match := _RECOVERED.fullmatch(text):
        within_s = parse_duration_s(match[1])
        return Expectation(_drill_only(phase, text), "recover_s", "<=", within_s, False, text)
    found = _SENTENCE.fullmatch(text)
    if found is None:
        raise ValueError(
            "`measure op number unit`, `measure op number x baseline`, `recovered within 6 s`"
            " or `audit clean`"
        )
    measure, op, number, unit = found.groups()
    if measure not in MEASURES:
        raise ValueError(f"{guess(measure, MEASURES)}measures: {', '.join(sorted(MEASURES))}")
    if measure in DRILL_ONLY:
        _drill_only(phase, text)
    relative = re.fullmatch(r"x\s+baseline", unit) is not None
    if relative and phase in ("baseline", "drill"):
        raise ValueError("`x baseline` in the phases fault and watch")
    bound = float(number) if relative else _bound(float(number), unit, MEASURES[measure])
    return Expectation(phase, measure, cast(Op, op), bound, relative, text)


def _drill_only(phase: str, text: str) -> str:
    if phase != "drill":
        raise ValueError(f"`{text.strip()}` under expect.drill: it is known for the whole drill")
    return phase


def _bound(number: float, unit: str, kind: str) -> float:
    if kind == "share":
        if unit == "%":
            return parse_share(f"{number} %")
        if not unit:
            return parse_share(number)
        raise ValueError("a share from 0 to 1, or from 0 % to 100 %")
    if kind in ("ms", "s"):
        seconds = parse_duration_s(f"{number}{unit}")
        return seconds * 1000 if kind == "ms" else seconds
    if kind == "/s" and unit in ("", kind):
        return number
    if unit:
        raise ValueError("a number a second: 60/s" if kind == "/s" else f"a bare number of {kind}")
    return number


def parse_abort(text: str) -> AbortRule:
    """One abort rule. Raises ValueError whose text says what is allowed."""
    found = _ABORT.fullmatch(text)
    if found is None:
        raise ValueError("`estimate op share for duration`, such as `estimate < 20 % for 10 s`")
    share = found[2] if "%" in found[2] else float(found[2])
    for_s = parse_duration_s(found[3])
    if for_s < ABORT_FOR_S_MIN:
        raise ValueError(f"`for` {ABORT_FOR_S_MIN:g}s or longer: it is the estimate's window")
    return AbortRule(cast(Op, found[1]), parse_share(share), for_s, text)
