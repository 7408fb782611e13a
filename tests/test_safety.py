"""What keeps a drill from doing more harm than it says: bounds, stops, heals, and a log."""

import dataclasses
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.errors import SafetyError, ScenarioError, TargetError
from harness.faults.fault import Healer, Noop, Sighting, Surroundings
from harness.faults.process import ProcessFreeze
from harness.guardian.client import Guardian
from harness.guardian.journal import Journal
from harness.guardian.undo import undo_all
from harness.heal import heal
from harness.judge.fault_lines import read_fault_lines
from harness.nemesis.nemesis import Nemesis
from harness.processes import start_ticks
from harness.safety import check_allowed, needs_allow_exec
from harness.scenario.loader import load_scenario
from harness.scenario.model import FaultSpec
from harness.stop import stop
from harness.stopping import REQUEST, StopFlag
from tests.drills import SMOKE, Running, command, short, whole_up_to_the_stop
from tests.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    run = tmp_path_factory.mktemp("run")
    with Guardian.start(run) as guardian:
        yield World(guardian, run)


def until_failed(nemesis: Nemesis, within_s: float = 5) -> str:
    wait, give_up_s = threading.Event(), time.monotonic() + within_s
    while nemesis.failure() is None and time.monotonic() < give_up_s:
        wait.wait(0.02)
    nemesis.stop()
    return str(nemesis.failure())


def log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "audit.log").read_text().splitlines()]


@dataclass(frozen=True)
class Switch:
    """A fault that is on or off; its looks may wait for something."""

    name: str
    edge_or_replica: str
    healer: Healer = "nemesis"
    bites_within_s: float = 5.0
    look_s_max: float = 0.05
    state: dict[str, bool] = field(default_factory=lambda: {"on": False})
    seen_after: threading.Event | None = None
    tells: threading.Event | None = None
    fails: bool = False

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return {"kind": "nothing"}

    def inject(self, around: Surroundings) -> None:
        if self.fails:
            raise TargetError("half of it was done")
        self.state["on"] = True

    def heal(self, around: Surroundings) -> None:
        self.state["on"] = False
        if self.tells is not None:
            self.tells.set()

    def observe(self, around: Surroundings) -> Sighting:
        at_ns, on = time.monotonic_ns(), self.state["on"]
        if self.seen_after is not None and not self.seen_after.wait(5):
            return Sighting(at_ns, None, "what it waited for never came")
        return Sighting(at_ns, on, "on" if on else "off")


def test_a_long_look_at_one_fault_keeps_no_other_waiting(world: World, tmp_path: Path) -> None:
    """The look ends only when another fault has been injected and healed meanwhile."""
    came = threading.Event()
    slow = Switch("slow look", "ledger-1", seen_after=came)
    quick = Switch("quick", "ledger-2", tells=came)
    path = tmp_path / "faults.jsonl"
    plan = [(slow, 0.0, 1.2), (quick, 0.2, 0.3)]
    nemesis = Nemesis(plan, world, Journal(tmp_path / "journal.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    wait, give_up_s = threading.Event(), time.monotonic() + 8
    while path.read_text().count('"observed_healed"') < 2:
        assert time.monotonic() < give_up_s, path.read_text()
        wait.wait(0.02)
    nemesis.stop()
    assert nemesis.failure() is None
    assert all(line.observed_ns is not None for line in read_fault_lines(path))


def test_no_more_targets_at_once_than_the_scenario_says(world: World, tmp_path: Path) -> None:
    """The first is planned to be over, but the lender has not got over it."""
    first = Switch("first", "ledger->database", healer="target")
    second = Switch("second", "ledger-1")
    path = tmp_path / "faults.jsonl"
    nemesis = Nemesis(
        [(first, 0.0, None), (second, 0.3, 1.0)], world, Journal(tmp_path / "j"), path, 1
    )
    nemesis.start(time.monotonic_ns())
    assert "second would be on target 2 at once" in until_failed(nemesis)
    assert not second.state["on"]
    assert [row["fault"] for row in log(tmp_path) if row["what"] == "inject"] == ["first"] * 2


def test_what_was_half_injected_is_undone_at_once(world: World, tmp_path: Path) -> None:
    (tmp_path / "half").touch()

    @dataclass(frozen=True)
    class Half(Switch):
        def undo(self, around: Surroundings) -> Mapping[str, Any]:
            return {"kind": "remove", "path": str(tmp_path / "half")}

    journal = Journal(tmp_path / "journal.jsonl")
    fault = Half("half", "ledger-1", fails=True)
    nemesis = Nemesis([(fault, 0.0, 1.0)], world, journal, tmp_path / "f")
    nemesis.start(time.monotonic_ns())
    assert "half of it was done" in until_failed(nemesis)
    assert not (tmp_path / "half").exists()
    assert journal.pending() == []
    assert [row["outcome"] for row in log(tmp_path)] == ["begun", "half of it was done"]


def test_the_log_says_who_did_what_to_which_process(world: World, tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    fault = ProcessFreeze("bank.own", "freeze")
    nemesis = Nemesis([(fault, 0.0, 0.6)], world, Journal(tmp_path / "journal.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    wait, give_up_s = threading.Event(), time.monotonic() + 8
    while '"observed_healed"' not in path.read_text():
        assert time.monotonic() < give_up_s, path.read_text()
        wait.wait(0.02)
    nemesis.stop()
    rows = log(tmp_path)
    assert [(row["what"], row["outcome"]) for row in rows] == [
        ("inject", "begun"), ("inject", "done"), ("heal", "begun"), ("heal", "done"),
    ]  # fmt: skip
    for row in rows:
        assert (row["fault"], row["on"]) == ("freeze", "bank.own")
        assert row["who"] == {
            "role": "nemesis", "uid": os.getuid(), "pid": os.getpid(),
            "start_ticks": start_ticks(os.getpid()),
        }  # fmt: skip
        assert row["utc"].endswith("Z")
    assert (rows[0]["pid"], rows[0]["start_ticks"]) == (
        world.server.pid, world.server.start_ticks,
    )  # fmt: skip
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600


def test_a_plan_with_more_targets_than_allowed_is_refused() -> None:
    with pytest.raises(ScenarioError, match="2 things faulted at once, at 17 s"):
        load_scenario(SMOKE, ["safety.max_targets=1"], None)
    loaded = load_scenario(SMOKE, ["safety={max_targets: 2, blind_after: 9s}"], None)
    assert loaded.scenario.safety.max_targets == 2
    assert loaded.scenario.safety.blind_after_s == 9
    with pytest.raises(ScenarioError, match="a duration from 1s to 1min"):
        load_scenario(SMOKE, ["safety.blind_after=1h"], None)


def test_running_code_or_signalling_strangers_needs_a_word_of_the_command_line() -> None:
    scenario = load_scenario(SMOKE, [], None).scenario
    kill = scenario.faults[0]
    assert kill.family == "process"
    assert needs_allow_exec(scenario, "mock") == ()
    check_allowed(scenario, "mock", allow_exec=False)
    with pytest.raises(ScenarioError, match="--allow-exec"):
        check_allowed(scenario, "http", allow_exec=False)
    check_allowed(scenario, "http", allow_exec=True)
    toolkit = FaultSpec("toolkit: x", "toolkit", "experiment", 16.0, 1.0, ())
    both = dataclasses.replace(scenario, faults=(kill, toolkit))
    assert needs_allow_exec(both, "mock") == ("toolkit: x",)
    assert needs_allow_exec(both, "http") == (kill.name, "toolkit: x")


def test_a_dry_run_says_everything_and_touches_nothing(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    ran = command("run", str(SMOKE), "--dry-run", "--out", str(out))
    assert ran.exit == 0, ran.err
    assert not out.exists()
    for said in (
        "16.000 s  fault     inject  process: kill ledger-1",
        "27.000 s  fault     heal    network: latency gateway->bank.partner-a",
        "undo: The toxic is removed from the proxy",
        "at most 2 targets at once",
        "estimate < 1 % for 10 s; no outcome for 6 s",
    ):
        assert said in ran.out, said


def test_a_request_to_stop_is_obeyed_once_it_is_there(tmp_path: Path) -> None:
    flag = StopFlag()
    flag.obey(tmp_path)
    flag.check()
    (tmp_path / REQUEST).write_text("somebody\n")
    with pytest.raises(SafetyError, match="stopped by somebody"):
        flag.check()


def test_nobody_stops_what_nobody_runs(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"no run\.json"):
        list(stop(tmp_path, 1))
    (tmp_path / "run.json").write_text(json.dumps({"controller": {"pid": 1, "start_ticks": -1}}))
    with pytest.raises(ScenarioError, match="nobody runs any more"):
        list(stop(tmp_path, 1))
    assert not (tmp_path / REQUEST).exists()


def test_a_fault_that_will_not_heal_is_shouted(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    Journal(tmp_path / "journal.jsonl").plan(
        "far away", {"kind": "http", "method": "DELETE", "url": "http://192.0.2.1:80/x"}
    )
    for _ in range(2):  # and is not forgotten
        with pytest.raises(SafetyError, match="NOT HEALED: far away"):
            heal(tmp_path)
    ran = command("heal", str(tmp_path))
    assert ran.exit == 4
    assert "NOT HEALED: far away" in ran.err
    assert {row["who"]["role"] for row in log(tmp_path)} == {"heal"}
    assert any("not on loopback" in row["outcome"] for row in log(tmp_path))


def test_what_can_not_be_logged_is_not_injected_but_healed_all_the_same(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "audit.log").mkdir()  # as good as a full disk
    fault = Switch("dark", "ledger-1")
    nemesis = Nemesis([(fault, 0.0, 1.0)], world, Journal(tmp_path / "j"), tmp_path / "f")
    nemesis.start(time.monotonic_ns())
    assert "audit.log" in until_failed(nemesis)
    assert not fault.state["on"]
    (tmp_path / "left").touch()
    undo = {"kind": "remove", "path": str(tmp_path / "left")}
    Journal(tmp_path / "journal.jsonl").plan("left", undo)
    assert undo_all(tmp_path, "test") == ["left: undone"]
    assert not (tmp_path / "left").exists()


def test_no_fault_hits_nobody(world: World, tmp_path: Path) -> None:
    nemesis = Nemesis([(Noop(), 0.0, 0.1)], world, Journal(tmp_path / "j"), tmp_path / "f")
    nemesis.start(time.monotonic_ns())
    nemesis.stop()
    assert nemesis.failure() is None


@pytest.mark.drill
@pytest.mark.timeout(180)
@pytest.mark.slow
def test_a_running_drill_is_stopped_and_not_healed_under_its_feet(tmp_path: Path) -> None:
    running = Running(tmp_path / "out", str(SMOKE), *short())
    run = running.wait_for(
        lambda run: (
            '"observed"' in (run / "faults.jsonl").read_text()
            if (run / "faults.jsonl").exists()
            else False
        )
    )
    refused = command("heal", str(run))
    assert refused.exit == 2
    assert "drawproof stop" in refused.err
    stopped = command("stop", str(run))
    assert stopped.exit == 0, stopped.err
    ran = running.finish()
    assert ran.exit == 4, ran.out + ran.err
    assert ran.verdict["verdict"] == "inconclusive"
    assert "stopped by drawproof stop" in ran.verdict["reason"]
    whole_up_to_the_stop(ran)
    assert "ABORTED: stopped by" in ran.err
    assert Journal(run / "journal.jsonl").pending() == []
    whats = [(row["who"]["role"], row["what"]) for row in log(run)]
    assert ("stop", "stop") in whats
    assert ("nemesis", "inject") in whats
    assert command("stop", str(run)).exit == 2
    assert command("heal", str(run)).exit == 0


@pytest.mark.drill
@pytest.mark.timeout(180)
@pytest.mark.slow
def test_an_undo_that_fails_ends_the_drill_with_a_shout(tmp_path: Path) -> None:
    running = Running(tmp_path / "out", str(SMOKE), *short())
    run = running.at(1)
    Journal(run / "journal.jsonl").plan("planted", {"kind": "magic"})
    assert command("stop", str(run)).exit == 0
    ran = running.finish()
    assert ran.exit == 4
    assert "NOT HEALED: planted" in ran.err
    assert "NOT HEALED: planted" in ran.verdict["reason"]
    roles = {row["who"]["role"] for row in log(run) if row["fault"] == "planted"}
    assert roles == {"guardian"}
