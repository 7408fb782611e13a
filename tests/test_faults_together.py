"""Faults on one place at one time: each is told from the other, or nothing is said of it."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.faults.fault import Sighting, Surroundings
from harness.faults.network_fault import NetworkFault, Toxic
from harness.faults.network_looks import Silent
from harness.guardian.client import Guardian
from harness.guardian.journal import Journal
from harness.nemesis.nemesis import Nemesis
from harness.nemesis.places import near
from harness.nemesis.schedule import Planned
from tests.test_nemesis import DoesNothing
from tests.world import EDGE, World, late


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    run = tmp_path_factory.mktemp("run")
    with Guardian.start(run) as guardian:
        yield World(guardian, run)


@pytest.mark.slow
def test_a_healed_fault_under_another_is_not_said_to_be_there_still(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing passes the edge, so that it looks late as well; it is judged when that is over."""
    monkeypatch.setattr("harness.nemesis.nemesis.HEAL_WITHIN_S", 0.3)
    slow = late(1.0, 0.0, "slow")
    silent = NetworkFault(
        EDGE, Toxic("stall", "downstream", (("duration", 0),)), Silent(False), "s"
    )
    path = tmp_path / "faults.jsonl"
    plan: list[Planned] = [(slow, 0.0, 1.2), (silent, 0.9, 2.5)]
    nemesis = Nemesis(plan, world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    give_up_s = time.monotonic() + 8
    while path.read_text().count("observed_healed") < 2 and nemesis.failure() is None:
        assert time.monotonic() < give_up_s, path.read_text()
        threading.Event().wait(0.02)
    nemesis.stop()
    assert nemesis.failure() is None


@dataclass(frozen=True)
class OfThePrimary(DoesNothing):
    """It is looked at in the primary, which is replaced at the second look."""

    looks: list[int] = field(default_factory=list)

    def observe(self, around: Surroundings) -> Sighting:
        self.looks.append(1)
        if len(self.looks) == 2:
            raise TargetError("the lender has no primary database at present")
        return Sighting(time.monotonic_ns(), True, "")


def test_a_look_for_which_there_is_nothing_now_ends_no_drill(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another fault may have the primary replaced."""
    monkeypatch.setattr("harness.nemesis.nemesis.KEEP_LOOK_S", 0.05)
    path = tmp_path / "faults.jsonl"
    fault = OfThePrimary(late(1.0, 0.0, "x"))
    nemesis = Nemesis([(fault, 0.0, 60.0)], world, Journal(tmp_path / "j.jsonl"), path)
    nemesis.start(time.monotonic_ns())
    give_up_s = time.monotonic() + 8
    while len(fault.looks) < 4 and nemesis.failure() is None:
        assert time.monotonic() < give_up_s, path.read_text()
        threading.Event().wait(0.02)
    assert nemesis.failure() is None
    nemesis.stop(heal=False)


class HalfInjected(DoesNothing):
    """The answer to its injection is lost, as is the first one to its undo: another fault has the
    primary replaced."""

    def inject(self, around: Surroundings) -> None:
        raise TargetError("the console did not answer")


def test_what_was_half_injected_is_undone_as_soon_as_that_can_be(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not only by the guardian, when the lender is gone."""
    said: list[str | None] = ["503", "503", None]
    monkeypatch.setattr("harness.nemesis.life.perform", lambda *_: said.pop(0))
    monkeypatch.setattr("harness.nemesis.nemesis.HEAL_AGAIN_NS", 1)
    journal = Journal(tmp_path / "j.jsonl")
    fault = HalfInjected(late(1.0, 0.0, "x"))
    nemesis = Nemesis([(fault, 0.0, 60.0)], world, journal, tmp_path / "faults.jsonl")
    nemesis.start(time.monotonic_ns())
    give_up_s = time.monotonic() + 8
    while said:
        assert time.monotonic() < give_up_s
        threading.Event().wait(0.02)
    nemesis.stop()
    assert "the console did not answer" in str(nemesis.failure())
    assert journal.pending() == []


@pytest.mark.parametrize(
    ("one", "other", "close"),
    [
        ("gateway->bank.own", "gateway->bank.own", True),
        ("gateway->bank.own", "ledger->bank.partner-a", False),
        ("gateway->bank.own", "bank.own", True),
        ("gateway->bank.own", "gateway-2", True),
        ("risk", "risk-1", True),
        ("risk-1", "risk-2", False),
        ("ledger->database", "ledger-1", True),
        ("bank.partner-a", "bank.partner", False),
        ("site b", "risk-1", True),
    ],
)
def test_what_is_near_enough_to_be_taken_for_another(one: str, other: str, close: bool) -> None:
    assert near(one, other) is close
    assert near(other, one) is close
