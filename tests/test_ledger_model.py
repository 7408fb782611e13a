"""The ledger against a model of it: a state machine drives both, on a real database."""

import asyncio
import hashlib
import itertools
from collections.abc import Coroutine, Iterator
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

from mock_lender.cluster.config import TierConfig
from mock_lender.ledger import setup
from mock_lender.ledger.database import Database
from mock_lender.ledger.store import Store
from mock_lender.telemetry import Telemetry
from tests.databases import ACCESS, LIMIT_FEN, OFFSET_NS, PEOPLE, Books, body, one_database

TIER_FEN = {"own": 3000, "partner-a": 2000}
OWN_BP = 3000
NUMBERS = itertools.count(1)
MOVES = itertools.count(1)
KEYS = st.sampled_from(["a", "b", "c", "d", "e"])
WHO = st.sampled_from([0, 1])
GATEWAYS = st.sampled_from(["gateway-1", "gateway-2"])
T = TypeVar("T")


@pytest.fixture(scope="module")
def scarce(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """Tiers with little money in several slices, lending jointly."""
    tiers = [
        TierConfig("own", "bank.own", 0.5, TIER_FEN["own"], slices=3),
        TierConfig("partner-a", "bank.partner-a", 0.5, TIER_FEN["partner-a"], OWN_BP, slices=4),
    ]
    with one_database(tmp_path_factory.mktemp("scarce"), PEOPLE, tiers) as made:
        yield made


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
        self.loop.run_until_complete(asyncio.gather(self.following, return_exceptions=True))
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

    @rule(name=KEYS, who=WHO, amount_fen=st.sampled_from([1, 100]))
    def close(self, name: str, who: int, amount_fen: int) -> None:
        """What is being paid goes on, what has ended stays, and the rest is never paid."""
        key = self.key(name)
        if self.draw.setdefault(key, (who, amount_fen)) != (who, amount_fen):
            expected = "key-reused"
        else:
            now = self.state.setdefault(key, "requested")
            if now in ("requested", "voided"):
                self.state[key] = "expired"
            expected = "in-progress" if now == "paying" else self.state[key]
        asked = body(key, self.borrower(who), amount_fen)
        assert self.world.do(self.world.store.close(asked))["state"] == expected

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
