"""How often are cause and hop right? Labelled drills, and the confusion matrices.

    python -m benchmarks.attribution [--resume] [--only NAME ...] [--runs DIR] [--seed N]

Each drill of attribution_drills.py has one fault, or two at once. Its label is the fault's own
cause and hop, and is put only on draws that the fault really broke: promised draws that are broken
in the drill, and kept in the *control*, the drill without any fault of the same seed and profile.
The same seed is the same draws at the same moments, so nothing but the fault differs. What had run
out of patience before the fault was first seen was not broken by it. Of two at once, a draw has the
label of the one that breaks it alone: broken in the drill of the one, kept in the drill of the
other; what both break, or neither, has none. What broke on the generator's own machine says nothing
about the lender and is counted apart, as are broken draws without a label.

The macro average is the mean over the labels of the share that is right, each label as much as any.
Targets: cause 98 %, hop 95 %. `--runs` keeps the run directories there and judges those that are
there already anew, without a drill. Results: docs/results/attribution.json, after every drill.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from benchmarks.attribution_drills import CONTROLS, OF_ITS_TIER, PAIRS, SINGLES, arguments
from benchmarks.results import RESULTS, keep, kept
from harness.clock import NS_PER_S
from harness.environment import commit
from harness.evidence.rows import MACHINE
from harness.evidence.store import RunDir
from harness.judge.disagreements import disagreements
from harness.judge.judge import measure
from harness.judge.load_view import load_view

ROOT = Path(__file__).resolve().parent.parent
PLACE = RESULTS / "attribution.json"
TARGETS = {"cause": 0.98, "hop": 0.95}
SEED = 20260501
Row = dict[str, Any]
# Cause and hop as labelled, and as attributed.
Label = tuple[str, str, str, str]


def drills() -> dict[str, tuple[tuple[str, ...], str]]:
    """Name to (singles at once, profile): controls first, then singles, then pairs."""
    found: dict[str, tuple[tuple[str, ...], str]] = {
        f"control {profile}": ((), profile) for profile in CONTROLS
    }
    found |= {name: ((name,), single.profile) for name, single in SINGLES.items()}
    return found | {name: (pair, "none") for name, pair in PAIRS.items()}


def run_one(name: str, seed: int, runs: Path, *, again: bool) -> Row:
    """One drill, or what is there of it; what broke in it, by intent."""
    faults, profile = drills()[name]
    place = runs / f"{seed}-{name.replace(' ', '-').replace(':', '').replace(',', '')}"
    began_s = time.monotonic()
    if not again or not place.exists():
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli", "run", *arguments(faults, profile, seed),
             "--out", str(place)],
            cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if not (place / "latest").exists():
            raise SystemExit(f"{name}: {done.stderr or done.stdout}")
    row = seen(place / "latest")
    return {
        "drill": name, "seed": seed, "commit": commit(),
        "took_s": round(time.monotonic() - began_s, 1), **row,
    }  # fmt: skip


def seen(run: Path) -> Row:
    """broken: cause, hop, the bank of the first try, whether patience was over before a fault bit,
    and the intents of which that is so. What is not broken was kept."""
    view = load_view(RunDir.open(run))
    parts = measure(view)
    banks = {tier.tier: tier.bank for tier in view.tiers}
    first = {one.draw_key: banks[one.tier] for one in view.tries if one.try_ == 1}
    patience_ns = int(view.scenario.load.patience.deadline_s * NS_PER_S)
    bites = [fault.observed_ns or fault.injected_ns for fault in view.faults]
    bite_ns = min((at_ns for at_ns in bites if at_ns is not None), default=0)
    why: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
    for end in parts.ends.broken:
        early = end.intent.due_ns + patience_ns < bite_ns
        bank = first.get(end.intent.draw_key)
        why[end.cause, end.hop, bank, "early" if early else ""].append(end.intent.intent)
    return {
        "ended": view.ended,
        "faults": [[fault.name, len(parts.exposure[fault.name].intents)] for fault in view.faults],
        "audit": [f.name for f in parts.audit if f.verdict == "breached"],
        "bad_seconds": parts.health.bad_seconds,
        "disagreements": len(disagreements(view, parts.ends)),
        "promised": parts.guarantee.total.promised,
        "broken": [
            [*key, " ".join(map(str, numbers))] for key, numbers in sorted(why.items(), key=str)
        ],
    }


def broken_of(row: Row) -> dict[str, list[str | None]]:
    """By intent: cause, hop, bank, and `early` or nothing."""
    return {number: why for *why, numbers in row["broken"] for number in numbers.split()}


def labelled(name: str, known: dict[str, Row]) -> list[Label]:
    """(cause, hop) as labelled, then as attributed, of each draw of this drill that has a label."""
    faults, profile = drills()[name]
    row, control = known[name], known.get(f"control {profile}")
    if control is None or not faults or any(one not in known for one in faults):
        return []
    sound = {one: broken_of(known[one]) for one in faults}
    anyhow = broken_of(control)
    found = []
    for number, (cause, hop, bank, early) in broken_of(row).items():
        mine = [one for one in faults if number in sound[one]]
        if early or number in anyhow or hop == MACHINE or len(mine) != 1:
            continue
        label = SINGLES[mine[0]]
        where = bank if label.hop == OF_ITS_TIER else label.hop
        if where is not None:
            found.append((label.cause, where, str(cause), str(hop)))
    return found


def summary(rows: list[Row]) -> Row:
    """Matrices, label by what it was attributed to, and macro averages."""
    matrices: dict[str, Counter[tuple[str, str]]] = {"cause": Counter(), "hop": Counter()}
    by_drill, unlabelled, ours = {}, 0, 0
    for seed in sorted({row["seed"] for row in rows}):
        known = {row["drill"]: row for row in rows if row["seed"] == seed}
        for name, row in known.items():
            found = labelled(name, known)
            ours += sum(why[1] == MACHINE for why in broken_of(row).values())
            if not drills()[name][0]:
                continue
            unlabelled += len(broken_of(row)) - len(found)
            right = [sum(one[n] == one[n + 2] for one in found) for n in (0, 1)]
            by_drill[f"{name} ({seed})"] = {
                "labelled": len(found), "cause_right": right[0], "hop_right": right[1],
            }  # fmt: skip
            for cause, hop, was_cause, was_hop in found:
                matrices["cause"][cause, was_cause] += 1
                matrices["hop"][hop, was_hop] += 1
    return {
        "drills": by_drill,
        "labelled": matrices["cause"].total(),
        "without_label": unlabelled,
        "on_our_machine": ours,
        "macro": {name: macro(matrix) for name, matrix in matrices.items()},
        "targets": TARGETS,
        "matrices": {
            name: [[*pair, count] for pair, count in sorted(matrix.items())]
            for name, matrix in matrices.items()
        },
    }


def macro(matrix: Counter[tuple[str, str]]) -> float | None:
    """The mean over labels of the share that is right; None without any."""
    shares = []
    for label in sorted({one for one, _ in matrix}):
        all_of_it = sum(count for (one, _), count in matrix.items() if one == label)
        shares.append(matrix[label, label] / all_of_it)
    return round(sum(shares) / len(shares), 4) if shares else None


def shown(found: Row) -> str:
    """For people: drills, matrices, averages."""
    lines = [f"{'drill':56} {'draws':>6} {'cause':>7} {'hop':>7}"]
    for name, one in found["drills"].items():
        number = one["labelled"]
        shares = [f"{100 * one[key] / number:.1f} %" if number else "-"
                  for key in ("cause_right", "hop_right")]  # fmt: skip
        lines.append(f"{name:56} {number:>6} {shares[0]:>7} {shares[1]:>7}")
    for name, rows in found["matrices"].items():
        columns = sorted({was for _, was, _ in rows})
        lines += ["", f"{name}: label (down) by attributed (across)"]
        lines.append(f"{'':16}" + "".join(f"{column:>15}" for column in columns))
        for label in sorted({row[0] for row in rows}):
            counts = {was: count for one, was, count in rows if one == label}
            cells = "".join(f"{counts.get(column, 0):>15}" for column in columns)
            lines.append(f"{label:16}{cells}")
        share = found["macro"][name]
        lines.append(f"macro average {share}, target {TARGETS[name]}")
    lines.append(
        f"{found['labelled']} draws labelled; {found['without_label']} broken ones without a label,"
        f" {found['on_our_machine']} on our own machine"
    )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resume", action="store_true", help="keep the drills that are there")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these drills")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="keep run directories here")
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args()
    resume = chosen.resume or chosen.only is not None
    known = {
        (row["drill"], row["seed"]): row
        for row in kept(PLACE, "runs", resume=resume)
        if row["drill"] in drills()
    }
    scratch = chosen.runs or Path(tempfile.mkdtemp(prefix="attribution-"))
    try:
        for name in drills():
            key = (name, chosen.seed)
            if (chosen.only and name not in chosen.only) or (
                not chosen.only and chosen.resume and key in known
            ):
                continue
            row = run_one(name, chosen.seed, scratch, again=chosen.runs is not None)
            known[key] = row
            rows = [known[one] for one in sorted(known)]
            keep(PLACE, "runs", rows, summary(rows))
            print(
                f"{name}: {len(broken_of(row))} broken, {row['took_s']} s, {row['ended']}; "
                f"{json.dumps(row['faults'])}", flush=True,
            )  # fmt: skip
    finally:
        if chosen.runs is None:
            shutil.rmtree(scratch)
    found = summary([known[one] for one in sorted(known)])
    print(shown(found))
    right = all((found["macro"][name] or 0) >= least for name, least in TARGETS.items())
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
