"""The ledger against a model of it: random transactions on the real database, state by state."""

import asyncio
import csv
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.target.cache import cache_dir
from mock_lender.cluster.clocks import offset_ns
from mock_lender.cluster.config import TierConfig
from mock_lender.cluster.postgres import SHOWN, Postgres, PostgresError
from mock_lender.ledger import setup
from mock_lender.ledger.store import Store

LIMIT_FEN = 1000
TIER_FEN = 10**9
NUMBERS = itertools.count(1)
OFFSET_NS = offset_ns()


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One database for the module; each example uses borrowers and keys of its own."""
    folder = tmp_path_factory.mktemp("database")
    log = folder / "log"
    server = Postgres.start(folder, cache_dir(folder), log, 40)
    try:
        server.wait_listening(log)
        population = folder / "population.csv"
        people = "\n".join(f"{n},new,{LIMIT_FEN},0,0" for n in range(1, 20_000))
        population.write_text(f"borrower,group,limit_fen,barred,delinquent\n{people}\n")
        tiers = [TierConfig(t, f"bank.{t}", 0.5, TIER_FEN) for t in ("own", "partner-a")]
        asyncio.run(setup.prepare(server.dsn, population, tiers, SHOWN))
        yield server.dsn
    finally:
        server.stop()


def body(key: str, borrower: int, amount_fen: int, **more: object) -> dict[str, Any]:
    return {
        "draw_key": key, "borrower": borrower, "amount_fen": amount_fen, "purpose": "education",
        "body_hash": str(amount_fen), "nonce": "n", "avoid": [], "gateway": "gateway-1",
        "risk_policy": 1, "risk_ns": 1, "compliance_rules": 1, "compliance_ns": 1, **more,
    }  # fmt: skip


@dataclass
class Model:
    """What the ledger should be: limit, and each draw's state, amount and try."""

    state: dict[str, str] = field(default_factory=dict)
    amount_fen: dict[str, int] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)

    def _sum(self, state: str) -> int:
        return sum(self.amount_fen[k] for k, found in self.state.items() if found == state)

    @property
    def held_fen(self) -> int:
        return self._sum("paying")

    @property
    def outstanding_fen(self) -> int:
        return self._sum("paid")

    def reserve(self, key: str, amount_fen: int) -> str:
        if key in self.state and self.amount_fen[key] != amount_fen:
            return "key-reused"
        now = self.state.setdefault(key, "requested")
        self.amount_fen[key] = amount_fen
        if now == "paying":
            return "in-progress"
        if now in ("paid", "refused"):
            return now
        if amount_fen > LIMIT_FEN - self.held_fen - self.outstanding_fen:
            self.state[key] = "refused"
        else:
            self.state[key] = "paying"
            self.tries[key] = self.tries.get(key, 0) + 1
        return self.state[key]

    def end(self, key: str, try_: int, event: str, by: str) -> None:
        if self.tries.get(key) != try_ or self.state[key] != "paying":
            return
        if event == "not_sent" and by != "gateway-1":
            return
        self.state[key] = "paid" if event == "post" else "voided"


KEYS = st.sampled_from(["a", "b", "c", "d"])
RESERVE = st.tuples(st.just("reserve"), KEYS, st.sampled_from([100, 400, 700, 1001]))
END = st.tuples(
    st.sampled_from(["post", "closed", "not_sent"]), KEYS, st.integers(1, 3),
    st.sampled_from(["gateway-1", "gateway-2"]),
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.one_of(RESERVE, END), min_size=1, max_size=25))
def test_any_order_of_transactions_follows_the_model(dsn: str, steps: list[Any]) -> None:
    number = next(NUMBERS)

    async def go() -> None:
        store = await Store.open(dsn, 2, OFFSET_NS)
        model = Model()
        try:
            for place, step in enumerate(steps):
                key = f"{number}-{step[1]}"
                if step[0] == "reserve":
                    expected = model.reserve(key, step[2])
                    found = await store.reserve(body(key, number, step[2], nonce=str(place)))
                    assert found["state"] == expected, (steps, place, found)
                elif step[0] == "post":
                    model.end(key, step[2], "post", step[3])
                    await store.post(key, step[2], step[3])
                else:
                    model.end(key, step[2], step[0], step[3])
                    await store.void(key, step[2], step[0], step[3])
                quota = await store.quota(number)
                assert quota is not None
                assert quota["held_fen"] == model.held_fen, (steps, place)
                assert quota["outstanding_fen"] == model.outstanding_fen, (steps, place)
            for key, state in model.state.items():
                draw = await store.draw(key)
                assert draw is not None
                assert draw["state"] == state
        finally:
            store.close()

    asyncio.run(go())


def test_the_same_request_again_gets_the_same_try(dsn: str) -> None:
    async def go() -> None:
        store = await Store.open(dsn, 2, OFFSET_NS)
        first = await store.reserve(body("again-1", 15_000, 10, nonce="x"))
        assert await store.reserve(body("again-1", 15_000, 10, nonce="x")) == first
        other = await store.reserve(body("again-1", 15_000, 10, nonce="y"))
        assert other["state"] == "in-progress"
        store.close()

    asyncio.run(go())


def test_tiers_are_chosen_by_share_and_avoided_when_asked(dsn: str) -> None:
    async def go() -> None:
        store = await Store.open(dsn, 4, OFFSET_NS)
        wanted = [body(f"share-{n}", 16_000 + n, 10) for n in range(300)]
        found = [(await store.reserve(one))["tier"] for one in wanted]
        assert 110 < found.count("own") < 190
        avoiding = [body(f"avoid-{n}", 17_000 + n, 10, avoid=["own"]) for n in range(20)]
        assert {(await store.reserve(one))["tier"] for one in avoiding} == {"partner-a"}
        both = body("avoid-both", 18_000, 10, avoid=["own", "partner-a"])
        assert (await store.reserve(both))["state"] == "paying"
        rich = body("no-money-1", 18_001, 10)
        assert (await store.reserve(rich))["state"] == "paying"
        store.close()

    asyncio.run(go())


def test_stale_tries_are_claimed_by_one_sweeper(dsn: str) -> None:
    async def go() -> None:
        store = await Store.open(dsn, 4, OFFSET_NS)
        await store.reserve(body("stale-1", 19_000, 10))
        claims = await asyncio.gather(*(store.claim_stale(0.0, 60.0, 1000) for _ in range(4)))
        keys = [one.draw_key for claim in claims for one in claim]
        assert keys.count("stale-1") == 1
        assert not await store.claim_stale(3600.0, 0.0, 1000)
        store.close()

    asyncio.run(go())


def test_versions_are_dated_in_their_order_by_many_processes(dsn: str, tmp_path: Path) -> None:
    """One hot tier from several connections while the machine is busy: dates never overtake."""

    async def go() -> None:
        store = await Store.open(dsn, 8, OFFSET_NS)
        keys = [f"dated-{n}" for n in range(200)]
        wanted = [body(key, 19_100 + n, 10, avoid=["own"]) for n, key in enumerate(keys)]
        before_ns = time.monotonic_ns()
        await asyncio.gather(*(store.reserve(one) for one in wanted))
        after_ns = time.monotonic_ns()
        store.close()
        await setup.export(dsn, tmp_path)
        with (tmp_path / "versions.csv").open(newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row["account"] == "tier:partner-a"]
        dates = [int(row["locked_ns"]) for row in rows]
        assert dates == sorted(dates)
        mine = [int(row["locked_ns"]) for row in rows if row["draw_key"] in keys]
        assert len(mine) == 200
        assert before_ns <= min(mine) <= max(mine) <= after_ns

    asyncio.run(go())


def test_a_missing_binary_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWPROOF_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(PostgresError, match="DRAWPROOF_POSTGRES_BIN"):
        Postgres.start(tmp_path, tmp_path / "cache", tmp_path / "log", 10)
