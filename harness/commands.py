"""What each command does, once its arguments are known. Each returns the exit code."""

import sys
from dataclasses import dataclass
from pathlib import Path

from harness.drill import Drill, prepare
from harness.errors import Problem, ScenarioError
from harness.evidence.store import RunDir
from harness.heal import heal
from harness.judge.verdict import Verdict
from harness.plan import Plan, make_plan
from harness.report.dry_run import dry_run
from harness.report.live import LiveView
from harness.report.load_alone import is_load_alone, write_load_alone
from harness.report.plan_picture import pen_for, picture
from harness.report.write import judge_and_write
from harness.safety import MOCK, check_allowed, needs_allow_exec
from harness.scenario.loader import Loaded, load_scenario
from harness.stop import stop
from harness.stopping import StopFlag


@dataclass(frozen=True, slots=True)
class Permission:
    """What the command line says of a run's faults."""

    dry_run: bool = False
    allow_exec: bool = False


def run_command(
    scenario: Path,
    overrides: list[str],
    profile: str | None,
    out: Path,
    permission: Permission,
) -> int:
    """`drawproof run`: nothing is started before the whole scenario has been checked."""
    loaded = load_scenario(scenario, overrides, profile)
    plan = make_plan(loaded.scenario, loaded.where)
    _warn(loaded, plan)
    if permission.dry_run:
        needing = () if permission.allow_exec else needs_allow_exec(loaded.scenario, MOCK)
        print(dry_run(plan, needing))
        return 0
    check_allowed(loaded.scenario, MOCK, allow_exec=permission.allow_exec)
    flag = StopFlag()
    flag.install()
    run = prepare(plan, loaded.text, loaded.files, out)
    print(f"drill {loaded.scenario.name} · seed {loaded.scenario.seed} · evidence in {run.path}")
    sys.stdout.flush()
    live = LiveView(sys.stdout)
    drill = Drill(plan, run, flag, live.show)
    drill.run()
    live.close()
    if drill.ended.startswith("aborted"):
        print(f"drawproof: ABORTED: {drill.ended.partition(': ')[2]}", file=sys.stderr)
    run.compact()
    return _judge(run).exit_code


def recheck_command(path: Path) -> int:
    """`drawproof recheck`: the same evidence gives the same bytes."""
    if (path / "capacity.json").is_file():
        found = f"{str(path)!r}, the folder of a search for a capacity"
        allowed = f"one of its drills, each a run directory: {path}/*/"
        raise ScenarioError((Problem("the command line", 0, "RUN", found, allowed),))
    run = RunDir.open(path)
    if is_load_alone(run):
        exit_code, text = write_load_alone(run)
        print(text)
        return exit_code
    return _judge(run).exit_code


def heal_command(path: Path) -> int:
    """`drawproof heal`: replay the journal of a dead run, end what it left."""
    for line in heal(path):
        print(line)
    return 0


def stop_command(path: Path, within_s: float) -> int:
    """`drawproof stop`: end a drill under way, in order."""
    for line in stop(path, within_s):
        print(line, flush=True)
    return 0


def validate_command(scenario: Path, overrides: list[str], profile: str | None) -> int:
    """`drawproof validate`: all problems at once, or one line that says it is sound."""
    loaded = load_scenario(scenario, overrides, profile)
    plan = make_plan(loaded.scenario, loaded.where)
    _warn(loaded, plan)
    warnings = len(loaded.warnings) + len(plan.too_few)
    sound = f"sound, {warnings} warning{'s' * (warnings > 1)}" if warnings else "sound"
    print(
        f"{scenario}: {sound}. {len(plan.intents)} draws, {plan.counts['drill'].promised} of them "
        f"promised, of {loaded.scenario.load.borrowers} borrowers in "
        f"{loaded.scenario.phases.load_s:g} s, {len(plan.faults)} faults, "
        f"{len(loaded.scenario.expect)} expectations."
    )
    return 0


def plan_command(scenario: Path, overrides: list[str], profile: str | None) -> int:
    """`drawproof plan`: the planned rate, phases and faults, drawn; starts nothing."""
    loaded = load_scenario(scenario, overrides, profile)
    plan = make_plan(loaded.scenario, loaded.where)
    text = picture(plan, pen_for(sys.stdout.encoding))
    if sys.stdout.encoding:  # a trace's or a file's name may have letters that it has not
        text = text.encode(sys.stdout.encoding, "replace").decode(sys.stdout.encoding)
    print(text)
    sys.stdout.flush()
    _warn(loaded, plan)
    return 0


def _warn(loaded: Loaded, plan: Plan) -> None:
    """What can hardly be meant, and what is planned and can't be proven, before anything runs."""
    for warning in (*loaded.warnings, *plan.too_few):
        print(f"warning: {warning}", file=sys.stderr)


def _judge(run: RunDir) -> Verdict:
    """Step 9: judge what is on disk and write the reports; the same for run and recheck."""
    _, verdict, text = judge_and_write(run)
    print(text)
    return verdict
