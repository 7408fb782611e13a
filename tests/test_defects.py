"""Planted mistakes: each is known by one name everywhere, and really breaks what it says."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.defect_recipes import NEEDS, RECIPES, SCENARIO
from harness.judge.audit import RULES
from harness.scenario import lender_section
from harness.scenario.loader import load_scenario
from mock_lender import defects
from mock_lender.cluster.config import LenderConfig, TierConfig
from mock_lender.cluster.postgres import children, kill_server
from mock_lender.cluster.witness import Member
from mock_lender.defects import DEFECTS, sql
from tests.books import rows
from tests.databases import one_database
from tests.lender_process import LIMIT_FEN, Lender, lender, until


def test_the_loader_and_the_lender_know_the_same_defects() -> None:
    assert set(lender_section.DEFECTS) == set(DEFECTS)
    assert set(NEEDS) == set(DEFECTS)
    assert set(NEEDS.values()) <= set(RECIPES)


def test_each_defect_names_a_rule_of_the_audit() -> None:
    known = {rule.name for rule in RULES}
    assert {defect.rule for defect in DEFECTS.values()} <= known


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_accepted_by_name_and_documented(name: str) -> None:
    loaded = load_scenario(SCENARIO, (f"lender.defects=[{name}]",), None)
    assert loaded.scenario.lender.defects == (name,)
    defects.check([name])
    docs = SCENARIO.parent.parent / "docs" / "scenario-format.md"
    assert f"`{name}`" in docs.read_text()


def test_an_unknown_defect_is_refused() -> None:
    with pytest.raises(ValueError, match="no such defects: lost-voids"):
        defects.check(["lost-voids", "lost-void"])


def test_a_lender_has_no_defect_unless_told() -> None:
    assert LenderConfig.__dataclass_fields__["defects"].default == ()
    assert load_scenario(SCENARIO, (), None).scenario.lender.defects == ()


def test_the_changes_fit_the_ledgers_functions_and_say_when_they_do_not(tmp_path: Path) -> None:
    tiers = [TierConfig("own", "bank.own", 1.0, 10**9)]
    with one_database(tmp_path, "1,new,1000000,0,0", tiers, list(sql.CHANGES)) as books:
        assert books.dsn
    (tmp_path / "again").mkdir()
    twice = ("forgotten-hold", "forgotten-hold")
    with (
        pytest.raises(ValueError, match="forgotten-hold: end_try has changed"),
        one_database(tmp_path / "again", "1,new,1000000,0,0", tiers, twice),
    ):
        pass


@pytest.mark.slow
def test_a_known_key_is_accepted_for_another_draw(tmp_path: Path) -> None:
    with lender(tmp_path / "lender", defects=("key-reuse-accepted",)) as made:
        assert made.draw("reused-0001", borrower=10, amount_fen=500)[0] == 201
        assert made.draw("reused-0001", borrower=10, amount_fen=700)[0] == 201
        assert made.draw("reused-0002", borrower=11, amount_fen=900)[0] == 201
        kept = rows(made.books(), "draws")
        assert [(row["draw_key"], row["amount_fen"]) for row in kept] == [("reused-0001", "500")]


@pytest.mark.slow
def test_draws_at_once_exceed_the_limit(tmp_path: Path) -> None:
    with lender(tmp_path / "lender", defects=("quota-race",)) as made, ThreadPoolExecutor(8) as at:
        found = list(
            at.map(
                lambda n: made.draw(f"race-{n:05d}", borrower=60, amount_fen=LIMIT_FEN // 2)[0],
                range(8),
            )
        )
        assert found.count(201) > 2
        assert made.ask("GET", "/v1/borrowers/60/quota")[1]["outstanding_fen"] > LIMIT_FEN


def _primary(made: Lender) -> Member:
    found: Member = until(lambda: made.databases().primary and made.databases().member("primary"))
    return found


def _granted(made: Lender, key: str, borrower: int, gateway: str = "gateway-1") -> bool:
    """Press once, and ask until the answer is known or the lender is not to be asked."""
    give_up_s = time.monotonic() + 4.0
    status, _ = made.draw(key, borrower=borrower, gateway=gateway)
    while status not in (200, 201) and time.monotonic() < give_up_s:
        status, _ = made.ask("GET", f"/v1/draws/{key}", gateway=gateway)
    return status in (200, 201)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["failover-that-forgets", "replay-acknowledges-unflushed"])
def test_a_failover_forgets_what_was_acknowledged(tmp_path: Path, name: str) -> None:
    with lender(tmp_path / "lender", defects=(name,)) as made, ThreadPoolExecutor(8) as pool:
        lost = [key for number in range(2) for key in _forgotten(made, pool, number)]
    assert lost, "two failovers, and nothing was forgotten"


def _forgotten(made: Lender, pool: ThreadPoolExecutor, number: int) -> list[str]:
    """Press, and kill the primary as soon as one is granted, which its standby has not heard of by
    then; the keys that were granted, and that nobody knows afterwards."""
    old = _primary(made)
    until(lambda: made.databases().in_sync)
    keys = [f"forgotten-{number}-{n}" for n in range(8)]
    presses = [pool.submit(_granted, made, key, 20 + n) for n, key in enumerate(keys)]
    until(lambda: any(press.done() and press.result() for press in presses), 5)
    granted = [k for k, p in zip(keys, presses, strict=True) if p.done() and p.result()]
    kill_server(old.pid, old.start_ticks)
    until(lambda: made.databases().epoch > number + 1)
    for press in presses:
        press.result()
    _primary(made)
    return [key for key in granted if made.ask("GET", f"/v1/draws/{key}")[0] == 404]


@contextmanager
def _frozen(server: Member) -> Iterator[None]:
    """Every process of a server stopped, for the length of a block."""
    pids = [server.pid, *children(server.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_an_unfenced_primary_goes_on_acknowledging(tmp_path: Path) -> None:
    """Frozen, replaced, woken: one ledger still serves from it, and what it grants is lost."""
    with lender(tmp_path / "lender", defects=("fencing-off",)) as made:
        old = _primary(made)
        with _frozen(old):
            until(lambda: made.databases().epoch > 1 and made.databases().primary, 10)
        assert _primary(made).pid != old.pid
        assert Path(f"/proc/{old.pid}").exists()
        granted: list[str] = []

        def lost() -> bool:
            key = f"split-{len(granted):05d}"
            granted.append(key)
            # The second gateway asks the second ledger first, which is the one that is not fenced.
            if not _granted(made, key, 20 + len(granted) % 300, "gateway-2"):
                return False
            return made.ask("GET", f"/draws/{key}", gateway="ledger-1")[0] == 404

        until(lost, 30)
        kept = {row["draw_key"] for row in rows(made.books(), "draws") if row["state"] == "paid"}
        assert granted[-1] not in kept
    assert not Path(f"/proc/{old.pid}").exists()
