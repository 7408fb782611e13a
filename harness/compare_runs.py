"""`drawproof compare`: two sides, of runs that are there or of drills that are made for it.

1. Each side is a run directory, a folder of them, or a scenario with settings and a lender.
2. Scenarios are drilled with the same seeds, A B B A, each in a process of its own; resumable.
3. Runs are paired by seed and plan; the statistics are harness.compare's.
4. compare.json, compare.html, junit.xml and summary.md go into the folder.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.commands import warn
from harness.compare.comparison import Comparison, compare
from harness.compare.measures import Measure, chosen
from harness.compare.pairs import no_pair
from harness.errors import HarnessError
from harness.given_runs import ALLOWED, mistake, two_sides
from harness.repeats.arms import Arm, seeds_from
from harness.repeats.book import Done, check_resume, is_repeats
from harness.repeats.child import Child, runner_of
from harness.repeats.repeats import (
    Drive,
    Repeats,
    by_arm,
    folder_for,
    make_folder,
    run_repeats,
)
from harness.report.comparison import (
    comparison_html,
    comparison_json,
    comparison_junit,
    comparison_md,
    comparison_text,
)
from harness.stopping import Interrupted, StopFlag

BASE, CANDIDATE = "base", "candidate"


@dataclass(frozen=True, slots=True)
class Side:
    """One side as the command line has it. what: runs (`FOLDER:ARM` for one arm of repeats) or a
    scenario; changes, profile, lender: for a scenario alone."""

    what: Path
    changes: tuple[str, ...] = ()
    profile: str | None = None
    lender: Path | None = None

    @property
    def seed_set(self) -> str:
        """The last change that sets the seed, as it was given; empty for none."""
        return next((one for one in reversed(self.changes) if one.startswith("seed=")), "")


@dataclass(frozen=True, slots=True)
class How:
    """How to compare: the primary measure and margins as asked for, and where the files go."""

    primary: str | None
    margins: tuple[str, ...]
    out: Path
    resume: Path | None = None
    allow_exec: bool = False

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Raises ScenarioError."""
        return chosen(self.primary, self.margins)


def compare_command(
    base: Side, candidate: Side, pairs: int, how: How, drive: Drive | None = None
) -> int:
    """Returns the exit code: 0 better or same, 1 worse, 3 cannot tell. Raises ScenarioError.

    drive: runs a drill; None: in a process of its own.
    """
    measures = how.measures
    made = [_is_scenario(base, "BASE"), _is_scenario(candidate, "CANDIDATE")]
    if made[0] != made[1]:
        raise mistake(
            "CANDIDATE", "runs against a scenario",
            "runs with runs, or a scenario with a scenario; `drawproof gate` drills a scenario "
            "against a stored baseline",
        )  # fmt: skip
    if not made[0]:
        if how.resume is not None:
            raise mistake("--resume", "runs that are there already", "with a scenario to be run")
        left, right = two_sides(base.what, candidate.what)
        unpaired = no_pair(left, right)
        if unpaired is not None:
            raise mistake("CANDIDATE", *unpaired)
        place = make_folder(folder_for(how.out, "compare", right[0].scenario))
        return write(compare(left, right, measures), place, f"{base.what} and {candidate.what}")
    _check_seeds(base, candidate)
    arms = (_arm(BASE, base), _arm(CANDIDATE, candidate))
    scenario = arms[0].loaded().scenario
    done = drilled(
        "compare", arms, seeds_from(scenario.seed, pairs), scenario.name, how, drive
    )  # fmt: skip
    left, right = (list(by_arm(done.rows, arm.label).values()) for arm in arms)
    return write(compare(left, right, measures), done.place, f"{scenario.name}: base and candidate")


@dataclass(frozen=True, slots=True)
class Drilled:
    """The drills of one call, and their folder."""

    place: Path
    rows: list[Done]


def drilled(
    kind: str,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    name: str,
    how: How,
    drive: Drive | None,
    place: Path | None = None,
) -> Drilled:
    """Run what is not there yet, telling a line a drill. place: None: `place_of` it. Raises what
    `run_repeats` and `place_of` do."""
    for arm in arms:
        runner_of(arm.lender)
    warn(arms[0].loaded(), arms[0].planned(seeds[0]))
    place = place or place_of(how, kind, name)
    stop = StopFlag()
    if drive is None:
        stop.install()
        drive = Child(stop, allow_exec=how.allow_exec)
    asked = Repeats(kind, tuple(arms), tuple(seeds), place)
    try:
        return Drilled(place, run_repeats(asked, drive, _say))
    except Interrupted as by:
        print(f"{by}: the drill under way has ended in order; --resume {place}", file=sys.stderr)
        raise KeyboardInterrupt from by


def place_of(how: How, kind: str, name: str) -> Path:
    """The folder of a call: a new one, or the one to go on in. Raises ScenarioError for one that is
    of no earlier call."""
    check_resume(how.resume)
    return how.resume or folder_for(how.out, kind, name)


def write(found: Comparison, place: Path, title: str) -> int:
    """Show it, keep it beside the drills; the exit code. Raises HarnessError."""
    files: dict[str, Callable[[], str]] = {
        "compare.json": lambda: comparison_json(found),
        "compare.html": lambda: comparison_html(found, title),
        "junit.xml": lambda: comparison_junit(found, title),
        "summary.md": lambda: comparison_md(found, title),
    }
    try:
        for name, text in files.items():
            (place / name).write_text(text())
    except OSError as exc:
        raise HarnessError(f"the report could not be written to {place}: {exc}") from exc
    print(comparison_text(found))
    print(f"kept in     {place}")
    return found.exit_code


def _check_seeds(base: Side, candidate: Side) -> None:
    """A seed of one side alone would be without effect: both are drilled with the same ones."""
    if base.seed_set != candidate.seed_set:
        side = "candidate" if candidate.seed_set else "base"
        given = candidate.seed_set or base.seed_set
        raise mistake(
            f"--{side}-set seed", f"{given!r}, for one side alone",
            f"the same seeds on both sides: `--set {given}`",
        )  # fmt: skip


def _is_scenario(side: Side, role: str) -> bool:
    """A file is a scenario; anything else must be runs."""
    if side.what.is_file():
        return True
    folder = str(side.what).rpartition(":")[0]
    if not side.what.exists() and not (folder and is_repeats(Path(folder))):
        found = f"{str(side.what)!r}, which does not exist"
        raise mistake(role, found, f"a scenario file, {ALLOWED}")
    if side.changes or side.profile or side.lender:
        raise mistake(role, repr(str(side.what)), "a scenario file, where settings are given")
    return False


def _arm(label: str, side: Side) -> Arm:
    return Arm(label, side.what, side.changes, side.profile, side.lender)


def _say(text: str) -> None:
    print(text)
    sys.stdout.flush()
