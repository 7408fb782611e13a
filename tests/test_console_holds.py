"""What is held at the console when nobody knows whether it was taken: no database, no lender."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ScenarioError
from harness.scenario.loader import load_scenario
from mock_lender.cluster.config import CapacityConfig, LenderConfig, TierConfig
from mock_lender.cluster.postgres import Access
from mock_lender.console import limits, money
from mock_lender.console.app import Console
from mock_lender.console.hold import RefusedError
from mock_lender.context import ServiceContext
from mock_lender.ledger import setup
from mock_lender.telemetry import Telemetry
from tests.drills import SMOKE
from tests.lender_process import TOKEN

AGREED_FEN = 1_000
TIERS = (TierConfig("own", "bank.own", 1.0, 10**6, hour_limit_fen=AGREED_FEN),)
CUT = {"kind": "limits", "tier": "own", "limit": "hourly", "to": 0.25, "lease_s": 60.0}
DRAIN = {"kind": "drain", "tier": "own", "share": 0.5, "lease_s": 60.0}


class Books:
    """Stands in for the ledger's database: a tier's hourly limit, and its money by keys. `lost`:
    how many of the next answers are lost, once what was asked for is committed, or before."""

    def __init__(self) -> None:
        self.limit_fen = AGREED_FEN
        self.moved: dict[str, int] = {}
        self.lost: list[str] = []

    @property
    def money_fen(self) -> int:
        return 100 + sum(self.moved.values())

    def _answer(self, commit: Any) -> None:
        how = self.lost.pop(0) if self.lost else "heard"
        if how != "before":
            commit()
        if how != "heard":
            raise ConnectionResetError("the connection died")

    async def set_limits(self, _: str, __: str, hour_fen: int | None, *___: object) -> int:
        self._answer(lambda: setattr(self, "limit_fen", hour_fen))
        return 1

    async def move_treasury(self, _: str, __: str, amount_fen: int, key: str, ___: int) -> bool:
        self._answer(lambda: self.moved.setdefault(key, amount_fen))
        return True

    async def available_fen(self, *_: object) -> int:
        return self.money_fen


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    made = Books()
    monkeypatch.setattr(limits, "primary_dsn", lambda _: "here")
    monkeypatch.setattr(money, "primary_dsn", lambda _: "here")
    monkeypatch.setattr(setup, "set_limits", made.set_limits)
    monkeypatch.setattr(money, "move_treasury", made.move_treasury)
    monkeypatch.setattr(money, "available_fen", made.available_fen)
    return made


def console(tmp_path: Path) -> Console:
    made = LenderConfig(
        work_dir="", telemetry_dir=str(tmp_path), topology_json="", population_csv="",
        cache_dir="", token=TOKEN, protections=(), replicas={}, tiers=TIERS,
        capacity=CapacityConfig(1, 1, 1, 0.0), barred_purposes=(),
    )  # fmt: skip
    telemetry = Telemetry(tmp_path, "console-1")
    ctx = ServiceContext("console-1", "console", made, {}, tmp_path / "w", Access("p"), telemetry)
    return Console(ctx)


@pytest.mark.parametrize("lost", [[], ["after"], ["before"], ["after", "before"]], ids=str)
@pytest.mark.parametrize("body", [CUT, DRAIN], ids=lambda body: body["kind"])
def test_it_is_as_it_was_once_released_whatever_was_heard_of_its_taking(
    tmp_path: Path, books: Books, body: dict[str, Any], lost: list[str]
) -> None:
    async def all_of_it() -> None:
        made, books.lost = console(tmp_path), list(lost)
        if lost:
            with pytest.raises(ConnectionResetError):
                await made.take("a", body)
        else:
            await made.take("a", body)
        if lost[:1] != ["before"]:
            assert (books.limit_fen, books.money_fen) in ((AGREED_FEN // 4, 100), (AGREED_FEN, 50))
        assert made.names() == ["a"]
        if books.lost:  # nor is the first answer to the release heard
            with pytest.raises(ConnectionResetError):
                await made.release("a")
        assert await made.release("a")
        assert (books.limit_fen, books.money_fen) == (AGREED_FEN, 100)
        assert made.names() == []

    asyncio.run(all_of_it())


def test_what_was_refused_is_not_held(tmp_path: Path, books: Books) -> None:
    async def all_of_it() -> None:
        made = console(tmp_path)
        with pytest.raises(RefusedError, match="own has no daily limit"):
            await made.take("a", {**CUT, "limit": "daily"})
        assert made.names() == []

    asyncio.run(all_of_it())


def test_cuts_of_one_tier_that_overlap_give_back_what_was_agreed(
    tmp_path: Path, books: Books
) -> None:
    async def all_of_it() -> None:
        made = console(tmp_path)
        await made.take("a", CUT)
        assert (await made.take("b", {**CUT, "to": 0.5}))["was_fen"] == AGREED_FEN
        await made.release("a")
        await made.release("b")
        assert books.limit_fen == AGREED_FEN

    asyncio.run(all_of_it())


@pytest.mark.parametrize(("at_s", "limit", "fits"), [
    (3, "hourly", False), (3, "daily", False), (6, "hourly", True),
])  # fmt: skip
def test_a_scenario_with_such_cuts_is_refused(at_s: int, limit: str, fits: bool) -> None:
    first = "{business: limit_cut, target: own, at: fault+1s, for: 5s}"
    second = f"{{business: limit_cut, target: own, limit: {limit}, at: fault+{at_s}s, for: 2s}}"
    changes = (
        "cause=liquidity", "lender.calendar={hour: 4s, hours: 3}", f"faults=[{first}, {second}]",
        "lender.tiers={own: {share: 100 %, hourly: 50 %, daily: 90 %}}",
    )  # fmt: skip
    if fits:
        assert len(load_scenario(SMOKE, changes, None).scenario.faults) == 2
        return
    with pytest.raises(ScenarioError, match=r"faults.1: found at the same time .*one of a kind"):
        load_scenario(SMOKE, changes, None)
