"""What ends a fault before its heal: the target's own remedy, or somebody who stops the drill."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.clock import NS_PER_S
from harness.faults.deploy import Rollout
from harness.faults.fault import Healer, Sighting, Surroundings
from harness.guardian.client import Guardian
from harness.guardian.journal import Journal
from harness.judge.exposure import window_ns
from harness.judge.fault_lines import read_fault_lines
from harness.judge.health import judged_seconds
from harness.judge.judge import judge
from harness.judge.recovery import healed_ns
from harness.nemesis.nemesis import Nemesis
from tests.run_views import T0_NS, clean
from tests.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    run = tmp_path_factory.mktemp("run")
    with Guardian.start(run) as guardian:
        yield World(guardian, run)


@dataclass(frozen=True)
class Version:
    """Is there for some looks, and then the target has taken it back."""

    name: str = "deploy: rollout risk"
    edge_or_replica: str = "risk"
    healer: Healer = "nemesis"
    bites_within_s: float = 5.0
    look_s_max: float = 0.05
    looks: list[bool] = field(default_factory=lambda: [False, True, True, False])
    healed: threading.Event = field(default_factory=threading.Event)
    remedied: bool = True

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return {"kind": "nothing"}

    def inject(self, around: Surroundings) -> None:
        return None

    def heal(self, around: Surroundings) -> None:
        self.healed.set()

    def observe(self, around: Surroundings) -> Sighting:
        bites = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return Sighting(time.monotonic_ns(), bites, "", remedied=self.remedied)


def until(path: Path, state: str, count: int = 1) -> None:
    wait, give_up_s = threading.Event(), time.monotonic() + 10
    while path.read_text().count(f'"{state}"') < count:
        assert time.monotonic() < give_up_s, path.read_text()
        wait.wait(0.02)


@pytest.mark.slow
def test_a_remedy_of_the_targets_own_ends_the_bite_and_the_heal_comes_all_the_same(
    world: World, tmp_path: Path
) -> None:
    path, fault = tmp_path / "faults.jsonl", Version()
    journal = Journal(tmp_path / "journal.jsonl")
    nemesis = Nemesis([(fault, 0.0, 4.0)], world, journal, path)
    nemesis.start(time.monotonic_ns())
    until(path, "observed_healed")
    assert not fault.healed.is_set()
    assert nemesis.active() == []
    assert [name for name, _ in journal.pending()] == [fault.name], "its undo is still to come"
    until(path, "healed")
    nemesis.stop()
    assert fault.healed.is_set()
    assert journal.pending() == []
    assert nemesis.failure() is None
    (line,) = read_fault_lines(path)
    assert line.healer == "target"
    assert line.observed_ns is not None
    assert line.healed_ns is not None
    assert line.heal_observed_ns is not None
    assert line.observed_ns < line.heal_observed_ns < line.healed_ns - NS_PER_S
    assert healed_ns(line) == line.heal_observed_ns
    assert window_ns(clean(), line) == (line.observed_ns, line.heal_observed_ns)


@pytest.mark.slow
def test_a_look_that_sees_nothing_is_no_remedy(world: World, tmp_path: Path) -> None:
    """Of a fault that acts now and then."""
    path = tmp_path / "faults.jsonl"
    fault = Version(remedied=False)
    nemesis = Nemesis([(fault, 0.0, 2.0)], world, Journal(tmp_path / "j"), path)
    nemesis.start(time.monotonic_ns())
    until(path, "observed_healed")
    nemesis.stop()
    (line,) = read_fault_lines(path)
    assert line.healer == "nemesis"
    assert line.healed_ns is not None
    assert line.heal_observed_ns is not None
    assert line.heal_observed_ns >= line.healed_ns


def test_only_a_version_that_all_answer_without_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Two:
        def replicas(self, role: str) -> tuple[str, ...]:
            return ("risk-1", "risk-2")

        def replica_address(self, name: str) -> tuple[str, int]:
            return (name, 0)

    rollout = Rollout("risk", {"name": "2-errors"}, 1.0, half=False, for_s=9.0, name="rollout")
    for said, bites, remedied in (
        (("2-errors", "1"), True, False),
        ((None, "1"), None, False),
        (("1", "1"), False, True),
    ):
        answers = dict(zip(("risk-1", "risk-2"), said, strict=True))
        monkeypatch.setattr(
            "harness.faults.deploy.version_at", lambda address, known=answers: known[address[0]]
        )
        found = rollout.observe(Two())  # type: ignore[arg-type]  # only what it asks for
        assert (found.bites, found.remedied) == (bites, remedied)


def test_who_stops_a_drill_is_not_told_that_a_fault_was_too_short() -> None:
    view = clean()
    (fault,) = view.faults
    stop_ns = T0_NS + 22 * NS_PER_S
    early = replace(
        fault, healed_ns=stop_ns + 1, heal_began_ns=stop_ns, heal_observed_ns=stop_ns + 2
    )
    later = replace(
        fault, name="later", planned_ns=stop_ns + 1, injected_ns=None, observed_ns=None,
        last_observed_ns=None, healed_ns=None, heal_observed_ns=None,
    )  # fmt: skip
    stopped = replace(
        view, faults=(early, later), ended="aborted: stopped", load_end_ns=stop_ns,
        generator=tuple(row for row in view.generator if row.second <= 22),
        scenario=replace(view.scenario, faults=view.scenario.faults * 2),
    )  # fmt: skip
    doubts = judge(stopped).doubts
    assert not [text for text in doubts if "than planned" in text or "later" in text], doubts
    assert "no row" not in " ".join(doubts), "no generator has rows of what was not offered"
    assert judged_seconds(stopped).stop == 22
    complete = replace(stopped, ended="complete")
    told = " ".join(judge(complete).doubts)
    assert "than planned" in told
    assert "later: never observed" in told
    record = json.dumps([str(doubt) for doubt in doubts])
    assert "did not complete: aborted: stopped" in record
