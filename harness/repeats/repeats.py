"""Repeats: every arm with every seed, one drill after another, each kept; a kill loses one.

1. Check every arm; the plan must be the same in all of them.
2. For each drill of A B, B A, ... that the folder has not yet: run it in a process of its own.
3. Write down what it gave, in repeats.json.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import DrawproofError, HarnessError, no_folder
from harness.repeats.alone import only_writer
from harness.repeats.arms import Arm, Cell, check_arms, in_order
from harness.repeats.book import NAME, Book, Done
from harness.repeats.child import Ended
from harness.repeats.digest import Digest, digest

# What a run and its row of the book must have in common, however often it was judged again.
SAME = ("scenario", "seed", "profile", "plan", "faults", "commit")
Drive = Callable[[Cell, Path], Ended]


@dataclass(frozen=True, slots=True)
class Repeats:
    """What to repeat. kind: the command, for the folder's file. seeds: one a round. place: the
    folder, made when it is not there."""

    kind: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    place: Path


def run_repeats(asked: Repeats, drive: Drive, say: Callable[[str], None]) -> list[Done]:
    """Every drill of it, those the folder has already with them, by round and arm.

    drive: runs one drill (`Child`, or a stand-in for it). say: is told a line at first, and a line
    a drill. Raises ScenarioError before anything starts; later what `drive` raises, and
    HarnessError when a drill did not do what was planned.
    """
    plan = check_arms(asked.arms, asked.seeds[0])
    make_folder(asked.place)
    with only_writer(asked.place):
        book = Book.resume(asked.place, asked.kind, asked.arms, plan)
        return run_cells(book, list(in_order(asked.arms, asked.seeds)), drive, say)


def run_cells(
    book: Book, cells: Sequence[Cell], drive: Drive, say: Callable[[str], None]
) -> list[Done]:
    """The same with drills in an order of one's own: those of `cells` alone, by round and arm.

    Drills of one round must be of the same draws. The caller is the book's only writer. Raises as
    `run_repeats` does.
    """
    say(f"{len(cells)} drills, one after another; if it is interrupted: --resume {book.place}")
    place, width = book.place, max((len(cell.arm.label) for cell in cells), default=0)
    for count, cell in enumerate(cells, start=1):
        if book.has(cell):
            continue
        began_s = time.monotonic()
        ended = drive(cell, place / folder_of(cell))
        found = _ended(ended, digest(ended.run, str(ended.run.relative_to(place.resolve()))))
        _check(cell, found, book)
        took_s = round(time.monotonic() - began_s, 1)
        book.add(Done(cell.number, cell.arm.label, took_s, found))
        say(f"{count:3} of {len(cells)}  {cell.arm.label:{width}} seed {cell.seed}  {line(found)}")
    asked_for = {(cell.number, cell.arm.label) for cell in cells}
    done = [one for one in book.done if (one.number, one.arm) in asked_for]
    return sorted(done, key=lambda one: (one.number, one.arm))


def line(found: Digest) -> str:
    """What one drill gave, in a line."""
    share = found.value("drill.guarantee")
    kept = "no data" if share is None else f"{share * 100:.2f} %"
    text = f"{found.verdict or 'no verdict':12} guarantee {kept}"
    return text if found.counts else f"{text}  {found.reason}"


def folder_for(out: Path, kind: str, name: str) -> Path:
    """`OUT/<utc>-KIND-NAME`; not made yet."""
    return out / f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}-{kind}-{name}"


def make_folder(place: Path) -> Path:
    """Mode 0700; one that is there already stays. Raises HarnessError, and ScenarioError when it is
    a file or below one."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (FileExistsError, NotADirectoryError) as exc:
        raise no_folder(place) from exc
    except OSError as exc:
        raise HarnessError(f"{place} can't be made: {exc}") from exc
    return place


def folder_of(cell: Cell) -> str:
    """Where a drill's run directory goes, in the folder of the repeats."""
    word = re.sub(r"[^a-z0-9]+", "-", cell.arm.label.lower()).strip("-")
    return f"{cell.number:03d}-{word}"


def _ended(ended: Ended, found: Digest) -> Digest:
    """Without its verdict where the process that ran it says that it ended otherwise: what came
    between the two (a full disk, a defect of ours) is not known."""
    if found.verdict is None or ended.exit_code == found.exit_code:
        return found
    reason = f"drawproof ended with {ended.exit_code}, and its verdict.json says {found.exit_code}"
    return replace(found, verdict=None, exit_code=HarnessError.exit_code, reason=reason)


def as_judged(place: Path, kept: Digest) -> Digest:
    """A run's figures by its verdict.json as it is now, where its directory still lies in the
    folder: it may have been judged again since. One of another drill than the book says has no
    verdict."""
    run = place / kept.run
    if kept.verdict is None or not (run / "run.json").is_file():
        return kept
    try:
        found = digest(run, kept.run)
    except DrawproofError as exc:
        return _untold(kept, str(exc))
    other = [name for name in SAME if getattr(found, name) != getattr(kept, name)]
    if kept.settings and found.settings != kept.settings:
        other.append("settings")
    if other:
        return _untold(kept, f"{run} is not the run in {NAME}: {', '.join(other)}")
    return found


def _untold(kept: Digest, reason: str) -> Digest:
    return replace(
        kept, verdict=None, exit_code=HarnessError.exit_code, reason=reason, values={}, wrong=()
    )


def _check(cell: Cell, found: Digest, book: Book) -> None:
    """Is it the drill that was asked for, and of the same draws as its round's other arms?"""
    if found.seed != cell.seed:
        raise HarnessError(f"{found.run} has seed {found.seed}, {cell.seed} was asked for")
    for one in book.done:
        if one.number == cell.number and one.digest.plan != found.plan:
            raise HarnessError(
                f"{found.run} planned other draws than {one.digest.run}: the two drawproofs "
                f"plan differently, and their lenders can't be compared draw by draw"
            )


def by_arm(done: Sequence[Done], label: str) -> dict[int, Digest]:
    """The drills of one arm, by round."""
    return {one.number: one.digest for one in done if one.arm == label}
