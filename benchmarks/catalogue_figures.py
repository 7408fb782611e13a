"""What many runs of a drill's two arms say of the drill. Pure.

A drill is sound when its first arm always holds, its second always breaks by the lines it names,
the two are apart in every pair, and there are five of each at least; when each expectation lies at
least three standard deviations of the runs from what is measured, and each mutation breaks exactly
the line it should.
"""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from harness.scenario.entry import Entry, Variant
from harness.scenario.model import Expectation
from harness.suite.checks import breaks_by, differ
from harness.suite.seen import Seen

DEVIATIONS = 3.0
RUNS_MIN = 5
# Passes of a set: as many, none longer, and one verdict in so many may differ from the others.
PASSES, PASS_S_MAX, CHANGED_IN = 3, 40 * 60.0, 72
VERDICTS = ("held", "breached", "inconclusive")


def drill_summary(
    name: str,
    entry: Entry,
    expect: Sequence[Expectation],
    arms: Mapping[str, Sequence[Seen]],
    mutations: Mapping[str, Sequence[Seen]],
) -> dict[str, Any]:
    """arms: the runs of `on` and `off`; those of one seed are pairs. mutations: by their label."""
    on, off = list(arms["on"]), list(arms["off"])
    second = {one.digest.seed: one for one in off}
    broke = [breaks_by(name, entry.off, one, exactly=entry.off in entry.exact) for one in off]
    pairs = [
        differ(name, entry.differ, one, second[one.digest.seed])
        for one in on
        if one.digest.seed in second
    ]
    return {
        "on": arm_summary(on),
        "off": arm_summary(off) | {
            "named": list(entry.off.breaches), "broke_by_them": sum(one.well for one in broke),
        },
        "differ": {
            "wanted": entry.differ.text, "pairs": len(pairs),
            "well": sum(one.well for one in pairs),
            "ill": [one.message for one in pairs if not one.well],
        },
        "expectations": [room(one, on) for one in expect if one.measure != "audit_breaches"],
        "mutations": [
            _mutation(name, one, mutations.get(one.label, ())) for one in entry.mutations
        ],
    }  # fmt: skip


def arm_summary(runs: Sequence[Seen]) -> dict[str, Any]:
    """Verdicts counted, the lines that broke, and [median, lowest, highest] of every figure of the
    runs that can be believed."""
    words = Counter(one.digest.verdict or "inconclusive" for one in runs)
    lines = Counter(line for one in runs for line in one.breached)
    sound = [one.digest for one in runs if one.digest.counts]
    values: dict[str, list[float]] = {}
    for key in dict.fromkeys(key for one in sound for key in one.values):
        known = [value for one in sound if (value := one.value(key)) is not None]
        if known:
            values[key] = [statistics.median(known), min(known), max(known)]
    return {
        "runs": len(runs), **{word: words[word] for word in VERDICTS}, "broke": dict(lines),
        "doubts": sorted({one.digest.reason for one in runs if not one.digest.counts}),
        "values": values,
    }  # fmt: skip


def room(one: Expectation, runs: Sequence[Seen]) -> dict[str, Any]:
    """How far an expectation's bound is from what was measured, in standard deviations of the runs.

    Over the runs that can be believed. `exact`: all of them measured the same, on the right side,
    so that there is no deviation to count in (`wrongly_approved = 0`).
    """
    line = f"{one.phase}: {one.text}"
    rooms = [_room(one, line, seen) for seen in runs if seen.digest.counts]
    known = [value for value in rooms if value is not None]
    found: dict[str, Any] = {"line": line, "runs": len(known)}
    if len(known) < len(rooms) or len(known) < 2:
        return found | {"room": None, "deviations": None, "exact": False, "well": False}
    middle, spread = statistics.median(known), statistics.stdev(known)
    if spread == 0:
        return found | {"room": middle, "deviations": None, "exact": True, "well": middle >= 0}
    away = middle / spread
    # Rounded down: what is not far enough must not be told as if it were.
    return found | {
        "room": round(middle, 6), "deviations": math.floor(away * 100) / 100, "exact": False,
        "well": away >= DEVIATIONS,
    }  # fmt: skip


def _room(one: Expectation, line: str, seen: Seen) -> float | None:
    """Above zero: held, with so much to spare, in the measure's unit; None: not measured."""
    actual, bound = seen.actual.get(line), one.bound
    if one.relative:
        usual = seen.digest.value(f"baseline.{one.measure}")
        bound = math.nan if usual is None else bound * usual
    if actual is None or math.isnan(bound):
        return None
    if one.op == "=":
        return -abs(actual - bound)
    return bound - actual if one.op in ("<", "<=") else actual - bound


def _mutation(name: str, variant: Variant, runs: Sequence[Seen]) -> dict[str, Any]:
    checks = [breaks_by(name, variant, one, exactly=True) for one in runs]
    return {
        "change": variant.label, "breaches": list(variant.breaches), "runs": len(runs),
        "well": sum(one.well for one in checks),
        "ill": [one.message for one in checks if not one.well],
    }  # fmt: skip


def faults_of(found: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a drill, in words; nothing: it is sound."""
    on, off, apart = found["on"], found["off"], found["differ"]
    told = []
    if on["held"] < on["runs"] or not on["runs"]:
        told.append(f"on: held {on['held']} of {on['runs']}{_by(on)}")
    named = ", ".join(off["named"]) or "nothing of the audit"
    if off["broke_by_them"] < off["runs"] or not off["runs"]:
        told.append(f"off: broken by {named} {off['broke_by_them']} of {off['runs']}{_by(off)}")
    if apart["well"] < apart["pairs"] or not apart["pairs"]:
        told.append(f"arms: {apart['wanted']} in {apart['well']} of {apart['pairs']} pairs")
    fewest = min(on["runs"], off["runs"], apart["pairs"])
    if fewest < RUNS_MIN:
        told.append(f"{on['runs']} + {off['runs']} runs, {apart['pairs']} pairs of {RUNS_MIN}")
    left_out = found.get("rounds_made_up_for", 0)
    if left_out > fewest:
        told.append(f"{left_out} rounds left out, more than there are to go by")
    for one in found["expectations"]:
        if not one["well"]:
            away = one["deviations"]
            how = "not measured in every run" if away is None else f"{away:g} deviations away"
            told.append(f"{one['line']}: {how}")
    for one in found["mutations"]:
        if one["well"] < one["runs"] or not one["runs"]:
            ill = f": {'; '.join(one['ill'])}" if one["ill"] else ""
            told.append(f"{one['change']}: as it should {one['well']} of {one['runs']}{ill}")
    return told


def mixed(commits: Sequence[str]) -> str:
    """Said beside what runs say together when they were made by more than one version of the code;
    else nothing."""
    if len(commits) < 2:
        return ""
    # A hash has 40 letters; of a checkout that was not clean it has `+changes` behind it.
    return f" (runs of {len(commits)} commits: {', '.join(one[:12] + one[40:] for one in commits)})"


def _by(arm: Mapping[str, Any]) -> str:
    lines = ", ".join(f"{line} ({count})" for line, count in arm["broke"].items())
    told = "; ".join((*((f"broke: {lines}",) if lines else ()), *arm["doubts"]))
    return f" ({told})" if told else ""


def passes_summary(passes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of several passes of a set: which drills did not end alike. Each pass: order, took_s, and
    verdicts by drill.

    changed: verdicts that differ from what most passes say, over all drills. opposite: drills that
    held in one pass and were breached in another. never_held: drills that held in none.
    """
    names = list(dict.fromkeys(name for one in passes for name in one["verdicts"]))
    held = {name for one in passes for name, word in one["verdicts"].items() if word == "held"}
    differing: dict[str, list[str]] = {}
    changed = 0
    for name in names:
        words = [str(one["verdicts"][name]) for one in passes if name in one["verdicts"]]
        ((_, most),) = Counter(words).most_common(1)
        changed += len(words) - most
        if most < len(words):
            differing[name] = words
    return {
        "passes": len(passes),
        "took_s": [one["took_s"] for one in passes],
        "orders": [one["order"] for one in passes],
        "verdicts": sum(len(one["verdicts"]) for one in passes),
        "changed": changed,
        "differing": differing,
        "opposite": sorted(
            name for name, words in differing.items() if {"held", "breached"} <= set(words)
        ),
        "never_held": [name for name in names if name not in held],
    }


def passes_faults(found: Mapping[str, Any]) -> list[str]:
    """Everything that passes must be and are not, in words."""
    told = []
    if found["passes"] < PASSES:
        told.append(f"{found['passes']} of {PASSES} are whole")
    told += [f"one took {took_s / 60:.0f} min" for took_s in found["took_s"] if took_s > PASS_S_MAX]
    if found["changed"] * CHANGED_IN > max(found["verdicts"], CHANGED_IN):
        told.append(f"{found['changed']} of {found['verdicts']} verdicts differ from the others")
    told += [f"{name} held in one and was breached in another" for name in found["opposite"]]
    return told + [f"{name} held in none" for name in found["never_held"]]
