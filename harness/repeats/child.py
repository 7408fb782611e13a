"""One drill in a process of its own, as a user would start it: Locust never comes near us.

cell ─► python -m harness.cli run SCENARIO --set seed=N ... --out PLACE ─► run directory, log
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, Problem, SafetyError, ScenarioError
from harness.heal import unhealed
from harness.repeats.alone import only_drill
from harness.repeats.arms import Arm, Cell
from harness.stopping import Interrupted, StopFlag

LOOK_S = 0.2
LAST_WORDS = 600


@dataclass(frozen=True, slots=True)
class Ended:
    """exit_code: of `drawproof run`. run: the run directory."""

    exit_code: int
    run: Path


@dataclass(frozen=True, slots=True)
class Runner:
    """How to start a drawproof: its interpreter, from which folder, with which environment."""

    python: str
    cwd: Path | None
    more: Mapping[str, str]

    def command(self, *words: str) -> list[str]:
        """The argument list of one of its commands."""
        return [self.python, "-m", "harness.cli", *words]


def runner_of(lender: Path | None) -> Runner:
    """This drawproof, or the one that an interpreter or a checkout has. Raises ScenarioError.

    A checkout's own .venv is taken when it has one, else our interpreter with the checkout before
    everything else: that needs the same dependencies.
    """
    if lender is None:
        return Runner(sys.executable, None, {})
    lender = lender.absolute()  # not resolved: a venv's python is a link to another place
    if lender.is_file() and os.access(lender, os.X_OK):
        return Runner(str(lender), lender.parent, {})
    if (lender / "harness" / "cli.py").is_file():
        own = lender / ".venv" / "bin" / "python"
        return Runner(
            str(own) if own.exists() else sys.executable, lender, {"PYTHONPATH": str(lender)}
        )
    found, allowed = f"{str(lender)!r}", "an interpreter with drawproof, or a checkout of drawproof"
    raise ScenarioError((Problem("the command line", 0, "lender", found, allowed),))


class Child:
    """Runs the drills of repeats; told to stop, it lets the drill under way end in order."""

    def __init__(self, stop: StopFlag, *, allow_exec: bool = False) -> None:
        self._stop = stop
        self._allow_exec = allow_exec

    def __call__(self, cell: Cell, place: Path) -> Ended:
        """One drill, its run directory made in `place`.

        Raises ScenarioError when the drill was refused, HarnessError when it left no run directory
        or another is under way beside `place`, SafetyError when a fault was left behind,
        Interrupted when somebody asked us to stop.
        """
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with only_drill(place.parent, place.name) as held:
            return self._drilled(cell, place, held)

    def _drilled(self, cell: Cell, place: Path, held: int) -> Ended:
        runner = runner_of(cell.arm.lender)
        latest = place / "latest"
        before = os.readlink(latest) if latest.is_symlink() else None
        words = [*_words(cell.arm, cell.seed), "--out", str(place.absolute())]
        if self._allow_exec:
            words.append("--allow-exec")
        log = place / "said.txt"
        code = self._run(runner, ["run", *words], log, held)
        run = latest.resolve() if latest.is_symlink() and os.readlink(latest) != before else None
        if self._stop.by is not None:
            raise Interrupted(self._stop.by)
        if run is None:
            last = log.read_text(errors="replace")[-LAST_WORDS:].strip()
            if code == ScenarioError.exit_code:
                raise ScenarioError((Problem("the drill", 0, cell.arm.label, last, "a drill"),))
            raise HarnessError(f"a drill left no run directory (exit {code}): {last}")
        if unhealed(run):
            raise SafetyError(f"faults are left by {run}; see `drawproof heal {run}`")
        if cell.arm.lender is not None:
            # Every arm is judged by one judge: ours, of what the other left as evidence. Where ours
            # can't read that, no verdict is left, and not the other's.
            (run / "verdict.json").unlink(missing_ok=True)
            code = self._run(runner_of(None), ["recheck", str(run)], log, held)
        return Ended(code, run)

    def _run(self, runner: Runner, words: Sequence[str], log: Path, held: int) -> int:
        try:
            with log.open("ab") as out:
                child = subprocess.Popen(
                    runner.command(*words), env={**os.environ, **runner.more}, cwd=runner.cwd,
                    stdin=subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=(held,),
                )  # fmt: skip
        except OSError as exc:
            raise HarnessError(f"{runner.python} could not be started: {exc}") from exc
        told = False
        while True:
            try:
                return child.wait(timeout=LOOK_S)
            except subprocess.TimeoutExpired:
                if self._stop.by is not None and not told:
                    child.terminate()  # it heals, offers no more load, and ends
                    told = True


def _words(arm: Arm, seed: int) -> list[str]:
    words = [str(arm.scenario.absolute())]
    for change in arm.with_seed(seed):
        words += ["--set", change]
    if arm.profile is not None:
        words += ["--profile", arm.profile]
    return words
