"""Process life: whatever dies, nothing is left. Real processes, real signals."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.guardian.client import Exit, Guardian
from harness.guardian.journal import Journal
from harness.guardian.undo import undo_all
from tests.drills import ROOT, alive

# A tree that is hard to end: a child in a session of its own, and one that ignores SIGTERM.
TREE = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
time.sleep(600)
"""
CONTROLLER = """
import sys, time
from pathlib import Path
from harness.guardian.client import Exit, Guardian
run = Path(sys.argv[1])
with Guardian.start(run) as guardian:
    guardian.owns_path(Path(sys.argv[2]))
    for number in range(3):
        guardian.spawn(f"tree-{number}", [sys.executable, "-c", sys.argv[3]], stdout=run / "log")
    (run / "up").touch()
    while True:
        guardian.check()
        time.sleep(0.02)
"""


def until(what: Callable[[], bool], within_s: float = 5.0) -> bool:
    """Wait for a condition, bounded."""
    give_up_s = time.monotonic() + within_s
    ready = threading.Event()
    while time.monotonic() < give_up_s:
        if what():
            return True
        ready.wait(0.02)
    return what()


class Controlled:
    """A controller in a process of its own, with its guardian and three trees."""

    def __init__(self, tmp_path: Path, tree: str = TREE) -> None:
        self.run = tmp_path / "run"
        self.run.mkdir()
        (self.run / "work").mkdir()
        (self.run / ".token").write_text("t")
        self.elsewhere = tmp_path / "elsewhere"
        self.elsewhere.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-c", CONTROLLER, str(self.run), str(self.elsewhere), tree],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def up(self) -> "Controlled":
        assert until((self.run / "up").exists, 10)
        return self

    def guardian_pid(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def trees(self) -> list[tuple[int, int]]:
        rows = (self.run / "processes.jsonl").read_text().splitlines()
        return [(row["pid"], row["start_ticks"]) for row in map(json.loads, rows)]

    def gone(self) -> bool:
        """Nothing of the run's is left running, and nothing outside its evidence."""
        marked = [
            entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and self._mine(entry)
        ]
        return not marked

    def _mine(self, entry: Path) -> bool:
        try:
            return str(self.run).encode() in (entry / "cmdline").read_bytes() or (
                TREE.encode() in (entry / "cmdline").read_bytes()
            )
        except OSError:
            return False


@pytest.fixture
def controlled(tmp_path: Path) -> Iterator[Controlled]:
    made = Controlled(tmp_path)
    yield made
    made.process.kill()
    made.process.communicate()
    assert until(made.gone)


def test_a_killed_controller_leaves_nothing(controlled: Controlled) -> None:
    controlled.up().process.kill()
    assert until(controlled.gone)
    assert not (controlled.run / "work").exists()
    assert not (controlled.run / ".token").exists()
    assert not controlled.elsewhere.exists()


def test_stopped_processes_are_ended_too(controlled: Controlled) -> None:
    for pid, _ in controlled.up().trees():
        os.kill(pid, signal.SIGSTOP)
    controlled.process.kill()
    assert until(controlled.gone)


def test_a_killed_guardian_is_noticed_and_replaced_by_the_controller(
    controlled: Controlled,
) -> None:
    os.kill(controlled.up().guardian_pid(), signal.SIGKILL)
    _, err = controlled.process.communicate(timeout=5)
    assert "the guardian died" in err
    assert controlled.gone()
    assert not (controlled.run / "work").exists()


def test_what_the_controller_could_not_undo_is_tried_again_when_all_is_killed(
    tmp_path: Path,
) -> None:
    """A frozen service answers no DELETE; once it is gone, its fault is too."""
    port = tmp_path / "port"
    silent = (
        "import os, socket, time\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        f"part = {str(port)!r} + str(os.getpid())\n"  # three of them do so
        "open(part, 'w').write(str(s.getsockname()[1]))\n"
        f"os.replace(part, {str(port)!r})\n"
        "time.sleep(600)\n"
    )
    made = Controlled(tmp_path, silent).up()
    assert until(port.exists)
    journal = Journal(made.run / "journal.jsonl")
    url = f"http://127.0.0.1:{port.read_text()}/control/faults/x"
    journal.plan("late", {"kind": "http", "method": "DELETE", "url": url})
    os.kill(made.guardian_pid(), signal.SIGKILL)
    made.process.communicate(timeout=10)
    assert journal.pending() == []


def test_signals_of_the_terminal_do_not_reach_the_guardian(controlled: Controlled) -> None:
    guardian = controlled.up().guardian_pid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(guardian, number)
    assert os.getsid(guardian) == guardian
    assert all(alive(pid, ticks) for pid, ticks in controlled.trees())


@pytest.mark.slow
def test_twenty_random_moments(tmp_path: Path) -> None:
    dice = random.Random(1)
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = Controlled(folder)
        try:
            made.process.wait(dice.uniform(0, 0.6))
        except subprocess.TimeoutExpired:
            made.process.kill()
        made.process.communicate()
        assert until(made.gone), number


def test_exits_are_told_and_stops_are_not(tmp_path: Path) -> None:
    with Guardian.start(tmp_path) as guardian:
        guardian.spawn(
            "short", [sys.executable, "-c", "raise SystemExit(7)"], stdout=tmp_path / "l"
        )
        told: list[Exit] = []

        def heard() -> bool:
            told.extend(guardian.exits())
            return bool(told)

        assert until(heard)
        assert [(gone.name, gone.status) for gone in told] == [("short", 7)]
        proc = guardian.spawn("long", [sys.executable, "-c", TREE], stdout=tmp_path / "l")
        guardian.stop("long", grace_s=1)
        assert not alive(proc.pid, proc.start_ticks)
        assert guardian.exits() == []


def test_what_can_not_be_started_is_an_error(tmp_path: Path) -> None:
    with Guardian.start(tmp_path) as guardian:
        with pytest.raises(HarnessError, match="nowhere"):
            guardian.spawn("x", [str(tmp_path / "nowhere")], stdout=tmp_path / "log")
        with pytest.raises(HarnessError, match="y could not be started"):
            guardian.spawn("y", [sys.executable], stdout=tmp_path / "no" / "log")


def test_the_journal_is_replayed_last_first(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    journal = Journal(tmp_path / "journal.jsonl")
    journal.plan("one", {"kind": "remove", "path": str(tmp_path / "a")})
    journal.plan("two", {"kind": "remove", "path": str(tmp_path / "b")})
    journal.plan("three", {"kind": "nothing"})
    journal.done("three")
    assert undo_all(tmp_path, "test") == ["two: undone", "one: undone"]
    assert not (tmp_path / "a").exists()
    assert undo_all(tmp_path, "test") == []


@given(st.integers(0, 200))
def test_a_journal_cut_anywhere_gives_its_whole_lines(cut: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        journal = Journal(path)
        for name in ("one", "two", "three"):
            journal.plan(name, {"kind": "nothing"})
        data = path.read_bytes()
        path.write_bytes(data[: min(cut, len(data))])
        whole = data[: min(cut, len(data))].count(b"}}")
        assert len(journal.pending()) == whole


def test_a_cut_line_takes_no_other_with_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.plan("one", {"kind": "nothing"})
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"fault": "cut", "und')
    journal.plan("two", {"kind": "nothing"})
    assert [fault for fault, _ in journal.pending()] == ["two", "one"]
    journal.done("one")
    assert [fault for fault, _ in journal.pending()] == ["two"]


def test_half_a_line_on_a_full_disk_is_no_undo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hears of no error injects."""
    journal, write = Journal(tmp_path / "journal.jsonl"), os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda where, data: write(where, data[:20]))
        with pytest.raises(OSError, match="no room"):
            journal.plan("one", {"kind": "nothing"})
    assert journal.pending() == []
    journal.plan("two", {"kind": "nothing"})
    assert [fault for fault, _ in journal.pending()] == ["two"]


def test_two_guardians_do_not_disturb_each_other(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    with Guardian.start(second) as other:
        kept = other.spawn("kept", [sys.executable, "-c", TREE], stdout=second / "log")
        with Guardian.start(first) as guardian:
            guardian.spawn("gone", [sys.executable, "-c", TREE], stdout=first / "log")
        assert alive(kept.pid, kept.start_ticks)
    assert not alive(kept.pid, kept.start_ticks)
