"""Spoilt answers of the ledger, each a layer over the books."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from mock_lender.cluster.config import LenderConfig
from mock_lender.ledger.books import Books

COMMIT_AFTER_S = 0.2
STALE_NS = 1_000_000_000


def books_of(books: Books, config: LenderConfig) -> Books:
    """The books as this lender's ledger answers from them."""
    for name, layer in LAYERS.items():
        if name in config.defects:
            books = layer(books, config)
    return books


class _Layer:
    """Hands everything on."""

    def __init__(self, books: Books, config: LenderConfig) -> None:
        self._books = books
        self._tiers = config.tiers

    async def reserve(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self._books.reserve(body)

    async def refuse(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self._books.refuse(body)

    async def close(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self._books.close(body)

    async def post(self, draw_key: str, try_: int, by: str) -> dict[str, Any]:
        return await self._books.post(draw_key, try_, by)

    async def void(self, draw_key: str, try_: int, why: str, by: str) -> dict[str, Any]:
        return await self._books.void(draw_key, try_, why, by)

    async def repay(self, repay_key: str, borrower: int, amount_fen: int) -> dict[str, Any]:
        return await self._books.repay(repay_key, borrower, amount_fen)

    async def draw(self, draw_key: str) -> dict[str, Any] | None:
        return await self._books.draw(draw_key)

    async def quota(self, borrower: int) -> dict[str, Any] | None:
        return await self._books.quota(borrower)

    async def tiers(self) -> dict[str, Any]:
        return await self._books.tiers()

    async def now_ns(self) -> int:
        return await self._books.now_ns()


class AcknowledgeBeforeCommit(_Layer):
    """Answers at once and commits 200 ms later: a killed replica loses what it has promised.

    It reserves from memory what the last committed quota covers, as a ledger with a write-behind
    cache would; keys it has seen before go the right way. Rule acknowledged-once.
    """

    def __init__(self, books: Books, config: LenderConfig) -> None:
        super().__init__(books, config)
        self._later: set[asyncio.Task[None]] = set()

    async def reserve(self, body: dict[str, Any]) -> dict[str, Any]:
        quota = await self._books.quota(body["borrower"])
        covered = quota is not None and body["amount_fen"] <= quota["available_fen"]
        if not covered or await self._books.draw(body["draw_key"]) is not None:
            return await self._books.reserve(body)
        wanted = [tier for tier in self._tiers if tier.tier not in body["avoid"]] or self._tiers
        tier = wanted[sum(body["draw_key"].encode()) % len(wanted)]
        others = [t.tier for t in self._tiers if t is not tier]
        self._commit(self._reserve_and_wait(dict(body, avoid=others)))
        return {
            "state": "paying",
            "try": 1,
            "tier": tier.tier,
            "bank": tier.bank,
            "payout_key": f"{body['draw_key']}.{tier.tier}.1",
            "not_after_ns": None,
        }

    async def _reserve_and_wait(self, body: dict[str, Any]) -> None:
        await asyncio.sleep(COMMIT_AFTER_S)
        await self._books.reserve(body)

    async def post(self, draw_key: str, try_: int, by: str) -> dict[str, Any]:
        self._commit(self._post_and_wait(draw_key, try_, by))
        tier = self._tiers[0].tier
        return {"state": "paid", "tier": tier, "paid_ns": 0}

    async def _post_and_wait(self, draw_key: str, try_: int, by: str) -> None:
        await asyncio.sleep(2 * COMMIT_AFTER_S)
        await self._books.post(draw_key, try_, by)

    def _commit(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


class StaleStatus(_Layer):
    """A status is read from a copy that is a second behind: paid draws are told as not begun,
    so that nothing seems to be paid so far. Rule answers-true."""

    async def draw(self, draw_key: str) -> dict[str, Any] | None:
        found = await self._books.draw(draw_key)
        if found is None or found["state"] != "paid":
            return found
        fresh = time.monotonic_ns() - int(found["paid_ns"]) < STALE_NS
        return {**found, "state": "requested", "paid_ns": None} if fresh else found


LAYERS = {"acknowledge-before-commit": AcknowledgeBeforeCommit, "stale-status": StaleStatus}
