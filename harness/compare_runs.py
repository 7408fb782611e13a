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
from harness.errors import HarnessError, Problem, ScenarioError
from harness.evidence.seal import PLACE as SEAL
from harness.evidence.store import RunDir
from harness.judge.judge import judge
from harness.judge.load_view import load_view
from harness.judge.verdict import verdict_bytes
from harness.repeats.arms import Arm, seeds_from
from harness.repeats.book import Done, is_repeats, read_done
from harness.repeats.child import Child, runner_of
from harness.repeats.digest import Digest, digest
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
from harness.report.load_alone import is_load_alone
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
    made = [_is_scenario(side) for side in (base, candidate)]
    if made[0] != made[1]:
        raise mistake(
            "CANDIDATE", "runs against a scenario",
            "runs with runs, or a scenario with a scenario; `drawproof gate` drills a scenario "
            "against a stored baseline",
        )  # fmt: skip
    if not made[0]:
        left, right = runs_of(base.what), runs_of(candidate.what)
        place = make_folder(how.resume or folder_for(how.out, "compare", right[0].scenario))
        return write(compare(left, right, measures), place, f"{base.what} and {candidate.what}")
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
) -> Drilled:
    """Run what is not there yet, telling a line a drill. Raises what `run_repeats` does."""
    for arm in arms:
        runner_of(arm.lender)
    warn(arms[0].loaded(), arms[0].planned(seeds[0]))
    place = how.resume or folder_for(how.out, kind, name)
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


def runs_of(what: Path) -> list[Digest]:
    """The runs of a run directory, a folder of run directories, or one arm of repeats.

    Raises ScenarioError for what is none, HarnessError for what can't be read.
    """
    folder, _, label = str(what).rpartition(":")
    if folder and not what.exists() and is_repeats(Path(folder)):
        return _of_arm(Path(folder), label)
    if is_repeats(what):
        return _of_arm(what, None)
    if (what / "run.json").is_file():
        return [_as_judged(what, what.name)]
    found = [
        _as_judged(path, path.name)
        for path in sorted(what.iterdir() if what.is_dir() else ())
        if not path.is_symlink() and (path / "run.json").is_file()
    ]
    if not found:
        raise mistake("RUN", repr(str(what)), "a run directory, or a folder of run directories")
    return found


def _as_judged(path: Path, name: str) -> Digest:
    """The figures of a run, by its verdict.json: which must be what this drawproof makes of the
    evidence, for a comparison is of lenders and not of judges. Runs from before evidence was sealed
    are taken at their word. Raises ScenarioError."""
    run, verdict = RunDir(path), path / "verdict.json"
    sealed = (path / SEAL).is_file() and verdict.is_file() and not is_load_alone(run)
    if sealed and verdict_bytes(judge(load_view(run))) != verdict.read_bytes():
        found = f"{str(path)!r}, whose verdict.json is not what its evidence comes to"
        raise mistake("RUN", found, f"runs judged by this drawproof: `drawproof recheck {path}`")
    return digest(path, name)


def _of_arm(place: Path, label: str | None) -> list[Digest]:
    done = read_done(place)
    labels = sorted({one.arm for one in done})
    if label is None and len(labels) == 1:
        label = labels[0]
    if label not in labels:
        named = ", ".join(f"{place}:{one}" for one in labels)
        raise mistake("RUN", f"{str(place)!r} of arm {label or 'unsaid'}", f"one of {named}")
    kept = [found for _, found in sorted(by_arm(done, label).items())]
    # The runs themselves where they still lie there: what the book has was some judge's.
    return [
        _as_judged(place / one.run, one.run) if (place / one.run / "run.json").is_file() else one
        for one in kept
    ]


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


def mistake(path: str, found: str, allowed: str) -> ScenarioError:
    """One mistake of the command line."""
    return ScenarioError((Problem("the command line", 0, path, found, allowed),))


def _is_scenario(side: Side) -> bool:
    """A file is a scenario; anything else must be runs."""
    if side.what.is_file():
        return True
    if side.changes or side.profile or side.lender:
        raise mistake("RUN", repr(str(side.what)), "a scenario file, where settings are given")
    return False


def _arm(label: str, side: Side) -> Arm:
    return Arm(label, side.what, side.changes, side.profile, side.lender)


def _say(text: str) -> None:
    print(text)
    sys.stdout.flush()
