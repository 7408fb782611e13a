"""`drawproof list` and `drawproof suite`: what drills there are, and many of them as one verdict.

1. Find every drill of the folder, check them all and plan them; nothing is started before.
2. Run the arms asked for, a drill after another, each in a process of its own; resumable.
3. Check the drills themselves where both arms, or mutations, were asked for.
4. suite.json, junit.xml and index.html, also of what an interruption left.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import DrawproofError, HarnessError, Problem, ScenarioError
from harness.repeats.alone import only_writer
from harness.repeats.arms import Arm, Cell, check_arms
from harness.repeats.book import Book, Done
from harness.repeats.child import Child
from harness.repeats.repeats import Drive, as_judged, folder_for, make_folder, run_cells
from harness.report.suite import list_text, suite_html, suite_json, suite_junit, suite_text
from harness.scenario.entry import OFF, ON
from harness.stopping import Interrupted, StopFlag
from harness.suite.catalogue import Drill, find_drills, in_order, of_set
from harness.suite.checks import Check, Whole, breaks_by, differ, whole
from harness.suite.outcome import Outcome, Row
from harness.suite.seen import Seen, see
from harness.terminal import plain_lines

BOTH, MUTATIONS = "both", "mutations"
BREACHED = 1
ARMS = (ON, OFF, BOTH, MUTATIONS)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says. arm: one of ARMS. profile: instead of the drills' own, with arm
    `on` alone. order: as `in_order` has it. reseed: what is added to every drill's seed: the same
    drills with other draws."""

    name: str
    scenarios: Path
    arm: str
    profile: str | None
    order: str
    out: Path
    resume: Path | None = None
    allow_exec: bool = False
    reseed: int = 0


def list_command(scenarios: Path, name: str) -> int:
    """`drawproof list`: starts nothing. Raises ScenarioError."""
    print(list_text(of_set(find_drills(scenarios), name)))
    return 0


def suite_command(asked: Asked, drive: Drive | None = None) -> int:
    """Returns the exit code of the whole. Raises ScenarioError before anything starts.

    drive: runs a drill; None: in a process of its own.
    """
    if asked.profile is not None and asked.arm != ON:
        found = f"--profile with --arm {asked.arm}"
        allowed = f"--profile with --arm {ON}: the other arms say themselves what is changed"
        raise ScenarioError((Problem("the command line", 0, "--profile", found, allowed),))
    drills = of_set(find_drills(asked.scenarios), asked.name)
    cells = cells_of(drills, asked)
    for number in range(len(drills)):
        mine = sorted(
            (cell for cell in cells if cell.number == number), key=lambda cell: cell.arm.label
        )
        if mine:
            check_arms([cell.arm for cell in mine], mine[0].seed)
    kind = f"suite-{asked.name}"
    place = make_folder(asked.resume or folder_for(asked.out, "suite", asked.name))
    arms = [cell.arm for cell in sorted(cells, key=lambda cell: (cell.number, cell.arm.label))]
    draws = "of each drill its own" + (f", seeds + {asked.reseed}" if asked.reseed else "")
    with only_writer(place):
        return _run(asked, drills, cells, Book.resume(place, kind, arms, draws), drive)


def _run(
    asked: Asked, drills: Sequence[Drill], cells: Sequence[Cell], book: Book, drive: Drive | None
) -> int:
    stop = StopFlag()
    if drive is None:
        stop.install()
        drive = Child(stop, allow_exec=asked.allow_exec)
    try:
        run_cells(book, cells, drive, _say)
    except Interrupted as by:
        code = _told(asked, drills, cells, book).whole.exit_code
        print(
            f"{by}: the drill under way has ended in order; --resume {book.place}", file=sys.stderr
        )
        if code == BREACHED:
            return code
        raise KeyboardInterrupt from by
    except DrawproofError as exc:
        code = _told(asked, drills, cells, book, exc).whole.exit_code
        if code == BREACHED:  # it wins over what could not be run, as suite.json says too
            print(f"drawproof: {plain_lines(str(exc))}", file=sys.stderr)
            return code
        raise
    return _told(asked, drills, cells, book).whole.exit_code


def cells_of(drills: Sequence[Drill], asked: Asked) -> list[Cell]:
    """The runs, in the order asked for. A drill's number is its place in the list, whatever the
    order is, so that a folder can be gone on with in another."""
    cells: list[Cell] = []
    numbers = {one.name: number for number, one in enumerate(drills)}
    for turn, one in enumerate(in_order(drills, asked.order)):
        arms = arms_of(one, asked.arm, asked.profile)
        seed = one.loaded.scenario.seed + asked.reseed
        ordered = arms if turn % 2 == 0 else tuple(reversed(arms))
        cells += [Cell(numbers[one.name], seed, arm) for arm in ordered]
    return cells


def arms_of(drill: Drill, arm: str, profile: str | None) -> tuple[Arm, ...]:
    """The runs of one drill."""
    if arm == MUTATIONS:
        return tuple(drill.mutated(one) for one in drill.entry.exact)
    arms = {ON: (drill.on(profile),), OFF: (drill.off(),), BOTH: (drill.on(), drill.off())}
    return arms[arm]


def checks_of(drill: Drill, runs: dict[str, Seen]) -> list[Check]:
    """A drill's checks of itself that can be made of these runs, by label."""
    entry = drill.entry
    on, off = runs.get(drill.on().label), runs.get(drill.off().label)
    if on is not None and off is not None:
        exactly = entry.off in entry.exact
        return [
            differ(drill.name, entry.differ, on, off),
            breaks_by(drill.name, entry.off, off, exactly=exactly),
        ]
    return [
        breaks_by(drill.name, variant, found, exactly=True)
        for variant in entry.exact
        if (found := runs.get(drill.mutated(variant).label)) is not None
    ]


def outcome_of(
    asked: Asked, drills: Sequence[Drill], cells: Sequence[Cell], done: Sequence[Done], place: Path
) -> Outcome:
    """What is known of the set now. Raises HarnessError for a run that can't be read."""
    known = {(one.number, one.arm): one for one in done}
    rows: list[Row] = []
    not_run: list[str] = []
    seen: dict[str, dict[str, Seen]] = {drill.name: {} for drill in drills}
    for cell in sorted(cells, key=lambda cell: cell.number):
        drill, label = drills[cell.number], cell.arm.label
        one = known.get((cell.number, label))
        if one is None:
            not_run.append(label)
            continue
        arm = label.removeprefix(drill.name).strip() or ON
        found = see(place, as_judged(place, one.digest))
        row = Row(drill, arm, one.took_s, found, arm == ON or asked.arm == OFF)
        rows.append(row)
        seen[drill.name][label] = row.seen
    checks: list[Check] = []
    if asked.arm in (BOTH, MUTATIONS):
        checks = [check for drill in drills for check in checks_of(drill, seen[drill.name])]
    judged = [row.seen for row in rows if row.judged]
    return Outcome(
        asked.name, asked.arm, asked.profile, asked.order, asked.reseed, tuple(rows),
        tuple(checks), whole(judged, checks, len(not_run)), tuple(not_run),
    )  # fmt: skip


def _told(
    asked: Asked,
    drills: Sequence[Drill],
    cells: Sequence[Cell],
    book: Book,
    by: DrawproofError | None = None,
) -> Outcome:
    """Show it and keep it beside the drills. by: what ended it, as its reason: report and command
    have one exit code. Raises HarnessError."""
    found = outcome_of(asked, drills, cells, book.done, book.place)
    if by is not None and found.whole.exit_code != BREACHED:
        reason = f"{plain_lines(str(by))}; {found.whole.reason}"
        found = replace(found, whole=Whole("inconclusive", by.exit_code, reason))
    files: dict[str, Callable[[Outcome], str]] = {
        "suite.json": suite_json, "junit.xml": suite_junit, "index.html": suite_html,
    }  # fmt: skip
    try:
        for name, text in files.items():
            (book.place / name).write_text(text(found))
    except OSError as exc:
        raise HarnessError(f"the report could not be written to {book.place}: {exc}") from exc
    print(suite_text(found))
    print(f"kept in     {book.place}; open {book.place / 'index.html'}")
    return found


def _say(text: str) -> None:
    print(text)
    sys.stdout.flush()
