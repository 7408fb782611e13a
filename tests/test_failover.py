"""The monitor against real databases that are killed, frozen, or lost, while borrowers press."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterable
from pathlib import Path

import pytest

from mock_lender.cluster.postgres import children, kill_server, working_in
from mock_lender.cluster.witness import Member
from tests.books import assert_at_rest, rows
from tests.lender_process import Lender, lender, until
from tests.pressing import Pressing, pressing

ENOUGH = 40
FAILOVER_S = 20.0


def member(made: Lender, role: str) -> Member:
    found = made.databases().member(role)
    assert found is not None
    return found


def kill(made: Lender, role: str) -> Member:
    """The whole server at once."""
    found = member(made, role)
    kill_server(found.pid, found.start_ticks)
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def monitor_of(made: Lender) -> int:
    """It started the servers."""
    stat = Path(f"/proc/{member(made, 'primary').pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def serving(made: Lender, epoch: int) -> bool:
    """Under that epoch: is there a primary, and a standby in sync?"""
    now = made.databases()
    return now.epoch == epoch and now.primary is not None and now.in_sync


def more(press: Pressing) -> None:
    """Draws are granted from now on."""
    before = press.granted
    until(lambda: press.granted >= before + ENOUGH, FAILOVER_S)


def said(made: Lender) -> list[str]:
    """What the monitor has noted, in its order: `subject state`."""
    found = [row for row in rows(made.records, "states.monitor") if row["kind"] == "database"]
    return [f"{row['subject']} {row['state']}" for row in found]


def nothing_acknowledged_is_lost(made: Lender, press: Pressing) -> None:
    """At rest, the books have every draw that a borrower was told of."""
    until(lambda: made.control("GET", "/pending")[1].get("paying") == 0, 15)
    books = made.books()
    assert_at_rest(books)
    paid = {row["draw_key"] for row in rows(books, "draws") if row["state"] == "paid"}
    assert press.acknowledged - paid == set()


def test_a_killed_primary_is_replaced_and_joins_again_as_the_standby(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        with pressing(made) as press:
            more(press)
            kill(made, "primary")
            until(lambda: serving(made, 2), FAILOVER_S)
            more(press)
        assert made.databases().primary == "database-2"
        assert member(made, "standby").name == "database-1"
        done = said(made)
        assert done.index("primary fenced database-1 epoch 2") < done.index(
            "primary promoted database-2 epoch 2"
        )
        assert done[-1] == "standby in_sync database-1 epoch 2"
        nothing_acknowledged_is_lost(made, press)


@pytest.mark.slow
def test_a_frozen_primary_is_fenced_and_stays_away_when_it_thaws(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        with pressing(made) as press:
            more(press)
            old = member(made, "primary")
            family = [old.pid, *children(old.pid)]
            send(family, signal.SIGSTOP)
            until(lambda: made.databases().primary == "database-2", FAILOVER_S)
            send(family, signal.SIGCONT)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", old.port), timeout=2)
            # The monitor has waited for all of them: nothing of the old server can answer.
            assert [pid for pid in family if _lives(pid)] == []
            until(lambda: serving(made, 2), FAILOVER_S)
            more(press)
        nothing_acknowledged_is_lost(made, press)


@pytest.mark.slow
def test_a_lost_standby_is_done_without_and_built_again(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        with pressing(made) as press:
            more(press)
            kill(made, "standby")
            until(lambda: not made.databases().in_sync, FAILOVER_S)
            until(lambda: serving(made, 1), FAILOVER_S)
            more(press)
        assert said(made)[-3:] == [
            "standby lost database-2 epoch 1",
            "standby degraded epoch 1",
            "standby in_sync database-2 epoch 1",
        ]
        nothing_acknowledged_is_lost(made, press)


@pytest.mark.slow
def test_with_stop_nothing_is_acknowledged_until_a_standby_is_back(tmp_path: Path) -> None:
    """The monitor is held up meanwhile, so that it can't rebuild; nor may it blame the primary."""
    with lender(tmp_path / "lender", on_standby_lost="stop") as made:
        monitor = monitor_of(made)
        os.kill(monitor, signal.SIGSTOP)
        kill(made, "standby")
        status, _ = made.draw("waiting-01", X_Deadline_Ms="1800")
        assert status == 504
        os.kill(monitor, signal.SIGCONT)
        until(lambda: "standby lost database-2 epoch 1" in said(made), FAILOVER_S)
        until(lambda: serving(made, 1), FAILOVER_S)
        assert "standby degraded epoch 1" not in said(made)
        until(lambda: made.draw("waiting-01")[0] == 201)


@pytest.mark.slow
def test_a_standby_that_is_not_in_sync_is_never_promoted(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        with pressing(made) as press:
            more(press)
            kill(made, "standby")
            until(lambda: not made.databases().in_sync, FAILOVER_S)
            more(press)
            kill(made, "primary")
            until(lambda: made.databases().epoch == 2, FAILOVER_S)
            until(lambda: serving(made, made.databases().epoch), FAILOVER_S)
            more(press)
        if not any("in_sync database-2 epoch 1" in one for one in said(made)[3:]):
            assert made.databases().primary == "database-1"
            assert "primary restarted database-1 epoch 2" in said(made)
        nothing_acknowledged_is_lost(made, press)


@pytest.mark.slow
def test_a_standby_that_dies_with_its_primary_is_not_waited_for(tmp_path: Path) -> None:
    """By the time the monitor looks again both are dead; all there is, is on the old one's disk."""
    with lender(tmp_path / "lender") as made:
        with pressing(made) as press:
            more(press)
            monitor = monitor_of(made)
            os.kill(monitor, signal.SIGSTOP)
            kill(made, "standby")
            kill(made, "primary")
            os.kill(monitor, signal.SIGCONT)
            until(lambda: serving(made, 2), FAILOVER_S)
            more(press)
        assert made.databases().primary == "database-1"
        assert "primary restarted database-1 epoch 2" in said(made)
        nothing_acknowledged_is_lost(made, press)


@pytest.mark.slow
def test_the_next_primary_may_fall_before_the_old_one_is_back(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        with pressing(made) as press:
            more(press)
            kill(made, "primary")
            until(lambda: made.databases().primary == "database-2", FAILOVER_S)
            kill(made, "primary")
            until(lambda: made.databases().epoch == 3, FAILOVER_S)
            until(lambda: serving(made, 3), FAILOVER_S)
            more(press)
            kill(made, "primary")
            until(lambda: serving(made, 4), FAILOVER_S)
            more(press)
        nothing_acknowledged_is_lost(made, press)


@pytest.mark.slow
def test_a_backend_that_outlives_its_postmaster_is_fenced_too(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        old = member(made, "primary")
        family = children(old.pid)
        send(family, signal.SIGSTOP)  # so that they do not notice
        os.kill(old.pid, signal.SIGKILL)
        until(lambda: serving(made, 2), FAILOVER_S)
        assert [pid for pid in family if _lives(pid)] == []


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_without_its_monitor_a_lender_ends_and_says_so(tmp_path: Path) -> None:
    with lender(tmp_path / "lender") as made:
        pids = [one.pid for one in made.databases().members]
        pids += [one.pid for one in made.topology.services]
        os.kill(monitor_of(made), signal.SIGKILL)
        assert made.process.wait(15) == 1
        assert "the monitor of the databases ended" in (made.folder / "log").read_text()
        until(lambda: not [pid for pid in pids if _lives(pid)])
        assert not [name for name in ("database-1", "database-2") if working_in(made.work / name)]
