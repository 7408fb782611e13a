"""When a database is called gone, and what the witness says: pure, without a database."""

import asyncio
import time
from pathlib import Path

import pytest

from mock_lender.cluster import replication
from mock_lender.cluster.judgement import (
    LATE_COPY_S,
    REFUSALS,
    SILENT_S,
    Patience,
    primary_is,
    standby_is_lost,
)
from mock_lender.cluster.replication import Pulse
from mock_lender.cluster.witness import Member, Witness

S = 1_000_000_000
NOBODY = "postgresql://lender:x@127.0.0.1:1/postgres"


@pytest.mark.parametrize(
    ("silent_s", "refused", "held_up_s", "expected"),
    [
        (0.0, 0, 0.0, "well"),
        (0.1, REFUSALS - 1, 0.0, "well"),
        (0.1, REFUSALS, 0.0, "dead"),
        (SILENT_S, 0, 0.0, "well"),
        (SILENT_S + 0.1, 0, 0.0, "silent"),
        (SILENT_S + 0.1, 0, 0.2, "well"),
        (SILENT_S + 5.0, 0, 5.1, "well"),
        (SILENT_S + 5.2, 0, 5.1, "silent"),
    ],
)
def test_refusals_are_certain_and_silence_must_last(
    silent_s: float, refused: int, held_up_s: float, expected: str
) -> None:
    pulse = Pulse(answered_ns=0, refused=refused)
    assert primary_is(pulse, round(silent_s * S), round(held_up_s * S)) == expected


@pytest.mark.parametrize(
    ("since_answer_s", "behind_s", "held_up_s", "lost"),
    [
        (0.0, 0.0, 0.0, False),
        (0.0, LATE_COPY_S, 0.0, False),
        (0.0, LATE_COPY_S + 0.1, 0.0, True),
        (0.0, LATE_COPY_S + 0.1, 0.2, False),
        (SILENT_S + 0.1, 60.0, 0.0, False),  # that is the primary's fault
    ],
)
def test_a_standby_is_lost_when_its_primary_answers_and_it_does_not_follow(
    since_answer_s: float, behind_s: float, held_up_s: float, lost: bool
) -> None:
    pulse = Pulse(answered_ns=100 * S, copied_ns=round((100 - behind_s) * S))
    now_ns = round((100 + since_answer_s) * S)
    assert standby_is_lost(pulse, now_ns, round(held_up_s * S)) is lost


def test_a_held_up_monitor_gives_everybody_that_much_longer() -> None:
    patience, pulse = Patience(), Pulse(answered_ns=1 * S)
    assert patience.held_up_ns(pulse, 1 * S) == 0
    assert patience.held_up_ns(pulse, round(1.02 * S)) == 0
    assert patience.held_up_ns(pulse, round(4.02 * S)) == 3 * S
    assert patience.held_up_ns(pulse, round(5.02 * S)) == 4 * S
    assert primary_is(pulse, round(5.02 * S), 4 * S) == "well"
    pulse.answered_ns = 5 * S
    assert patience.held_up_ns(pulse, round(5.04 * S)) == 0


def test_an_answer_just_before_it_was_held_up_is_not_silence() -> None:
    patience, pulse = Patience(), Pulse(answered_ns=1 * S)
    assert patience.held_up_ns(pulse, 1 * S) == 0
    pulse.answered_ns = round(1.01 * S)
    now_ns = round(3.01 * S)
    assert patience.held_up_ns(pulse, now_ns) == 2 * S
    assert primary_is(pulse, now_ns, 2 * S) == "well"


def test_a_copy_counts_when_it_has_what_was_there_the_look_before() -> None:
    pulse = Pulse(answered_ns=0)
    pulse.saw(flushed=100, copied=40, sync_state="sync")
    assert pulse.copied_ns == pulse.answered_ns
    before_ns = pulse.copied_ns
    pulse.saw(flushed=200, copied=99, sync_state="sync")
    assert pulse.copied_ns == before_ns
    pulse.saw(flushed=300, copied=None, sync_state=None)
    assert (pulse.copied_ns, pulse.sync_state) == (before_ns, None)
    pulse.saw(flushed=300, copied=100, sync_state="sync")
    assert pulse.copied_ns == pulse.answered_ns > before_ns


def felt(monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> Pulse:
    """The pulse after a few connections that ended in trouble."""
    pulse = Pulse(answered_ns=time.monotonic_ns(), copied_ns=time.monotonic_ns())
    calls: list[str] = []

    async def connect(dsn: str, **_: object) -> None:
        calls.append(dsn)
        raise trouble

    async def go() -> None:
        feeling = asyncio.create_task(replication.feel(NOBODY, "db-2", pulse))
        async with asyncio.timeout(10):
            while len(calls) < REFUSALS + 2:
                await asyncio.wait({feeling}, timeout=0.01)
        feeling.cancel()
        await asyncio.wait({feeling})

    monkeypatch.setattr("asyncpg.connect", connect)
    asyncio.run(go())
    return pulse


def test_a_server_without_a_free_connection_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = felt(monkeypatch, replication.BUSY[0]("too many clients already"))
    assert primary_is(busy, time.monotonic_ns(), 0) == "well"
    assert not standby_is_lost(busy, time.monotonic_ns(), 0)


def test_a_server_that_refuses_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = felt(monkeypatch, ConnectionRefusedError())
    assert primary_is(gone, time.monotonic_ns(), 0) == "dead"


def test_a_server_that_does_not_answer_has_refused_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = felt(monkeypatch, TimeoutError())
    assert primary_is(silent, silent.answered_ns, 0) == "well"
    assert primary_is(silent, silent.answered_ns + 2 * S, 0) == "silent"


def test_a_witness_is_read_as_it_was_written_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "witness.json"
    db1 = Member("db-1", "primary", 11, 12, 20_001)
    db2 = Member("db-2", "standby", 21, 22, 20_002)
    first = Witness(1, "db-1", True, (db1, db2), 5)
    first.write(path)
    assert Witness.read(path) == first
    assert (first.port, first.member("standby"), first.member("fenced")) == (20_001, db2, None)
    Witness(2, None, False, (db2,), 6).write(path)
    none = Witness.read(path)
    assert (none.primary, none.port, none.in_sync) == (None, None, False)
    assert [one.name for one in tmp_path.iterdir()] == ["witness.json"]
