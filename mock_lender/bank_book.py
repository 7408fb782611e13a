"""A bank's durable book: SQLite, WAL, synchronous=FULL, on the disk before anything is answered.

One thread writes; what waits while it flushes goes into the next transaction together, so that a
busy bank pays one flush for many payouts.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from mock_lender.clock import now_ns

Work: TypeAlias = Callable[[sqlite3.Connection], str]
Entry: TypeAlias = tuple[Work, "asyncio.Future[str]"]
SCHEMA = """
CREATE TABLE IF NOT EXISTS payouts (
    payout_key TEXT PRIMARY KEY, draw_key TEXT NOT NULL, amount_fen INTEGER NOT NULL,
    paid_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tombstones (
    payout_key TEXT PRIMARY KEY, closed_ns INTEGER NOT NULL
) WITHOUT ROWID;
"""


class Book:
    """The book of one bank. Answers only what has been flushed; what could not be kept raises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told_ns = 0
        self._work: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="book", daemon=True)
        self._thread.start()

    async def pay(
        self, payout_key: str, draw_key: str, amount_fen: int, not_after_ns: int | None = None
    ) -> str:
        """`paid` (now or before), `closed` (also: after `not_after_ns`), or `other` when the key
        has another amount."""
        return await self._do(
            lambda book: _pay(
                book, payout_key, draw_key, amount_fen, not_after_ns, max(now_ns(), self._told_ns)
            )
        )

    async def close_key(self, payout_key: str) -> str:
        """`paid`, or `closed` for ever: a tombstone, also for a key never seen."""
        return await self._do(lambda book: _close(book, payout_key))

    async def look_up(self, payout_key: str) -> tuple[str, int]:
        """`paid` or `not_paid`: by itself no licence to pay again. And as of when, by this bank's
        clock: a payout that was to be refused by then is refused from now on, even if the clock
        should be put back."""
        as_of_ns = now_ns()
        self._told_ns = max(self._told_ns, as_of_ns)
        state = await self._do(lambda book: "paid" if _known(book, payout_key) else "not_paid")
        return state, as_of_ns

    async def _do(self, work: Work) -> str:
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._work.put((work, done))
        return await done

    def stop(self) -> None:
        """Finish what is waiting."""
        self._work.put(None)
        self._thread.join()

    def _write(self) -> None:
        book = sqlite3.connect(self._path, isolation_level=None)
        book.execute("PRAGMA journal_mode=WAL")
        book.execute("PRAGMA synchronous=FULL")
        book.executescript(SCHEMA)
        while (first := self._work.get()) is not None:
            batch, last = self._gather(first)
            try:
                book.execute("BEGIN IMMEDIATE")
                results = [work(book) for work, _ in batch]
                book.execute("COMMIT")
            except Exception as exc:  # noqa: BLE001  of this thread there is one
                # A full disk, say, or what no book can hold: nothing of it is in there, and what
                # comes next is another matter.
                _undo(book)
                for _, done in batch:
                    done.get_loop().call_soon_threadsafe(_break, done, exc)
            else:
                for (_, done), result in zip(batch, results, strict=True):
                    done.get_loop().call_soon_threadsafe(_settle, done, result)
            if last:
                break
        book.close()

    def _gather(self, first: Entry) -> tuple[list[Entry], bool]:
        """What waits by now, and whether the end was among it."""
        batch = [first]
        while not self._work.empty():
            more = self._work.get()
            if more is None:
                return batch, True
            batch.append(more)
        return batch, False


def _settle(done: "asyncio.Future[str]", result: str) -> None:
    if not done.done():
        done.set_result(result)


def _break(done: "asyncio.Future[str]", why: Exception) -> None:
    if not done.done():
        done.set_exception(why)


def _undo(book: sqlite3.Connection) -> None:
    """SQLite may have done it already."""
    if book.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            book.execute("ROLLBACK")


def _known(book: sqlite3.Connection, payout_key: str) -> tuple[int] | None:
    found: tuple[int] | None = book.execute(
        "SELECT amount_fen FROM payouts WHERE payout_key = ?", (payout_key,)
    ).fetchone()
    return found


def _pay(
    book: sqlite3.Connection,
    payout_key: str,
    draw_key: str,
    amount_fen: int,
    not_after_ns: int | None,
    clock_ns: int,
) -> str:
    if book.execute("SELECT 1 FROM tombstones WHERE payout_key = ?", (payout_key,)).fetchone():
        return "closed"
    known = _known(book, payout_key)
    if known is not None:
        return "paid" if known[0] == amount_fen else "other"
    if not_after_ns is not None and clock_ns > not_after_ns:
        # For ever: whoever is told so may pay from another tier, and the clock may be put back
        # before this payout is delivered once more.
        return _close(book, payout_key)
    book.execute(
        "INSERT INTO payouts VALUES (?, ?, ?, ?)",
        (payout_key, draw_key, amount_fen, time.monotonic_ns()),
    )
    return "paid"


def _close(book: sqlite3.Connection, payout_key: str) -> str:
    if _known(book, payout_key) is not None:
        return "paid"
    book.execute(
        "INSERT OR IGNORE INTO tombstones VALUES (?, ?)", (payout_key, time.monotonic_ns())
    )
    return "closed"
