"""The nemesis and its faults: real processes, seen from outside."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.clock import NS_PER_S
from harness.errors import TargetError
from harness.faults.fault import Healer, Noop, Sighting, Surroundings
from harness.faults.network_fault import NetworkFault
from harness.faults.probes import probe_s
from harness.faults.process import ProcessKill
from harness.guardian.client import Guardian
from harness.guardian.journal import Journal
from harness.guardian.undo import perform
from harness.judge.fault_lines import read_fault_lines
from harness.nemesis import nemesis as nemesis_room
from harness.nemesis.nemesis import Nemesis
from harness.nemesis.schedule import Planned, schedule
from harness.processes import start_ticks
from tests.world import EDGE, World, late


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    run = tmp_path_factory.mktemp("run")
    with Guardian.start(run) as guardian:
        yield World(guardian, run)


def test_the_schedule_is_in_order_and_heals_before_it_injects() -> None:
    faults = [(Noop(), 2.0, 3.0), (Noop(), 5.0, None), (Noop(), 1.0, 9.0)]
    steps = schedule(faults, 100 * NS_PER_S)
    assert [(s.at_ns // NS_PER_S - 100, s.action, s.number) for s in steps] == [
        (1, "inject", 2), (2, "inject", 0), (5, "heal", 0), (5, "inject", 1), (10, "heal", 2),
    ]  # fmt: skip


def finish(nemesis: Nemesis, path: Path, enough: str, within_s: float = 6) -> None:
    """Until the record says `enough`, then stop."""
    give_up_s = time.monotonic() + within_s
    wait = threading.Event()
    while not (path.exists() and f'"{enough}"' in path.read_text()):
        assert time.monotonic() < give_up_s, path.read_text()
        wait.wait(0.02)
    nemesis.stop()


def test_latency_is_seen_from_outside_and_seen_healed(world: World, tmp_path: Path) -> None:
    fault = late(1.0, 0.1, "slow")
    path = tmp_path / "faults.jsonl"
    journal = Journal(tmp_path / "journal.jsonl")
    nemesis = Nemesis([(fault, 0.1, 1.5)], world, journal, path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "observed_healed")
    (line,) = read_fault_lines(path)
    assert nemesis.failure() is None
    assert line.injected_ns is not None
    assert line.observed_ns is not None
    assert line.healed_ns is not None
    assert line.heal_observed_ns is not None
    assert line.injected_ns <= line.observed_ns < line.healed_ns <= line.heal_observed_ns
    assert journal.pending() == []
    quick_s = probe_s(world.listen, 1)
    assert quick_s is not None
    assert quick_s < 0.5  # late by 1.0 s it was


def test_a_fault_still_on_when_stopped_is_healed(world: World, tmp_path: Path) -> None:
    fault = late(1.0, 0.0, "slow")
    path = tmp_path / "faults.jsonl"
    nemesis = Nemesis([(fault, 0.0, 600.0)], world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "observed")
    assert probe_s(world.listen, 0.5) is not None


def test_a_kill_is_seen_as_refused_and_the_restart_as_an_answer(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "faults.jsonl"
    fault = ProcessKill("bank.own", healer="nemesis", name="kill")
    nemesis = Nemesis([(fault, 0.0, 0.6)], world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "observed_healed")
    (line,) = read_fault_lines(path)
    assert line.observed_ns is not None
    assert line.heal_observed_ns is not None


def test_a_pid_that_belongs_to_another_is_not_killed(world: World) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    class Elsewhere(World):
        def __init__(self) -> None:
            return

        def replica_pid(self, replica: str) -> tuple[int, int]:
            return sleeper.pid, 1

    try:
        with pytest.raises(TargetError, match="another process"):
            ProcessKill("x", healer="nobody", name="kill").inject(Elsewhere())
        assert start_ticks(sleeper.pid) is not None
    finally:
        sleeper.kill()
        sleeper.wait()


@dataclass(frozen=True)
class DoesNothing:
    """An injector that claims and does nothing."""

    inner: NetworkFault

    name: str = "nothing"
    edge_or_replica: str = EDGE
    bites_within_s: float = 0.5
    look_s_max: float = 0.2
    healer: Healer = "nemesis"

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return {"kind": "nothing"}

    def inject(self, around: Surroundings) -> None:
        return None

    def heal(self, around: Surroundings) -> None:
        return None

    def observe(self, around: Surroundings) -> Sighting:
        return self.inner.observe(around)


@dataclass(frozen=True)
class WillNotHeal(DoesNothing):
    """A fault whose heal fails."""

    def heal(self, around: Surroundings) -> None:
        raise TargetError("it does not answer")


def test_a_heal_that_fails_leaves_no_other_unhealed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nemesis_room, "HEALS_WITHIN_S", 0.1)
    stubborn = WillNotHeal(late(1.0, 0.0, "x"), name="stubborn")
    slow = late(1.0, 0.0, "slow")
    path = tmp_path / "faults.jsonl"
    plan: list[Planned] = [(stubborn, 0.0, 600.0), (slow, 0.0, 600.0)]
    nemesis = Nemesis(plan, world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "observed")
    assert "it does not answer" in str(nemesis.failure())
    quick_s = probe_s(world.listen, 1)
    assert quick_s is not None
    assert quick_s < 0.5  # late by 1.0 s it was


@dataclass(frozen=True)
class HealsLater(DoesNothing):
    """A fault whose target can't heal it at first: it is without a database, say."""

    asked: list[int] = field(default_factory=list)

    def heal(self, around: Surroundings) -> None:
        self.asked.append(time.monotonic_ns())
        if len(self.asked) < 3:
            raise TargetError("there is no primary")

    def observe(self, around: Surroundings) -> Sighting:
        return Sighting(time.monotonic_ns(), len(self.asked) < 3, "")


@pytest.mark.parametrize("for_s", [0.3, 600.0])
def test_a_target_that_can_not_heal_now_is_asked_again(
    world: World, tmp_path: Path, for_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the heal is due, and at the end; a drill that goes on is not aborted for it."""
    monkeypatch.setattr(nemesis_room, "HEAL_AGAIN_NS", NS_PER_S // 20)
    fault = HealsLater(late(1.0, 0.0, "x"))
    path, journal = tmp_path / "faults.jsonl", Journal(tmp_path / "j.jsonl")
    nemesis = Nemesis([(fault, 0.0, for_s)], world, journal, path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "observed_healed" if for_s < 1 else "observed")
    assert len(fault.asked) == 3
    assert nemesis.failure() is None
    assert journal.pending() == []
    (line,) = read_fault_lines(path)
    assert line.heal_observed_ns is not None


def test_an_injector_that_does_nothing_is_never_observed(world: World, tmp_path: Path) -> None:
    fault = DoesNothing(late(1.0, 0.0, "slow"))
    path = tmp_path / "faults.jsonl"
    nemesis = Nemesis([(fault, 0.0, 2.0)], world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    finish(nemesis, path, "failed")
    (line,) = read_fault_lines(path)
    assert line.observed_ns is None
    assert "never observed" in str(line.failure)


def test_a_fault_that_can_not_be_injected_aborts(world: World, tmp_path: Path) -> None:
    class Gone(World):
        def __init__(self) -> None:
            return

        def replica_pid(self, replica: str) -> tuple[int, int]:
            raise TargetError("no such replica")

    fault = ProcessKill("x", healer="nobody", name="kill")
    nemesis = Nemesis([(fault, 0.0, None)], Gone(), Journal(tmp_path / "j"), tmp_path / "f")
    nemesis.start(time.monotonic_ns())
    give_up_s = time.monotonic() + 3
    wait = threading.Event()
    while nemesis.failure() is None and time.monotonic() < give_up_s:
        wait.wait(0.02)
    nemesis.stop()
    assert "no such replica" in str(nemesis.failure())


def test_the_undo_of_a_latency_is_enough_to_end_it(world: World) -> None:
    """What the guardian would do with the journal alone."""
    fault = late(1.0, 0.0, "slow")
    undo = fault.undo(world)
    fault.inject(world)
    assert fault.observe(world).bites
    assert perform(undo, world.run) is None
    assert fault.observe(world).bites is False


@dataclass(frozen=True)
class LooksLong(DoesNothing):
    """Its looks may take long, and usually don't."""

    look_s_max: float = 30.0

    def observe(self, around: Surroundings) -> Sighting:
        return Sighting(time.monotonic_ns(), True, "there")


def test_a_short_fault_is_seen_until_its_heal_though_a_look_may_take_long(
    world: World, tmp_path: Path
) -> None:
    """Else it is never seen, or has touched nothing after the first look."""
    path = tmp_path / "faults.jsonl"
    fault = LooksLong(late(1.0, 0.0, "x"))
    nemesis = Nemesis([(fault, 0.0, 2.0)], world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    give_up_s = time.monotonic() + 6
    while '"healed"' not in path.read_text():
        assert time.monotonic() < give_up_s
        threading.Event().wait(0.02)
    nemesis.stop(heal=False)
    (line,) = read_fault_lines(path)
    assert line.observed_ns is not None
    assert line.last_observed_ns is not None
    assert line.healed_ns is not None
    assert line.healed_ns - line.last_observed_ns < NS_PER_S


class Blind(DoesNothing):
    """Its look has a defect."""

    def observe(self, around: Surroundings) -> Sighting:
        raise KeyError("what")


def test_a_defect_of_a_look_ends_the_drill_and_leaves_nothing_injected(
    world: World, tmp_path: Path
) -> None:
    plan: list[Planned] = [(late(1.0, 0.0, "slow"), 0.0, 9.0), (Blind(late(1.0, 0.0, "x")), 0.1, 9)]
    nemesis = Nemesis(plan, world, Journal(tmp_path / "j.jsonl"), tmp_path / "faults.jsonl")
    nemesis.start(time.monotonic_ns())
    give_up_s = time.monotonic() + 5
    while nemesis.failure() is None:
        assert time.monotonic() < give_up_s
        threading.Event().wait(0.02)
    nemesis.stop()
    assert "a look at nothing broke: KeyError('what')" in str(nemesis.failure())
    assert probe_s(world.listen, 0.5) is not None


def test_a_fault_that_was_never_seen_is_still_in_force(world: World, tmp_path: Path) -> None:
    plan: list[Planned] = [(DoesNothing(late(1.0, 0.0, "x")), 0.0, 9.0)]
    path = tmp_path / "faults.jsonl"
    nemesis = Nemesis(plan, world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    give_up_s = time.monotonic() + 5
    while '"failed"' not in path.read_text():
        assert time.monotonic() < give_up_s
        threading.Event().wait(0.02)
    assert nemesis.active() == ["nothing"]
    nemesis.stop()


def test_the_record_has_the_brackets_of_both_calls(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    common = {"fault": "x", "edge_or_replica": "ledger-1", "healer": "nemesis", "detail": ""}
    rows: list[dict[str, Any]] = [
        {"state": "planned", "at_ns": 1, "before_ns": None},
        {"state": "injected", "at_ns": 5, "before_ns": 3},
        {"state": "observed", "at_ns": 6, "before_ns": None},
        {"state": "healed", "at_ns": 9, "before_ns": 8},
    ]
    path.write_text("".join(json.dumps(common | row) + "\n" for row in rows))
    (line,) = read_fault_lines(path)
    assert (line.inject_began_ns, line.injected_ns) == (3, 5)
    assert (line.heal_began_ns, line.healed_ns) == (8, 9)
