"""The runs of the catalogue's drills: which there are, what each gave, and those still to be made.

A run's directory lies in runs/catalogue/ and may be gone; what it gave stays, a line a run, in
docs/results/catalogue/NAME.jsonl, so that a measurement of many hours can go on anywhere. Of
another version of a drill's file nothing is kept.

A round is a seed: the drill's own, and those after it. Runs of a pass over the whole set with
`--reseed N` are the first arm's of round N.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.results import RESULTS
from harness.judge.health import UNWELL
from harness.repeats.alone import only_writer
from harness.repeats.arms import Arm, check_arms, in_order, seeds_from
from harness.repeats.book import Book, Done, is_repeats, read_done
from harness.repeats.digest import from_json
from harness.repeats.repeats import Drive, make_folder, run_cells
from harness.suite.catalogue import LISTED, REVERSED, Drill, fingerprint
from harness.suite.seen import Seen, see

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "scenarios"
KEPT = ROOT / "runs" / "catalogue"
LINES = RESULTS / "catalogue"
# Of each pass its order; its place in the list is what its seeds have more than the drills' own.
ORDERS = (LISTED, REVERSED, "1")
ARMS, MUTATED = "arms", "mutations"
# Rounds that may be made up for, of a drill and kind.
MAKE_UP = 3
# A commit that a run did not say.
UNKNOWN = "unknown"
# Parts of a digest that are large and that nothing here asks for.
LEFT_OUT = ("settings", "versions")

Ran: TypeAlias = tuple[Done, Seen]
Line: TypeAlias = dict[str, Any]


def folder(drill: Drill) -> Path:
    """Where its runs lie; another version of its file has another, also one that only says other
    things of the drill: a folder of repeats is of one text."""
    said = hashlib.sha256(drill.loaded.text.encode()).hexdigest()
    return KEPT / f"{drill.name}-{fingerprint(drill)[:8]}-{said[:4]}"


def pass_folder(drills: Sequence[Drill], order: str) -> Path:
    """Where a pass over these drills lies; other drills, or other versions, have another."""
    prints = hashlib.sha256(" ".join(map(fingerprint, drills)).encode()).hexdigest()
    return KEPT / f"pass-{prints[:8]}-{order}"


def lines_of(drill: Drill) -> list[Line]:
    """What is kept of it as its file is now."""
    place = LINES / f"{drill.name}.jsonl"
    if not place.exists():
        return []
    lines: list[Line] = [json.loads(text) for text in place.read_text().splitlines()]
    return [line for line in lines if line["fingerprint"] == fingerprint(drill)]


def runs_of(drill: Drill, kind: str) -> list[Ran]:
    """Every run of a drill, in order of rounds; those that only lie in its folder are kept first.
    Raises HarnessError for one that can't be read."""
    keep_runs(drill, kind)
    return [_ran(line) for line in lines_of(drill) if line["kind"] == kind]


def keep_runs(drill: Drill, kind: str) -> None:
    """Put down what a drill's folder has."""
    place = folder(drill) / kind
    if is_repeats(place):
        _keep(drill, kind, read_done(place), place, "")


def keep_pass(drills: Sequence[Drill], order: str) -> None:
    """Put down what the folder of a pass has, whether or not the pass is whole."""
    place = pass_folder(drills, order)
    if not is_repeats(place):
        return
    number = ORDERS.index(order)
    for one in read_done(place):
        drill = drills[one.number]  # a suite counts drills, and we count rounds
        _keep(drill, ARMS, [replace(one, number=number)], place, order)


def _line(drill: Drill, kind: str, one: Done, place: Path, order: str) -> Line:
    """order: of the pass it belongs to; empty: to none."""
    seen = see(place, one.digest)
    told = one.digest.as_json()
    values = {key: value for key, value in told.pop("values").items() if value is not None}
    for name in LEFT_OUT:
        del told[name]
    del told["run"]  # it is said from its suite's or rounds' folder
    return {
        "kind": kind, "order": order, "round": one.number, "arm": one.arm, "took_s": one.took_s,
        "fingerprint": fingerprint(drill), "run": _run(place, one), "breached": list(seen.breached),
        "actual": dict(seen.actual), **told, "values": values,
    }  # fmt: skip


def _run(place: Path, one: Done) -> str:
    """Where its run lies, from runs/catalogue/."""
    return str((place / one.digest.run).relative_to(KEPT))


def _keep(drill: Drill, kind: str, done: Sequence[Done], place: Path, order: str) -> None:
    """Add runs to those of its file, each once, in a fixed order. One of a pass takes the place of
    an earlier pass's: what is said of a pass is said of drills that ran together."""
    known = {
        (line["kind"], line["order"], line["round"], line["arm"]): line for line in lines_of(drill)
    }
    fresh = {
        key: _line(drill, kind, one, place, order)
        for one in done
        if (key := (kind, order, one.number, one.arm)) not in known
        or (order and known[key]["run"] != _run(place, one))
    }
    if not fresh:
        return
    lines = [line for _, line in sorted((known | fresh).items())]
    LINES.mkdir(parents=True, exist_ok=True)
    place = LINES / f"{drill.name}.jsonl"
    partial = place.with_suffix(".partial")  # a kill must not leave half a file
    partial.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    partial.replace(place)


def _ran(line: Line) -> Ran:
    raw = {"settings": {}, "versions": {}, **line}
    digest = from_json(raw)
    lines = dict.fromkeys(line["breached"], "breached")
    seen = Seen(digest, lines, line["actual"], None)
    return Done(line["round"], line["arm"], line["took_s"], digest), seen


def unwell_rounds(done: Sequence[Done], first: str) -> set[int]:
    """Rounds with a run that is in doubt by its generator or machine, and by nothing else: such a
    run says nothing of its drill. Any other doubt may be the drill's own fault. first: the arm that
    should hold.

    A round in which that was breached stays: beyond doubt, or by wrong money, which no machine
    excuses, and however its other arm ran.
    """
    breached = {one.number for one in done if one.arm == first and one.digest.verdict == "breached"}
    return {
        one.number
        for one in done
        if one.digest.doubts and all(text.startswith(UNWELL) for text in one.digest.doubts)
    } - breached


def of_arm(ran: Sequence[Ran], arm: Arm, first: str) -> list[Seen]:
    """What was seen in an arm's runs, without the rounds that were made up for."""
    left = unwell_rounds([one for one, _ in ran], first)
    return [seen for one, seen in ran if one.arm == arm.label and one.number not in left]


def run_rounds(drill: Drill, arms: tuple[Arm, ...], sound: int, kind: str, drive: Drive) -> None:
    """Until so many rounds are sound: one whose machine was not well is made up for. Raises what
    `run_cells` does."""
    rounds, first = 0, drill.loaded.scenario.seed
    while True:
        done = [one for one, _ in runs_of(drill, kind)]
        left = unwell_rounds(done, drill.name)
        wanted = min(sound + len(left), sound + MAKE_UP)
        if wanted <= rounds:
            return
        rounds = wanted
        has = {(one.number, one.arm) for one in done}
        cells = [
            cell
            for cell in in_order(arms, seeds_from(first, rounds))
            if cell.number not in left and (cell.number, cell.arm.label) not in has
        ]
        if cells:
            place = make_folder(folder(drill) / kind)
            with only_writer(place):
                book = Book.resume(place, f"catalogue {kind}", arms, check_arms(arms, first))
                run_cells(book, cells, drive, _say)


def _say(text: str) -> None:
    if "--resume" not in text:
        print(text, flush=True)


def passes_of(drills: Sequence[Drill]) -> Iterator[Mapping[str, Any]]:
    """Each pass over just these drills that is whole: its order, how long its drills took, its
    verdicts, and of which commits its runs are."""
    for order in ORDERS:
        own = pass_folder(drills, order).name
        kept = [line for drill in drills for line in lines_of(drill) if line["order"] == order]
        lines = [line for line in kept if Path(line["run"]).parts[0] == own]
        if len(lines) == len(drills):
            yield {
                "order": order,
                "took_s": round(sum(line["took_s"] for line in lines), 1),
                "verdicts": {line["arm"]: line["verdict"] for line in lines},
                "commits": sorted({str(line["commit"] or UNKNOWN) for line in lines}),
            }
