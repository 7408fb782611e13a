"""`drawproof baseline` and `drawproof gate`: runs kept to compare later ones with.

A baseline is one JSON file, small enough to lie in a repository: the digests of its runs. It moves
when somebody says `baseline set`, and at no other time.
"""

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.compare.comparison import Comparison, compare
from harness.compare.power import PAIRS_MIN
from harness.compare_runs import CANDIDATE, How, Side, drilled, write
from harness.errors import HarnessError
from harness.given_runs import mistake, runs_of
from harness.repeats.arms import Arm, plan_print
from harness.repeats.digest import Digest, faults_print, from_json, patience_print
from harness.repeats.repeats import Drive, by_arm, line

SCHEMA = 1
NOT_IN_TURN = "time: the baseline's runs were made before, not in turn with the candidate's"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Baseline:
    """runs: in the order they are paired in. set_at: UTC. moved_from: what it was before, in
    words; empty for the first."""

    name: str
    runs: tuple[Digest, ...]
    set_at: str
    moved_from: str

    @property
    def told(self) -> str:
        """In one sentence."""
        shares = [share for one in self.runs if (share := one.value("drill.guarantee")) is not None]
        mean = f"{sum(shares) / len(shares) * 100:.2f} %" if shares else "no data"
        commits = ", ".join(sorted({str(one.commit)[:12] for one in self.runs}))
        return (
            f"{len(self.runs)} runs of {self.runs[0].scenario}, guarantee {mean} on average, "
            f"commit {commits}, set {self.set_at}"
        )


def set_command(name: str, what: list[Path], store: Path) -> int:
    """`drawproof baseline set`: from now on NAME is these runs. Raises ScenarioError."""
    place = _place(store, name)
    found = [
        one for path in dict.fromkeys(path.resolve() for path in what) for one in runs_of(path)
    ]
    odd = [one for one in found if not one.counts]
    runs = tuple(one for one in found if one.counts)
    for one in odd:
        print(f"left out: {one.run}: {one.verdict or 'no verdict'}: {one.doubt}")
    if not runs:
        raise mistake("RUN", "no run with a verdict that counts", "at least one sound run")
    wrong = [one for one in runs if one.wrong]
    if wrong:
        found_wrong = f"{wrong[0].run}, in which the money is wrong ({', '.join(wrong[0].wrong)})"
        raise mistake("RUN", found_wrong, "runs with a clean audit: nothing may be worth that")
    for what_differs, kinds in (
        ("scenarios", {one.scenario: one.run for one in runs}),
        ("fault schedules", {one.faults: one.run for one in runs}),
        ("load.patience", {one.patience: one.run for one in runs}),
    ):
        if len(kinds) > 1:
            first, other = [*kinds.values()][:2]
            text = f"runs of {len(kinds)} {what_differs}, such as {first} and {other}"
            raise mistake("RUN", text, "runs of one drill")
    before = _read(place).told if place.exists() else ""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    _write(place, Baseline(name, runs, now, before))
    if before:
        print(f"moved from  {before}")
    print(f"baseline {name}: {_read(place).told}, in {place}")
    if len(runs) < PAIRS_MIN:
        print(f"warning: with fewer than {PAIRS_MIN} runs `drawproof gate` can't tell anything")
    return 0


def show_command(name: str | None, store: Path) -> int:
    """`drawproof baseline show`: one, run by run, or all in a line each."""
    if name is None:
        for place in sorted(store.glob("*.json")):
            print(f"{place.stem:24} {_read(place).told}")
        return 0
    found = _known(name, store, "NAME")
    print(f"{found.name}: {found.told}")
    if found.moved_from:
        print(f"moved from  {found.moved_from}")
    for one in found.runs:
        print(f"  seed {one.seed:<12} {line(one)}  {one.run}")
    return 0


def gate_command(
    side: Side, name: str | None, store: Path, pairs: int | None, how: How,
    drive: Drive | None = None,
) -> int:  # fmt: skip
    """`drawproof gate`: the scenario, drilled now with the baseline's seeds, against the baseline.

    Exit codes as for compare. Raises ScenarioError: also when it plans other draws or faults than
    the baseline's runs did, for then there is nothing to pair.
    """
    measures = how.measures
    if side.seed_set:
        raise mistake("--set seed", repr(side.seed_set), "no seed: those of the baseline are used")
    arm = Arm(CANDIDATE, side.what, side.changes, side.profile, side.lender)
    loaded = arm.loaded()
    baseline = _known(name or loaded.scenario.name, store, "--baseline")
    if pairs is not None and pairs > len(baseline.runs):
        raise mistake(
            "--pairs", str(pairs),
            f"at most {len(baseline.runs)}, as the baseline has; for more, "
            f"{_set_again(baseline, pairs)}",
        )  # fmt: skip
    base = baseline.runs[: pairs or len(baseline.runs)]
    set_again = f"set it again, `drawproof baseline set {baseline.name} RUN...`"
    if faults_print(loaded.scenario.faults) != base[0].faults:
        raise mistake(
            "--baseline", f"{baseline.name!r}, whose runs had other faults than the scenario",
            f"the faults of its runs, or {set_again}",
        )  # fmt: skip
    mine = patience_print(loaded.scenario.load.patience)
    if any(one.patience not in ("", mine) for one in base):
        raise mistake(
            "--baseline", f"{baseline.name!r}, whose borrowers had another load.patience",
            f"the patience of its runs, which says what a kept promise is, or {set_again}",
        )  # fmt: skip
    for one in {one.seed: one for one in base}.values():
        if plan_print(arm.planned(one.seed)) != one.plan:
            raise mistake(
                "--baseline",
                f"{baseline.name!r}: with seed {one.seed} its run planned other draws than the "
                f"scenario does now",
                f"the load, borrowers and phases of its runs, or {set_again}",
            )
    done = drilled("gate", (arm,), [one.seed for one in base], loaded.scenario.name, how, drive)
    found = compare(base, list(by_arm(done.rows, CANDIDATE).values()), measures)
    found = replace(
        found, notes=(NOT_IN_TURN, *found.notes),
        reason=found.reason + more_pairs(found, baseline, len(base)),
    )  # fmt: skip
    print(f"baseline    {baseline.told}")
    return write(found, done.place, f"{loaded.scenario.name} against baseline {baseline.name}")


def more_pairs(found: Comparison, baseline: Baseline, asked: int) -> str:
    """How to come by the pairs that would decide, a gate having no more than its baseline has runs;
    empty where no number of pairs is told. asked: how many were, of `Baseline.runs`."""
    first = found.lines[0]
    if found.word != "cannot tell" or first.more is None or not found.reason.endswith(first.why):
        return ""
    pairs = asked + first.more
    if pairs <= len(baseline.runs):
        return f"; for more, --pairs {pairs}"
    return f"; for more, {_set_again(baseline, pairs)}"


def _set_again(baseline: Baseline, runs: int) -> str:
    return f"set it from {runs} runs or more: `drawproof baseline set {baseline.name} RUN...`"


def _known(name: str, store: Path, said_by: str) -> Baseline:
    place = _place(store, name)
    if not place.exists():
        there = ", ".join(sorted(path.stem for path in store.glob("*.json")))
        allowed = f"one of its: {there}" if there else (
            f"none yet: make it by `drawproof baseline set {name} RUN...`"
        )  # fmt: skip
        raise mistake(said_by, f"{name!r}, which {store} has not", allowed)
    return _read(place)


def _place(store: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise mistake("NAME", repr(name), "letters, digits, dots, dashes and underscores")
    return store / f"{name}.json"


def _read(place: Path) -> Baseline:
    try:
        raw: dict[str, Any] = json.loads(place.read_text())
        runs = tuple(from_json(one) for one in raw["runs"])
        return Baseline(raw["name"], runs, raw["set_at"], raw["moved_from"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise HarnessError(f"{place} can't be read: {type(exc).__name__}: {exc}") from exc


def _write(place: Path, baseline: Baseline) -> None:
    value = {
        "schema": SCHEMA,
        "name": baseline.name,
        "set_at": baseline.set_at,
        "moved_from": baseline.moved_from,
        "runs": [one.as_json() for one in baseline.runs],
    }
    partial = place.with_suffix(".partial")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
        partial.replace(place)
    except OSError as exc:
        raise HarnessError(f"{place} can't be written: {exc}") from exc
