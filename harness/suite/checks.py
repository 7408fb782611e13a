"""A drill's checks of itself, and the one verdict of many drills. Pure.

A drill whose arms do not differ, or whose mutation breaks another line than it says, tells nothing
about a lender: such a check makes a set inconclusive, never breached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.scenario.entry import AUDIT, AUDIT_CLEAN, Differ, Variant
from harness.suite.seen import Seen

VerdictWord = Literal["held", "inconclusive", "breached"]
# When several drills ended badly: the first of these that any of them has.
EXITS = (1, 4, 5, 3)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a drill. well: False also when it could not be told."""

    drill: str
    name: str
    well: bool
    message: str


def breaks_by(drill: str, variant: Variant, seen: Seen, *, exactly: bool) -> Check:
    """Did the changed drill break by the lines it names, and, if asked for, by no others? Rules of
    the audit that it does not name must not break in any: no setting of a lender's may cost money.
    """
    named = ", ".join(variant.breaches) or "nothing of the audit"
    name = f"{variant.label}: {'exactly ' if exactly else ''}{named} breaks"
    if not seen.digest.counts:
        word = seen.digest.verdict or "without a verdict"
        return Check(drill, name, False, f"the run is {word}: {seen.digest.reason}")
    broke = ", ".join(seen.breached) or "nothing"
    missing = [line for line in variant.breaches if line not in seen.breached]
    known = {*variant.breaches, *variant.also}
    if any(line.startswith(AUDIT) for line in known):
        known.add(AUDIT_CLEAN)
    others = [line for line in seen.breached if line not in known]
    more = others if exactly else [line for line in others if line.startswith(AUDIT)]
    return Check(drill, name, not missing and not more, f"{broke} broke")


def differ(drill: str, wanted: Differ, on: Seen, off: Seen) -> Check:
    """Are the two arms of one seed as far apart as the drill says, and the way it says, or a
    control's as near?"""
    name = f"arms: {wanted.text}"
    for arm, seen in (("on", on), ("off", off)):
        if not seen.digest.counts:
            word = seen.digest.verdict or "without a verdict"
            return Check(drill, name, False, f"arm {arm} is {word}: {seen.digest.reason}")
    left, right = (one.digest.value(wanted.measure) for one in (on, off))
    if left is None or right is None:
        arm = "on" if left is None else "off"
        return Check(drill, name, False, f"{wanted.measure} was not measured in arm {arm}")
    # Both are as printed: four digits of a share, and a difference of two of them is exact to that.
    apart = round(right - left if wanted.off_is_more else left - right, 6)
    well = apart >= wanted.bound if wanted.kind == "by" else abs(apart) <= wanted.bound
    return Check(drill, name, well, f"{left:g} on, {right:g} off")


@dataclass(frozen=True, slots=True)
class Whole:
    """One verdict of many drills."""

    verdict: VerdictWord
    exit_code: int
    reason: str


def whole(runs: Sequence[Seen], checks: Sequence[Check], not_run: int) -> Whole:
    """The worst of them; not_run: how many runs there were to be beside these.

    A breach wins, as in one drill; then an abort or error (4, 5), then anything in doubt (3): a set
    of which nothing was to be run is so too, and one whose runs are of several versions of the
    code, which tell of none of them.
    """
    failed = sum(not check.well for check in checks)
    nothing = not (runs or checks or not_run)
    commits = sorted({one.digest.commit or "unknown" for one in runs})
    doubtful = failed or not_run or nothing or len(commits) > 1
    codes = [one.digest.exit_code for one in runs] + [3] * bool(doubtful)
    # Any other code than 0 is of a run that did not end as one does.
    code = next((code for code in EXITS if code in codes), 5 if any(codes) else 0)
    verdict: VerdictWord = "held" if code == 0 else "breached" if code == 1 else "inconclusive"
    told = ["nothing was to be run"] if nothing else []
    if runs:
        words = [one.digest.verdict or "without a verdict" for one in runs]
        counts = [f"{words.count(word)} {word}" for word in sorted(set(words))]
        told.append(f"of {len(runs)} drills {', '.join(counts)}")
    if checks:
        told.append(f"{failed} of the drills' {len(checks)} checks of themselves failed")
    if not_run:
        told.append(f"{not_run} not run")
    if len(commits) > 1:
        told.append(f"runs of {len(commits)} commits: {', '.join(one[:12] for one in commits)}")
    return Whole(verdict, code, "; ".join(told))
