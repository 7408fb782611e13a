"""One drill at a time in a folder of repeats, and each run the one that its book says."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError, SafetyError
from harness.processes import start_ticks
from harness.repeats.alone import only_drill
from harness.repeats.arms import Arm, Cell, in_order, seeds_from
from harness.repeats.book import read_done
from harness.repeats.child import Child, Ended
from harness.repeats.repeats import Repeats, as_judged, run_repeats
from harness.stopping import StopFlag
from tests.drills import SMOKE
from tests.fake_runs import SMALL, Played
from tests.loads import until

BASE = Arm("base", SMOKE, SMALL)


def test_a_run_that_is_not_the_one_in_the_book_has_no_verdict(tmp_path: Path) -> None:
    """A folder put in another's place, and a verdict.json: a breach would be told as held."""
    one, other = run_repeats(
        Repeats("compare", (BASE,), seeds_from(5, 2), tmp_path), Played({}), print
    )
    theirs, ours = tmp_path / other.digest.run, tmp_path / one.digest.run
    assert as_judged(tmp_path, other.digest).verdict is not None
    shutil.copy(ours / "verdict.json", theirs / "verdict.json")
    told = as_judged(tmp_path, other.digest)
    assert (told.verdict, told.exit_code, told.values) == (None, 5, {})
    assert "drawproof recheck" in told.reason
    shutil.rmtree(theirs)
    shutil.copytree(ours, theirs)
    told = as_judged(tmp_path, other.digest)
    assert (told.verdict, told.exit_code) == (None, 5)
    assert "is not the run in repeats.json: seed" in told.reason


def test_one_command_at_a_time_writes_down_what_was_run(tmp_path: Path) -> None:
    """Two that had read the same book would each write it without what the other has added."""
    wanted = Repeats("compare", (BASE,), seeds_from(5, 2), tmp_path)
    played = Played({})

    def drive(cell: Cell, place: Path) -> Ended:
        with pytest.raises(HarnessError, match="another drawproof is at work"):
            run_repeats(wanted, played, print)
        return played(cell, place)

    assert [one.number for one in run_repeats(wanted, drive, print)] == [0, 1]
    assert len(read_done(tmp_path)) == len(played.cells) == 2
    assert len(run_repeats(wanted, played, print)) == len(played.cells) == 2


@pytest.mark.parametrize("lock", ["link", "folder", "pipe"])
def test_a_lock_that_is_no_file_is_refused_and_left_alone(tmp_path: Path, lock: str) -> None:
    precious, place = tmp_path / "precious", tmp_path / "folder"
    precious.write_text("precious")
    place.mkdir()
    if lock == "link":
        (place / "lock").symlink_to(precious)
    elif lock == "folder":
        (place / "lock").mkdir()
    else:
        os.mkfifo(place / "lock")
    with pytest.raises(HarnessError, match=str(place / "lock")), only_drill(place, "one"):
        pass
    assert precious.read_text() == "precious"


def test_no_drill_beside_what_a_dead_one_has_left(tmp_path: Path) -> None:
    """Its guardian was killed with it: its processes hold no lock of ours."""
    run = tmp_path / "000-one" / "20260101T000000Z-smoke-5"
    (run / "work").mkdir(parents=True)
    with only_drill(tmp_path, "001-two"):
        pass
    with subprocess.Popen(["sleep", "60"]) as left:
        row = {"name": "bank", "pid": left.pid, "start_ticks": start_ticks(left.pid)}
        (run / "processes.jsonl").write_text(json.dumps(row) + "\n")
        try:
            with pytest.raises(SafetyError, match=f"heal {run}"), only_drill(tmp_path, "001-two"):
                pass
        finally:
            left.kill()
    with only_drill(tmp_path, "001-two"):
        pass


KILLED = """
import sys
from pathlib import Path
from harness.repeats.arms import Arm, in_order
from harness.repeats.child import Child
from harness.stopping import StopFlag
(cell,) = in_order((Arm("long", Path("none.yaml"), lender=Path(sys.argv[1])),), (5,))
Child(StopFlag())(cell, Path(sys.argv[2]))
"""


def test_no_second_drill_beside_one_whose_starter_was_killed(tmp_path: Path) -> None:
    """`kill -9` of a set leaves its drill at work; who goes on at once is told so, also with
    another drill of the folder."""
    place, lender, ended = tmp_path / "place", tmp_path / "lender", tmp_path / "ended"
    waits = f"while [ -d {tmp_path} ] && [ ! -e {ended} ]; do sleep 0.05; done"
    lender.write_text(f"#!/bin/sh\necho at work\n{waits}\n")
    lender.chmod(0o700)
    (cell,) = in_order((Arm("long", SMOKE, lender=lender),), (5,))
    try:
        with subprocess.Popen([sys.executable, "-c", KILLED, str(lender), str(place)]) as starter:
            try:
                until(lambda: "at work" in said_in(place), 30)
            finally:
                starter.kill()
        with pytest.raises(HarnessError, match=f"still under way in {place}, .*stop {place}/lat"):
            Child(StopFlag())(cell, tmp_path / "another")
    finally:
        ended.touch()
    until(lambda: free(tmp_path), 30)
    with pytest.raises(HarnessError, match="a drill left no run directory"):
        Child(StopFlag())(cell, place)


def said_in(place: Path) -> str:
    log = place / "said.txt"
    return log.read_text() if log.exists() else ""


def free(folder: Path) -> bool:
    with (folder / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
