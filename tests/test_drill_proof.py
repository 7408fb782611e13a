"""The judge sees: each of these drills is spoilt on purpose and must not pass."""

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.drills import NAIVE, SMOKE, Running, alive, command, drill, short

pytestmark = [pytest.mark.drill, pytest.mark.slow, pytest.mark.timeout(300)]


def test_naive_is_breached_and_says_what_where_how_many_and_how_much(tmp_path: Path) -> None:
    ran = drill(tmp_path, str(NAIVE))
    assert ran.exit == 1, ran.out + ran.err
    reason = ran.verdict["reason"]
    for word in ("system", "draws", "¥"):
        assert word in reason
    assert all(row["verdict"] == "held" for row in ran.verdict["audit"])


def test_a_generator_that_stalls_is_inconclusive(tmp_path: Path) -> None:
    running = Running(tmp_path, str(SMOKE), *short())
    running.at(2.0)
    workers = [found for name, found in running.processes().items() if "worker" in name]
    assert workers
    stop = threading.Event()

    def stall() -> None:
        while not stop.wait(0.7):
            for pid, _ in workers:
                os.kill(pid, signal.SIGSTOP)
            stop.wait(0.3)
            for pid, _ in workers:
                os.kill(pid, signal.SIGCONT)

    staller = threading.Thread(target=stall)
    staller.start()
    running.at(8.0)
    stop.set()
    staller.join()
    ran = running.finish()
    assert ran.exit == 3, ran.out + ran.err
    assert ran.verdict["generator"]["verdict"] == "inconclusive"


def test_a_worker_of_the_load_that_dies_ends_the_drill_and_is_named(tmp_path: Path) -> None:
    running = Running(tmp_path, str(SMOKE), *short("load.workers=2"))
    running.at(5.0)
    pid, _ = running.processes()["load-worker-2"]
    os.kill(pid, signal.SIGKILL)
    ran = running.finish()
    assert ran.exit == 3, ran.out + ran.err
    assert "worker-2 on this machine (share 2 of 2)" in ran.verdict["reason"]
    doubts = [doubt for doubt in ran.verdict["doubts"] if "evidence is incomplete" in doubt]
    assert doubts
    assert "seconds" in doubts[0]
    assert not [row for row in ran.verdict["audit"] if row["verdict"] == "breached"]
    assert command("recheck", str(ran.run)).exit == 3


def test_evidence_cut_short_is_inconclusive_with_the_reason(tmp_path: Path) -> None:
    running = Running(tmp_path, str(SMOKE), *short())
    run = running.at(10.0)
    running.process.kill()
    running.finish()
    again = command("recheck", str(run))
    assert again.exit == 3, again.out + again.err
    assert "cut" in again.out


def test_both_gateways_killed_is_system_gateway(tmp_path: Path) -> None:
    ran = drill(
        tmp_path,
        str(SMOKE),
        *short(
            "faults=[{process: kill, target: gateway-1, at: fault+1s},"
            " {process: kill, target: gateway-2, at: fault+1s}]",
            "expect.drill=[audit clean]",
            "abort=[estimate < 1 % for 60 s]",
        ),
    )
    assert ran.exit == 1, ran.out + ran.err
    broken = ran.verdict["guarantee"]
    assert broken["by_cause"]["system"] == broken["broken"]
    assert broken["by_hop"].get("gateway", 0) == broken["broken"] > 0


def test_an_abort_rule_ends_it_for_safety(tmp_path: Path) -> None:
    ran = drill(
        tmp_path, str(NAIVE), "--profile", "none", *short("abort=[estimate < 99.9 % for 1 s]")
    )
    assert ran.exit == 4, ran.out + ran.err
    assert ran.verdict["verdict"] == "inconclusive"
    assert "abort rule" in ran.verdict["reason"]


def test_two_drills_side_by_side(tmp_path: Path) -> None:
    quiet = short(
        "load.shape.rate=15/s", "load.shape.steps.0.rate=20/s", "expect.fault=[broken >= 0]"
    )
    first = Running(tmp_path / "a", str(SMOKE), *quiet)
    second = Running(tmp_path / "b", str(SMOKE), *quiet)
    ends = [first.finish(), second.finish()]
    for ran in ends:
        assert ran.verdict["guarantee"]["unresolved"] == 0
        assert all(row["verdict"] == "held" for row in ran.verdict["audit"]), ran.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_leaves_an_honest_partial_run(tmp_path: Path, number: int) -> None:
    running = Running(tmp_path, str(SMOKE), *short())
    running.at(9.0)
    started = running.processes()
    running.process.send_signal(number)
    ran = running.finish(within_s=20)
    assert ran.exit == 3, ran.out + ran.err
    assert "interrupted" in ran.verdict["reason"]
    assert not [name for name, found in started.items() if alive(*found)]


def test_a_dead_guardian_ends_the_drill_within_five_seconds(tmp_path: Path) -> None:
    running = Running(tmp_path, str(SMOKE), *short())
    run = running.at(9.0)
    started = running.processes()
    guardian = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    os.kill(int(guardian.read_text().split()[0]), signal.SIGKILL)
    ran = running.finish(within_s=5)
    assert ran.exit == 5, ran.out + ran.err
    assert "guardian" in ran.out + ran.err
    assert not [name for name, found in started.items() if alive(*found)]
    assert not (run / "work").exists()
