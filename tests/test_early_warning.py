"""The early warning: alarms, notices and remedies, without a lender and with one."""

import asyncio
import contextlib
import http.client
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mock_lender import rulebook
from mock_lender.console.calendar import Calendar
from mock_lender.rulebook import Entry, TooSlowError, Wanted, Writer, read
from mock_lender.warning import watcher as watching_room
from mock_lender.warning.alarms import CLEARED_AFTER, Alarms
from mock_lender.warning.eyes import Breakers, Seen, numbers
from mock_lender.warning.funds import SHORT_S, Funds
from mock_lender.warning.watcher import HORIZON_NS, Watcher
from tests.books import rows
from tests.lender_process import Lender, lender, until
from tests.test_compliance import DATE, context, late_s

S = 1_000_000_000


def test_an_alert_is_raised_once_a_reason_and_cleared_after_good_looks() -> None:
    told: list[tuple[str, str]] = []
    alarms = Alarms(lambda hop, state: told.append((hop, state)))
    alarms.look("ledger-1", "silent", bad=True, needs=2)
    assert told == []
    for _ in range(3):
        alarms.look("ledger-1", "silent", bad=True, needs=2)
    assert told == [("ledger-1", "raised")]
    alarms.look("ledger-1", "failing", bad=True)
    assert told == [("ledger-1", "raised")] * 2
    for _ in range(CLEARED_AFTER):
        alarms.look("ledger-1", "silent", bad=False)
    assert alarms.raised == ["ledger-1"]  # it fails still
    for _ in range(CLEARED_AFTER):
        alarms.look("ledger-1", "failing", bad=False)
    assert told[2:] == [("ledger-1", "cleared")]


def test_breakers_of_a_process_that_was_killed_are_gone_when_it_begins_anew(
    tmp_path: Path,
) -> None:
    """It begins with all of them closed, and says nothing of those it had."""
    file = tmp_path / "states.gateway-1.csv"
    file.write_text(
        "replica,kind,subject,state,at_ns\ngateway-1,process,gateway-1,began,1\n"
        "gateway-1,breaker,bank.own,open,2\ngateway-2,breaker,risk-1,open,3\n"
    )
    breakers = Breakers(tmp_path)
    assert breakers.look() == {"bank.own", "risk-1"}
    with file.open("a") as more:
        more.write("gateway-1,process,gateway-1,began,4\n")
    assert breakers.look() == {"risk-1"}


def test_open_breakers_are_read_from_the_services_own_record(tmp_path: Path) -> None:
    file = tmp_path / "states.gateway-1.csv"
    file.write_text("replica,kind,subject,state,at_ns\ngateway-1,breaker,bank.own,open,1\ngatew")
    breakers = Breakers(tmp_path)
    assert breakers.look() == {"bank.own"}
    with file.open("a") as more:
        more.write("ay-1,condition,burn,began,2\ngateway-1,breaker,bank.own,half-open,3\n")
    assert breakers.look() == {"bank.own"}
    with file.open("a") as more:
        more.write("gateway-1,breaker,bank.own,closed,4\n")
        more.write("gateway-1,ejection,risk-2,out,5\n")
    assert breakers.look() == {"risk-2"}
    with file.open("a") as more:
        more.write("gateway-1,ejection,risk-2,in,6\n")
    assert breakers.look() == set()


def test_metrics_are_numbers_by_name() -> None:
    assert numbers('slots_total 16\nprotection{name="x"} 1\nnonsense\n') == {
        "slots_total": 16.0, 'protection{name="x"}': 1.0,
    }  # fmt: skip


def watch_until(often: asyncio.Event, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        watching = asyncio.create_task(watched(folder)[0].run())
        async with asyncio.timeout(5):
            await often.wait()
        watching.cancel()

    monkeypatch.setattr(watching_room, "TICK_S", 0.0)
    asyncio.run(go())


def test_a_look_that_fails_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    often = asyncio.Event()

    async def look(_: Watcher) -> None:
        looks.append(1)
        if len(looks) == 3:
            often.set()
        raise OSError("No space left")

    monkeypatch.setattr(Watcher, "look", look)
    watch_until(often, tmp_path, monkeypatch)
    assert len(looks) >= 3


def test_money_is_looked_at_between_looks_at_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    often = asyncio.Event()

    def looking(what: str) -> Callable[[Watcher], Awaitable[None]]:
        async def look(_: Watcher) -> None:
            turns.append(what)
            if len(turns) == 5:
                often.set()

        return look

    monkeypatch.setattr(Watcher, "look", looking("all"))
    monkeypatch.setattr(Watcher, "look_at_money", looking("money"))
    watch_until(often, tmp_path, monkeypatch)
    assert turns[:5] == ["all", "money", "money", "money", "all"]


# -- dates and policies -------------------------------------------------------------------------


def watched(folder: Path, *protections: str) -> tuple[Watcher, Writer, Calendar]:
    ctx = context(folder, *protections)
    writer = Writer(ctx.rulebook_json)
    calendar = Calendar(ctx, writer)
    return Watcher(ctx, writer, calendar), writer, calendar


def one_of(writer: Writer, rule: str) -> Entry:
    (found,) = [entry for entry in writer.entries if entry.rule == rule]
    return found


def test_a_date_that_is_near_is_adopted_and_told_ahead(tmp_path: Path) -> None:
    watcher, writer, calendar = watched(tmp_path)
    begins_ns = time.monotonic_ns() + HORIZON_NS + 10 * S
    calendar.tell(DATE, begins_ns, partners_stop=False)
    watcher.look_at_dates(time.monotonic_ns())
    before = one_of(writer, "draw_max")
    assert (late_s(before), before.announced_ns) == (5.0, None)  # it is too far away
    watcher.look_at_dates(begins_ns - HORIZON_NS)
    after = one_of(writer, "draw_max")
    assert late_s(after) == 2.0  # begun three seconds ahead, of the five it takes
    assert after.announced_ns is not None
    assert read(tmp_path / "rulebook.json") == writer.entries
    assert watcher.figures()["adoptions_started_total"] == 1
    watcher.look_at_dates(begins_ns - HORIZON_NS + 1)
    assert one_of(writer, "draw_max") == after
    assert watcher.alarms.raised == []
    watcher.look_at_dates(begins_ns)
    assert watcher.alarms.raised == ["compliance"]


def test_borrowers_are_told_of_a_policy_that_refuses_them_unannounced(tmp_path: Path) -> None:
    watcher, writer, _ = watched(tmp_path)
    writer.publish("tight", [Wanted("risk", 60.0, above_fen=5)])
    watcher.look_at_dates(time.monotonic_ns() + S)
    (entry,) = writer.entries
    assert entry.announced_ns is not None
    assert watcher.alarms.raised == ["risk"]
    assert (tmp_path / "states.compliance-1.csv").read_text().count("alert,risk,raised") == 1


def test_what_was_given_up_for_being_late_has_been_shown_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all obey for a while what no book has had in it."""
    _, writer, _ = watched(tmp_path)
    writer.publish("tight", [Wanted("risk", 60.0, above_fen=5)])
    before = writer.entries
    monkeypatch.setattr(rulebook, "LEAD_NS", 0)
    with pytest.raises(TooSlowError):
        writer.publish("shut", [Wanted("window", 60.0, tier="own")])
    with pytest.raises(TooSlowError):
        writer.withdraw("tight")
    assert read(tmp_path / "rulebook.json") == writer.entries == before


def test_services_are_seen_as_they_are(tmp_path: Path) -> None:
    watcher, _, _ = watched(tmp_path)
    well = Seen(True, {"slots_total": 16, "slots_usable": 16, "posts_in_progress": 4,
                       "requests_served_total": 100, "requests_failed_total": 0}, 0.0)  # fmt: skip
    names = ("gateway-1", "ledger-1", "risk-1", "risk-2", "bank.own")

    def look(**changed: Seen) -> list[str]:
        seen = {name: changed.get(name.replace("-", "_").replace(".", "_"), well) for name in names}
        watcher.look_at_services(seen)
        return watcher.alarms.raised

    assert look() == look() == []
    gone = Seen(answers=False, numbers={})
    assert look(ledger_1=gone) == []
    assert look(ledger_1=gone) == ["ledger-1"]
    failing = Seen(True, {**well.numbers, "requests_served_total": 150,
                          "requests_failed_total": 20}, 0.0)  # fmt: skip
    assert look(bank_own=failing) == ["bank.own", "ledger-1"]
    assert look(risk_2=Seen(True, well.numbers, -3.0))[-1] == "risk-2"
    queue = Seen(True, {**well.numbers, "posts_in_progress": 40}, 0.0)
    look(gateway_1=queue)
    assert "gateway-1" in look(gateway_1=queue)


def test_where_most_clocks_differ_it_is_our_own(tmp_path: Path) -> None:
    watcher, _, _ = watched(tmp_path)
    off = Seen(answers=True, numbers={}, clock_off_s=-2.0)
    watcher.look_at_services({f"risk-{n}": off for n in range(3)})
    assert watcher.alarms.raised == []


# -- money --------------------------------------------------------------------------------------


def test_a_tier_that_runs_short_is_spared_and_a_shortage_is_told_once(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    writer = Writer(ctx.rulebook_json)
    funds = Funds(ctx, writer, Alarms(lambda *_: None))
    for n in range(21):
        funds.look(n * S // 2, {"own": 100_000 - 500 * n, "partner-a": 1_000_000 - 500 * n})
    assert [*writer.entries] == []
    funds.look(11 * S, {"own": 4_000, "partner-a": 990_000})
    (spare,) = writer.entries
    assert (spare.kind, spare.tier) == ("spare", "own")
    assert (funds.runways["own"].left_s or 0) < SHORT_S
    funds.look(12 * S, {"own": 500, "partner-a": 500})
    funds.look(13 * S, {"own": 400, "partner-a": 400})
    told = [one for one in writer.entries if one.kind == "shortage"]
    assert [one.announced_ns is not None for one in told] == [True]
    funds.look(14 * S, {"own": 900_000, "partner-a": 900_000})
    assert all(one.ended_ns <= time.monotonic_ns() + S for one in writer.entries)


# -- a lender -----------------------------------------------------------------------------------


def alerts(made: Lender) -> list[str]:
    file = made.records / "states.console-1.csv"
    with contextlib.suppress(FileNotFoundError):
        return [
            row.split(",")[2]
            for row in file.read_text().splitlines()
            if ",alert," in row and ",raised," in row
        ]
    return []


def metrics(made: Lender, name: str) -> dict[str, float]:
    service = made.service(name)
    connection = http.client.HTTPConnection(service.host, service.port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        return numbers(connection.getresponse().read().decode())
    finally:
        connection.close()


@pytest.mark.slow
def test_a_frozen_replica_is_named_and_a_lender_without_it_is_silent(tmp_path: Path) -> None:
    with lender(tmp_path / "with") as made:
        assert metrics(made, "risk-1")['protection{name="early_warning"}'] == 1
        until(lambda: len(metrics(made, "console-1")) > 10)
        pid = made.service("risk-2").pid
        os.kill(pid, signal.SIGSTOP)
        try:
            began_s = time.monotonic()
            until(lambda: "risk-2" in alerts(made), 5)
            assert time.monotonic() - began_s < 4
        finally:
            os.kill(pid, signal.SIGCONT)
        until(lambda: metrics(made, "console-1")["alerts_raised"] == 0, 10)
        assert set(alerts(made)) == {"risk-2"}
    with lender(tmp_path / "without", "naive") as made:
        assert "alerts_raised" not in metrics(made, "console-1")
        assert alerts(made) == []


@pytest.mark.slow
def test_money_is_sent_for_before_a_tier_is_empty(tmp_path: Path) -> None:
    """Some hundred draws, then nearly all is taken away: the reserve fills it up."""
    with lender(tmp_path / "lender", reserve_fen=10**7) as made:
        for number in range(200):
            assert made.draw(f"run-way-{number:04d}", 4 + number % 390, 1000)[0] == 201
        until(lambda: metrics(made, "console-1").get('runway_s{tier="own"}'), 5)
        for tier in ("own", "partner-a"):
            path = f"/treasury/{tier}?amount_fen={-(10**12 - 120_000)}&key=gone-{tier}"
            assert made.control("POST", path)[0] == 200

        def has_fen() -> dict[str, int]:
            found: dict[str, int] = made.ask("GET", "/tiers", gateway="ledger-1")[1][
                "available_fen"
            ]
            return found

        assert max(has_fen().values()) < 50_000
        until(lambda: metrics(made, "console-1")["top_ups_started_total"] == 2, 5)
        until(lambda: min(has_fen().values()) > 50_000, 8)
        assert metrics(made, "console-1")["reserve_left_fen"] < 10**7
        assert "ledger" in alerts(made)
        assert {row["event"] for row in rows(made.books(), "versions")} >= {"top_up"}
