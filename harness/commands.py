"""What each command does, once its arguments are known. Each returns the exit code."""

import sys
from dataclasses import dataclass
from pathlib import Path

from harness.drill import prepare
from harness.drilled import drill_here
from harness.errors import Problem, ScenarioError
from harness.evidence.store import RunDir
from harness.heal import heal
from harness.judge.doubts import evidence_wrong
from harness.judge.judge import judge
from harness.judge.load_view import load_view
from harness.judge.verdict import Verdict
from harness.plan import Plan, make_plan
from harness.repeats.book import NAME as REPEATS
from harness.report.dry_run import dry_run
from harness.report.explain import explain
from harness.report.load_alone import is_load_alone, write_load_alone
from harness.report.plan_picture import pen_for, picture
from harness.report.which_draws import BEGINNING_MIN, asked_for, broken_draws, some
from harness.report.write import judge_and_write
from harness.safety import MOCK, check_allowed, needs_allow_exec
from harness.scenario.loader import Loaded, load_scenario
from harness.stop import stop
from harness.stopping import StopFlag
from harness.terminal import plain_lines


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
    warn(loaded, plan)
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
    ended = drill_here(plan, run, flag)
    if ended.startswith("aborted"):
        why = plain_lines(ended.partition(": ")[2])
        print(f"drawproof: ABORTED: {why}", file=sys.stderr)
    return _judge(run).exit_code


# Evidence that can't be judged: the same code as of a run that is inconclusive.
UNTOLD_CODE = 3


def _one_run(path: Path) -> None:
    """Raises ScenarioError for a folder of runs, naming those that it has."""
    if (path / "run.json").is_file() or not path.is_dir():
        return
    # A repeat's drill has a folder of its own, with a link to its latest run.
    runs = [
        str(run.parent)
        for drill in sorted(path.iterdir())
        if not drill.is_symlink()
        for run in (drill / "run.json", drill / "latest" / "run.json")
        if run.is_file()
    ]
    kinds = (("capacity.json", "a search for a capacity"), (REPEATS, "repeated drills"))
    what = next((what for name, what in kinds if (path / name).is_file()), "runs" if runs else "")
    if what:
        found = f"{str(path)!r}, the folder of {what}"
        allowed = f"one of its drills, each a run directory: {some(runs) or f'{path}/*/'}"
        raise ScenarioError((Problem("the command line", 0, "RUN", found, allowed),))


def recheck_command(path: Path) -> int:
    """`drawproof recheck`: the same evidence gives the same bytes."""
    _one_run(path)
    run = RunDir.open(path)
    if is_load_alone(run):
        exit_code, text = write_load_alone(run)
        print(text)
        return exit_code
    return _judge(run).exit_code


def explain_command(path: Path, draw: str | None) -> int:
    """`drawproof explain`: one draw's story, or which draws are broken. Writes nothing.

    Exit code 3 where the evidence is not all there, so that none of that can be told.
    """
    _one_run(path)
    view = load_view(RunDir.open(path))
    verdict = judge(view)
    wrong = evidence_wrong(view, verdict.parts)
    if draw is None:
        _print(broken_draws(view, verdict))
        return UNTOLD_CODE if wrong else 0
    found = asked_for(verdict.parts.ends, draw)
    if len(found) == 1:
        _print(explain(view, verdict, found[0]))
        return UNTOLD_CODE if wrong else 0
    if wrong and not found:
        _print(broken_draws(view, verdict))
        _print(f"--draw {draw!r}: the evidence that is there has no such draw")
        return UNTOLD_CODE
    if found:
        named = some([end.intent.draw_key for end in found])
        what, allowed = f"{draw!r}, with which {len(found)} keys begin", f"more of one: {named}"
    else:
        what = repr(draw)
        allowed = (
            f"the key of a draw of this run, its first {BEGINNING_MIN} signs or more, or its "
            f"number, below {len(view.intents)}"
        )
    raise ScenarioError((Problem("the command line", 0, "--draw", what, allowed),))


def heal_command(path: Path) -> int:
    """`drawproof heal`: replay the journal of a dead run, end what it left."""
    for line in heal(path):
        print(plain_lines(line))
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
    warn(loaded, plan)
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
    _print(text)
    sys.stdout.flush()
    warn(loaded, plan)
    return 0


def _print(text: str) -> None:
    """A trace's, a file's or a target's names may have letters that the terminal has not."""
    if sys.stdout.encoding:
        text = text.encode(sys.stdout.encoding, "replace").decode(sys.stdout.encoding)
    print(text)


def warn(loaded: Loaded, plan: Plan) -> None:
    """What can hardly be meant, and what is planned and can't be proven, before anything runs."""
    for warning in (*loaded.warnings, *plan.too_few):
        print(f"warning: {warning}", file=sys.stderr)


def _judge(run: RunDir) -> Verdict:
    """Step 9: judge what is on disk and write the reports; the same for run and recheck."""
    _, verdict, text = judge_and_write(run)
    print(text)
    return verdict
