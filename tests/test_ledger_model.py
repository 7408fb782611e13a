"""The ledger against a model of it: a state machine drives both, on a real database."""

import asyncio
import csv
import hashlib
import itertools
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mock_lender.cluster.binaries import PostgresError, binaries
from mock_lender.cluster.config import TierConfig
from mock_lender.ledger import setup
from mock_lender.ledger.database import Database
from mock_lender.ledger.store import Store
from mock_lender.telemetry import Telemetry
from tests.databases import ACCESS, OFFSET_NS, TERMS, Books, one_database, store_of

LIMIT_FEN = 1000
TIER_FEN = {"own": 3000, "partner-a": 2000}
OWN_BP = 3000
NUMBERS = itertools.count(1)
MOVES = itertools.count(1)
KEYS = st.sampled_from(["a", "b", "c", "d", "e"])
WHO = st.sampled_from([0, 1])
GATEWAYS = st.sampled_from(["gateway-1", "gateway-2"])
T = TypeVar("T")


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """One database for the module; each test uses borrowers and keys of its own."""
    people = "\n".join(f"{n},new,{LIMIT_FEN},0,0" for n in range(1, 20_000))
    tiers = [TierConfig(t, f"bank.{t}", 0.5, 10**9) for t in ("own", "partner-a")]
    with one_database(tmp_path_factory.mktemp("database"), people, tiers) as made:
        yield made


@pytest.fixture(scope="module")
def scarce(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """Tiers with little money in several slices, lending jointly."""
    people = "\n".join(f"{n},new,{LIMIT_FEN},0,0" for n in range(1, 20_000))
    tiers = [
        TierConfig("own", "bank.own", 0.5, TIER_FEN["own"], slices=3),
        TierConfig("partner-a", "bank.partner-a", 0.5, TIER_FEN["partner-a"], OWN_BP, slices=4),
    ]
    with one_database(tmp_path_factory.mktemp("scarce"), people, tiers) as made:
        yield made


def body(key: str, borrower: int, amount_fen: int, **more: object) -> dict[str, Any]:
    return {
        "draw_key": key, "borrower": borrower, "amount_fen": amount_fen, "purpose": "education",
        "body_hash": f"{borrower}/{amount_fen}", "nonce": "n", "avoid": [],
        "gateway": "gateway-1", "risk_policy": 1, "risk_ns": 1, "compliance_rules": 1,
        "compliance_ns": 1, **TERMS, **more,
    }  # fmt: skip


class World:
    """What outlives an example: tiers' money, and the connection to the database."""

    def __init__(self, books: Books) -> None:
        self.money_fen = dict(TIER_FEN)
        self.loop = asyncio.new_event_loop()
        self.database = Database(
            books.witness_json, ACCESS, 2, Telemetry(books.witness_json.parent, "ledger-1")
        )
        self.dsn = books.dsn
        self.store = Store(self.database, OFFSET_NS)
        self.following = self.loop.create_task(self.database.follow())
        self.do(self.database.there(5.0))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.following.cancel()
        self.database.close()
        self.do(asyncio.sleep(0))
        self.loop.close()


class Ledger(RuleBasedStateMachine):
    """Borrowers 0 and 1 of an example draw under five keys, repay, crash and press again; both the
    database and the model are asked after each step what is held and owed."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.number = next(NUMBERS)
        self.presses = 0
        self.state: dict[str, str] = {}
        self.draw: dict[str, tuple[int, int]] = {}
        self.tries: dict[str, list[tuple[str, str]]] = {}
        self.nonce: dict[str, str] = {}
        self.repaid: dict[str, tuple[int, int, str]] = {}
        self.repaid_fen = [0, 0]

    def key(self, name: str) -> str:
        return f"machine-{self.number}-{name}"

    def borrower(self, who: int) -> int:
        return 2 * self.number + who

    def total_fen(self, who: int, state: str) -> int:
        return sum(
            amount_fen
            for key, (mine, amount_fen) in self.draw.items()
            if mine == who and self.state[key] == state
        )

    def owed_fen(self, who: int) -> int:
        return self.total_fen(who, "paid") - self.repaid_fen[who]

    @staticmethod
    def parts(tier: str, amount_fen: int) -> dict[str, int]:
        """What a draw takes from each tier."""
        own_fen = amount_fen * OWN_BP // 10_000 if tier == "partner-a" else 0
        return {"own": own_fen, tier: amount_fen - own_fen} if own_fen else {tier: amount_fen}

    def fits(self, tier: str, amount_fen: int) -> bool:
        parts = self.parts(tier, amount_fen)
        return all(fen <= self.world.money_fen[name] for name, fen in parts.items())

    def move(self, tier: str, amount_fen: int, sign: int) -> None:
        for name, fen in self.parts(tier, amount_fen).items():
            self.world.money_fen[name] += sign * fen

    def expected(self, key: str, who: int, amount_fen: int, avoid: list[str]) -> tuple[str, str]:
        """The state a reserve must answer, and the tier."""
        if self.draw.setdefault(key, (who, amount_fen)) != (who, amount_fen):
            return "key-reused", ""
        now = self.state.setdefault(key, "requested")
        if now == "paying":
            return "in-progress", ""
        if now in ("paid", "refused"):
            return now, ""
        if now == "expired":
            return "gone", ""
        if amount_fen > LIMIT_FEN - self.total_fen(who, "paying") - self.owed_fen(who):
            return "refused", ""
        point = int(hashlib.md5(key.encode()).hexdigest()[:8], 16) / 2**32  # noqa: S324
        first = "own" if point < 0.5 else "partner-a"
        order = sorted(TIER_FEN, key=lambda tier: (tier in avoid, tier != first))
        fitting = [tier for tier in order if self.fits(tier, amount_fen)]
        return ("paying", fitting[0]) if fitting else ("no-money", "")

    @rule(
        name=KEYS, who=WHO, amount_fen=st.sampled_from([1, 100, 333, 700, 1001]),
        avoid=st.lists(st.sampled_from(["own", "partner-a"]), max_size=1),
        lost=st.booleans(),
    )  # fmt: skip
    def reserve(self, name: str, who: int, amount_fen: int, avoid: list[str], lost: bool) -> None:
        """`lost`: the answer never came, and the same request is made again."""
        key, nonce = self.key(name), f"press-{next(MOVES)}"
        state, tier = self.expected(key, who, amount_fen, avoid)
        asked = body(key, self.borrower(who), amount_fen, nonce=nonce, avoid=avoid)
        found = self.world.do(self.world.store.reserve(asked))
        assert (found["state"], found.get("tier") if tier else "") == (state, tier)
        if state == "paying":
            self.move(tier, amount_fen, -1)
            self.tries.setdefault(key, []).append((tier, "paying"))
            assert found["try"] == len(self.tries[key])
        if state in ("paying", "refused"):
            self.state[key] = state
        if lost and state in ("paying", "paid", "refused"):
            assert self.world.do(self.world.store.reserve(asked)) == found

    @rule(
        event=st.sampled_from(["post", "closed", "not_sent"]), name=KEYS, back=st.integers(0, 1),
        by=GATEWAYS,
    )  # fmt: skip
    def end(self, event: str, name: str, back: int, by: str) -> None:
        key = self.key(name)
        number = len(self.tries.get(key, [])) - back
        if event == "post":
            found = self.world.do(self.world.store.post(key, number, by))
        else:
            found = self.world.do(self.world.store.void(key, number, event, by))
        if number < 1:
            assert found["state"] == "unknown"
            return
        tier, state = self.tries[key][number - 1]
        if state == "paying" and not (event == "not_sent" and by != "gateway-1"):
            state = "paid" if event == "post" else "voided"
            self.state[key] = state
            self.tries[key][number - 1] = (tier, state)
            if state == "voided":
                self.move(tier, self.draw[key][1], +1)
        shown = "not_sent" if found["state"] == "not_sent" else state
        assert found["state"] == (shown if event == "post" else state)

    @rule(name=st.sampled_from(["r1", "r2"]), who=WHO, amount_fen=st.sampled_from([1, 100, 333]))
    def repay(self, name: str, who: int, amount_fen: int) -> None:
        key = self.key(name)
        mine, fen, state = self.repaid.get(key, (who, amount_fen, ""))
        if (mine, fen) != (who, amount_fen):
            expected = "key-reused"
        else:
            enough = amount_fen <= self.owed_fen(who)
            expected = state or ("repaid" if enough else "refused")
            if not state:
                self.repaid[key] = (who, amount_fen, expected)
                self.repaid_fen[who] += amount_fen if expected == "repaid" else 0
        found = self.world.do(self.world.store.repay(key, self.borrower(who), amount_fen))
        assert found["state"] == expected

    @rule(tier=st.sampled_from(sorted(TIER_FEN)), amount_fen=st.sampled_from([5, 1000, -7, -900]))
    def treasury(self, tier: str, amount_fen: int) -> None:
        moved = self.world.do(
            setup.move_treasury(self.world.dsn, tier, amount_fen, f"move-{next(MOVES)}", OFFSET_NS)
        )
        enough = self.world.money_fen[tier] + amount_fen >= 0
        assert moved == enough
        if enough:
            self.world.money_fen[tier] += amount_fen

    @rule()
    def sweep(self) -> None:
        """Nothing is stale yet; what is claimed is not claimed again."""
        mine = [
            one.draw_key
            for one in self.world.do(self.world.store.claim_stale(60.0, 1000))
            if one.draw_key.startswith(f"machine-{self.number}-")
        ]
        assert mine == []

    @rule()
    def expire(self) -> None:
        self.world.do(self.world.store.expire(0.0, 1000))
        for key, state in self.state.items():
            if state in ("requested", "voided"):
                self.state[key] = "expired"

    @precondition(lambda self: self.presses == 0)
    @rule()
    def connections_break(self) -> None:
        self.presses += 1
        self.world.database.close()
        self.world.do(self.world.database.there(5.0))

    @invariant()
    def the_books_are_the_models(self) -> None:
        for who in (0, 1):
            quota = self.world.do(self.world.store.quota(self.borrower(who)))
            assert quota is not None
            assert quota["held_fen"] == self.total_fen(who, "paying")
            assert quota["outstanding_fen"] == self.owed_fen(who)
        for key, state in self.state.items():
            draw = self.world.do(self.world.store.draw(key))
            assert draw is not None
            assert draw["state"] == state


def test_any_order_of_transactions_follows_the_model(scarce: Books) -> None:
    """2,000 steps and more; then the books of all of it are recomputed from their postings."""
    Ledger.world = World(scarce)
    try:
        run_state_machine_as_test(
            Ledger,
            settings=settings(
                max_examples=60,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        Ledger.world.close()


def test_the_same_request_again_gets_the_same_try(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 2) as store:
            first = await store.reserve(body("again-1", 15_000, 10, nonce="x"))
            assert await store.reserve(body("again-1", 15_000, 10, nonce="x")) == first
            other = await store.reserve(body("again-1", 15_000, 10, nonce="y"))
            assert other["state"] == "in-progress"

    asyncio.run(go())


def test_a_key_older_than_its_retention_is_gone(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 2) as store:
            paid = await store.reserve(body("old-1", 15_100, 10))
            await store.post("old-1", paid["try"], "gateway-1")
            assert (await store.reserve(body("old-1", 15_100, 10)))["state"] == "paid"
            again = body("old-1", 15_100, 10) | {"retention_ns": 0}
            assert (await store.reserve(again))["state"] == "gone"
            assert (await store.draw("old-1") or {})["state"] == "paid"

    asyncio.run(go())


def test_two_hundred_calls_at_once_with_one_key_are_one_draw(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 16) as store:
            asked = [body("same-1", 15_200, 10, nonce=str(n)) for n in range(200)]
            found = await asyncio.gather(*(store.reserve(one) for one in asked))
            states = [one["state"] for one in found]
            assert sorted(set(states)) == ["in-progress", "paying"]
            assert states.count("paying") == 1
            quota = await store.quota(15_200)
            assert quota is not None
            assert quota["held_fen"] == 10

    asyncio.run(go())


def test_many_repayments_at_once_restore_the_quota_once_each(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 16) as store:
            paid = await store.reserve(body("owed-1", 15_300, 1000))
            await store.post("owed-1", paid["try"], "gateway-1")
            calls = [store.repay(f"repay-{n % 60}", 15_300, 20) for n in range(120)]
            states = [one["state"] for one in await asyncio.gather(*calls)]
            assert (states.count("repaid"), states.count("refused")) == (100, 20)
            quota = await store.quota(15_300)
            assert quota is not None
            assert (quota["outstanding_fen"], quota["available_fen"]) == (0, LIMIT_FEN)

    asyncio.run(go())


def test_the_last_money_of_a_tier_is_lent_once(tmp_path: Path) -> None:
    """Sixty draws race for money that covers twenty-five, in slices that cover few alone."""
    people = "\n".join(f"{n},new,{LIMIT_FEN},0,0" for n in range(1, 100))
    tiers = [TierConfig("own", "bank.own", 1.0, 2_500)]

    async def go(books: Books) -> None:
        async with store_of(books, 16) as store:
            asked = [body(f"race-{n}", n, 100) for n in range(1, 61)]
            found = await asyncio.gather(*(store.reserve(one) for one in asked))
            states = [one["state"] for one in found]
            assert (states.count("paying"), states.count("no-money")) == (25, 35)

    with one_database(tmp_path, people, tiers) as books:
        asyncio.run(go(books))


def test_tiers_are_chosen_by_share_and_avoided_when_asked(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 4) as store:
            wanted = [body(f"share-{n}", 16_000 + n, 10) for n in range(300)]
            found = [(await store.reserve(one))["tier"] for one in wanted]
            assert 110 < found.count("own") < 190
            avoiding = [body(f"avoid-{n}", 17_000 + n, 10, avoid=["own"]) for n in range(20)]
            assert {(await store.reserve(one))["tier"] for one in avoiding} == {"partner-a"}
            both = body("avoid-both", 18_000, 10, avoid=["own", "partner-a"])
            assert (await store.reserve(both))["state"] == "paying"

    asyncio.run(go())


def test_stale_tries_are_claimed_by_one_sweeper_and_looked_at_less_and_less(books: Books) -> None:
    async def go() -> None:
        async with store_of(books, 4) as store:
            await store.reserve(body("stale-1", 19_000, 10) | {"look_after_ns": 0})
            claims = await asyncio.gather(*(store.claim_stale(0.05, 1000) for _ in range(4)))
            keys = [one.draw_key for claim in claims for one in claim]
            assert keys.count("stale-1") == 1
            gaps_s: list[float] = []
            last_s = time.monotonic()
            while len(gaps_s) < 3:
                if any(one.draw_key == "stale-1" for one in await store.claim_stale(0.05, 1000)):
                    gaps_s.append(time.monotonic() - last_s)
                    last_s = time.monotonic()
                await asyncio.sleep(0.005)
            assert gaps_s[0] >= 0.04
            assert gaps_s[1] >= 0.09
            assert gaps_s[2] >= 0.19

    asyncio.run(go())


def test_versions_are_dated_in_their_order_by_many_processes(books: Books, tmp_path: Path) -> None:
    """Few hot slices from several connections while the machine is busy: dates never overtake."""

    async def go() -> None:
        keys = [f"dated-{n}" for n in range(200)]
        wanted = [body(key, 19_100 + n, 10, avoid=["own"]) for n, key in enumerate(keys)]
        before_ns = time.monotonic_ns()
        async with store_of(books, 8) as store:
            await asyncio.gather(*(store.reserve(one) for one in wanted))
        after_ns = time.monotonic_ns()
        await setup.export(books.dsn, tmp_path)
        with (tmp_path / "versions.csv").open(newline="") as lines:
            rows = [row for row in csv.DictReader(lines)]
        for slice_ in range(8):
            mine = [row for row in rows if row["account"] == f"tier:partner-a/{slice_}"]
            dates = [int(row["locked_ns"]) for row in mine]
            assert len(dates) > 1
            assert dates == sorted(dates)
        drawn = [r for r in rows if r["draw_key"] in keys and r["account"].startswith("tier:")]
        dates = [int(row["locked_ns"]) for row in drawn]
        assert len(dates) == 200
        assert before_ns <= min(dates) <= max(dates) <= after_ns

    asyncio.run(go())


def test_a_missing_binary_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWPROOF_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(PostgresError, match="DRAWPROOF_POSTGRES_BIN"):
        binaries()
