"""A bank's book: paid once, closed for ever, and on the disk before it says so."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from mock_lender.bank_book import Book
from mock_lender.bank_export import export_bank
from mock_lender.clock import now_ns, skewed
from tests.drills import ROOT


@pytest.fixture
def own_clock() -> Iterator[None]:
    """Put right again, however far the test has put it."""
    yield
    skewed(0)


STEP = st.tuples(st.sampled_from(["pay", "close"]), st.sampled_from(["a", "b", "c"]))


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, max_size=30), st.booleans())
def test_whoever_comes_first_wins_for_ever(steps: list[tuple[str, str]], at_once: bool) -> None:
    async def go(path: Path) -> None:
        book = Book(path)
        ends: dict[str, str] = {}

        async def step(what: str, key: str) -> None:
            found = await (book.pay(key, "d", 5) if what == "pay" else book.close_key(key))
            assert found == ends.setdefault(key, "paid" if what == "pay" else "closed")

        if at_once:
            await asyncio.gather(*(step(*one) for one in steps))
        else:
            for one in steps:
                await step(*one)
        await asyncio.to_thread(book.stop)
        again = Book(path)
        for key, end in ends.items():
            assert await again.close_key(key) == end
        await asyncio.to_thread(again.stop)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(go(Path(folder) / "bank.sqlite"))


def test_another_amount_for_a_paid_key_is_told_apart(tmp_path: Path) -> None:
    async def go() -> None:
        book = Book(tmp_path / "bank.sqlite")
        assert await book.pay("k", "d", 5) == "paid"
        assert await book.pay("k", "d", 6) == "other"
        await asyncio.to_thread(book.stop)

    asyncio.run(go())


@pytest.mark.usefixtures("own_clock")
def test_a_clock_that_is_put_back_does_not_pay_what_was_said_to_be_refused(tmp_path: Path) -> None:
    async def go() -> None:
        book = Book(tmp_path / "bank.sqlite")
        not_after_ns = now_ns() + 1_000_000
        skewed(10 * NS_PER_S)
        state, as_of_ns = await book.look_up("k")
        assert (state, as_of_ns > not_after_ns) == ("not_paid", True)
        skewed(-10 * NS_PER_S)
        assert await book.pay("k", "d", 5, not_after_ns) == "closed"
        assert await book.pay("later", "d", 5, as_of_ns + NS_PER_S) == "paid"
        await asyncio.to_thread(book.stop)

    asyncio.run(go())


@pytest.mark.usefixtures("own_clock")
def test_what_was_refused_as_too_late_stays_refused(tmp_path: Path) -> None:
    """Delivered twice, and meanwhile the bank's clock is put right, or the bank starts anew: the
    first answer was that it is closed, and the draw may have been paid by another tier since."""

    async def go() -> None:
        book = Book(tmp_path / "bank.sqlite")
        not_after_ns = now_ns() + 60 * NS_PER_S
        skewed(120 * NS_PER_S)
        assert await book.pay("k", "d", 5, not_after_ns) == "closed"
        skewed(0)
        assert await book.pay("k", "d", 5, not_after_ns) == "closed"
        assert await book.pay("other", "d", 5, not_after_ns) == "paid"
        await asyncio.to_thread(book.stop)
        again = Book(tmp_path / "bank.sqlite")
        assert await again.pay("k", "d", 5, not_after_ns) == "closed"
        await asyncio.to_thread(again.stop)

    asyncio.run(go())


def test_what_can_not_be_kept_breaks_nothing_else(tmp_path: Path) -> None:
    """Its one thread goes on, or the bank would answer nobody any more."""

    async def go() -> None:
        book = Book(tmp_path / "bank.sqlite")
        async with asyncio.timeout(5):
            with pytest.raises(OverflowError):
                await book.pay("too-much", "d", 2**70)
            with pytest.raises(UnicodeEncodeError):
                await book.pay("half a sign", "\ud800", 5)
            assert await book.pay("k", "d", 5) == "paid"
            assert await book.close_key("too-much") == "closed"
            await asyncio.to_thread(book.stop)

    asyncio.run(go())


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """A process pays and says so; it is killed at once; the book has what was said."""
    script = (
        "import asyncio, sys; from pathlib import Path; from mock_lender.bank_book import Book\n"
        "async def go():\n"
        "    book = Book(Path(sys.argv[1]))\n"
        "    for n in range(100000):\n"
        "        print(n, await book.pay(f'k{n}', 'd', 5), flush=True)\n"
        "asyncio.run(go())\n"
    )
    path = tmp_path / "bank.sqlite"
    bank = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert bank.stdout is not None
    said = [bank.stdout.readline() for _ in range(50)]
    os.kill(bank.pid, signal.SIGKILL)
    said += bank.stdout.readlines()
    bank.stdout.close()
    bank.wait()
    export_bank(path, "bank.own", tmp_path)
    kept = (tmp_path / "payouts.bank.own.csv").read_text()
    whole = [line for line in said if line.endswith("paid\n")]
    assert len(whole) >= 50
    for line in whole:
        assert f"bank.own,k{line.split()[0]},d,5," in kept
