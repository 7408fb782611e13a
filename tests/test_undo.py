"""Undoing by the journal alone, and `drawproof heal`: what is done, and to whom nothing is."""

import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.errors import ScenarioError
from harness.guardian.journal import Journal
from harness.guardian.undo import perform
from harness.heal import PROGRAMS, heal
from harness.processes import descendants, send, start_ticks, working_in
from tests.test_guardian import until


def test_undo_over_http_is_asked_with_the_token_and_only_on_loopback(tmp_path: Path) -> None:
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            seen.append((self.path, self.headers["X-Token"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    (tmp_path / ".token").write_text("secret")
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/x"
    try:
        assert perform({"kind": "http", "method": "DELETE", "url": url}, tmp_path) is None
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert seen == [("/x", "secret")]
    assert perform({"kind": "http", "method": "DELETE", "url": url}, tmp_path) is None  # refused
    away = {"kind": "http", "method": "DELETE", "url": "http://192.0.2.1:80/x"}
    assert "not on loopback" in str(perform(away, tmp_path))
    assert "unknown undo" in str(perform({"kind": "magic"}, tmp_path))


def test_a_journal_removes_nothing_outside_of_its_run(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "run" / "mine", tmp_path / "theirs"
    mine.mkdir(parents=True)
    theirs.mkdir()
    for path in (theirs, tmp_path / "run" / ".." / "theirs"):
        undo = {"kind": "remove", "path": str(path)}
        assert "is not within" in str(perform(undo, tmp_path / "run"))
    assert theirs.exists()
    assert perform({"kind": "remove", "path": str(mine)}, tmp_path / "run") is None
    assert not mine.exists()


def test_a_stopped_process_is_continued_only_if_it_is_the_same(tmp_path: Path) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        ticks = start_ticks(sleeper.pid)
        sleeper.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{sleeper.pid}/stat")
        assert until(lambda: ") T " in stat.read_text())
        other = {"kind": "continue", "pid": sleeper.pid, "start_ticks": 1}
        assert perform(other, tmp_path) is None
        assert ") T " in stat.read_text()
        assert perform({**other, "start_ticks": ticks}, tmp_path) is None
        assert until(lambda: ") T " not in stat.read_text())
    finally:
        sleeper.kill()
        sleeper.wait()


def test_heal_ends_what_a_dead_run_left(tmp_path: Path) -> None:
    """As if controller and guardian had died in the same moment."""
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "work").mkdir()
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    row = {"name": "x", "pid": sleeper.pid, "start_ticks": start_ticks(sleeper.pid), "at_ns": 0}
    (tmp_path / "processes.jsonl").write_text(json.dumps(row) + '\n{"name": "cut')
    lines = heal(tmp_path)
    assert any("x: ended" in line for line in lines)
    assert sleeper.wait(5) == -signal.SIGKILL
    assert not (tmp_path / "work").exists()
    assert heal(tmp_path) == ["nothing to heal"]
    with pytest.raises(ScenarioError, match=r"which has no run\.json"):
        heal(tmp_path / "none")


def test_heal_ends_what_outlived_whoever_had_started_it(tmp_path: Path) -> None:
    """Controller, guardian and the lender's supervisor killed at once leave services and databases
    of whom nobody has written down a pid. A stranger's look at the same folder is left alone."""
    (tmp_path / "work").mkdir()
    (tmp_path / "processes.jsonl").write_text("")
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    file = str(tmp_path / "work" / "lender.json")
    orphan = subprocess.Popen([*sleep, "-m", "mock_lender.cluster.supervisor", file])
    stranger = subprocess.Popen([*sleep, file])
    try:
        assert f"orphan {orphan.pid}: ended, 1 processes" in heal(tmp_path)
        assert orphan.wait(5) == -signal.SIGKILL
        assert stranger.poll() is None
    finally:
        for one in (orphan, stranger):
            one.kill()
            one.wait()


def test_heal_ends_what_is_forked_while_it_looks(tmp_path: Path) -> None:
    """A supervisor whose restart loop goes on: each child is nobody's when its parent is killed."""
    (tmp_path / "work").mkdir()
    file = str(tmp_path / "work" / "lender.json")
    fork = "import os, time\nwhile os.fork():\n time.sleep(0.002)\ntime.sleep(60)"
    mother = subprocess.Popen(
        [sys.executable, "-c", fork, "-m", "mock_lender.cluster.supervisor", file]
    )
    row = {"name": "x", "pid": mother.pid, "start_ticks": start_ticks(mother.pid), "at_ns": 0}
    (tmp_path / "processes.jsonl").write_text(json.dumps(row))
    try:
        assert until(lambda: len(descendants(mother.pid)) > 3)
        heal(tmp_path)
        assert until(lambda: not working_in(tmp_path / "work", PROGRAMS))
    finally:
        mother.kill()
        mother.wait()
        for pid in working_in(tmp_path / "work", PROGRAMS):
            send(pid, signal.SIGKILL)


def test_heal_ends_all_though_it_can_not_be_written_down(tmp_path: Path) -> None:
    """A full disk is what the run itself may have left, and its work folder gives it back."""
    (tmp_path / "work").mkdir()
    (tmp_path / "audit.log").mkdir()  # nothing can be added to it
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    two = [subprocess.Popen(sleep) for _ in range(2)]
    rows = [{"name": "x", "pid": p.pid, "start_ticks": start_ticks(p.pid)} for p in two]
    (tmp_path / "processes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    try:
        assert len(heal(tmp_path)) == 3
        assert until(lambda: not any(start_ticks(one.pid) for one in two))
        assert not (tmp_path / "work").exists()
    finally:
        for one in two:
            one.kill()
            one.wait()


def test_who_has_a_dead_run_s_port_by_now_is_asked_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "processes.jsonl").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        url = f"http://127.0.0.1:{stranger.getsockname()[1]}/control/faults/x"
        undo = {"kind": "http", "method": "DELETE", "url": url}
        Journal(tmp_path / "journal.jsonl").plan("late", undo)
        assert heal(tmp_path) == ["late: undone"]
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.accept()
