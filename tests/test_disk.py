"""How the disk was: real beats of the controller, and what the judge makes of them."""

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import NS_PER_MS, NS_PER_S
from harness.disk_beat import DiskBeat
from harness.evidence import tables
from harness.evidence.columnar import Rows
from harness.evidence.rows import DiskBeat as Beat
from harness.judge.disk import disk_health
from harness.judge.health import bad_seconds
from harness.judge.judge import judge
from harness.judge.view import RunView
from tests.run_views import clean

LOAD_S = 41


def looked_at(view: RunView, waits_ms: dict[int, int], *, gone: Iterable[int] = ()) -> RunView:
    """A look each 50 ms, of 1 ms; the first of some seconds takes longer, some seconds have none.
    Beats come one after the other, so a long one stands for those that it held up."""
    beats: list[Beat] = []
    at_ns, end_ns = view.t0_ns, view.t0_ns + LOAD_S * NS_PER_S
    while at_ns < end_ns:
        second, within_ns = divmod(at_ns - view.t0_ns, NS_PER_S)
        first = within_ns < 50 * NS_PER_MS
        took_ns = (waits_ms.get(second, 1) if first else 1) * NS_PER_MS
        if second not in gone:
            beats.append(Beat(at_ns, took_ns))
        at_ns += max(took_ns, 50 * NS_PER_MS)
    return replace(view, disk=Rows.of("disk", beats), owes_disk=True)


def written(folder: Path) -> tuple[list[Beat], bool, bool]:
    rows, missing, cut = tables.read_rows(folder, "disk")
    return [Beat(*row) for row in rows], missing, cut


def test_beats_are_real_and_their_table_is_whole(tmp_path: Path) -> None:
    began_ns = time.monotonic_ns()
    disk = DiskBeat(tmp_path / "disk.0.arrows", tmp_path / "beat")
    disk.start()
    give_up_ns = began_ns + 20 * NS_PER_S
    while not (tmp_path / "beat").exists() or (tmp_path / "beat").stat().st_size == 0:
        assert time.monotonic_ns() < give_up_ns
    disk.stop()
    beats, missing, cut = written(tmp_path)
    assert (len(beats) > 0, missing, cut) == (True, False, False)
    assert all(began_ns < one.began_ns and one.took_ns > 0 for one in beats)


def test_a_disk_that_holds_a_write_up_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []

    def slow(descriptor: int) -> None:
        forced.append(descriptor)
        threading.Event().wait(0.25)

    monkeypatch.setattr(os, "fsync", slow)
    disk = DiskBeat(tmp_path / "disk.0.arrows", tmp_path / "beat")
    disk.start()
    give_up_ns = time.monotonic_ns() + 20 * NS_PER_S
    while not forced:
        assert time.monotonic_ns() < give_up_ns
    disk.stop()
    beats, _, cut = written(tmp_path)
    assert not cut
    assert len(beats) == len(forced)
    assert all(one.took_ns >= 250 * NS_PER_MS for one in beats)


def test_a_disk_that_refuses_leaves_a_table_that_is_missing_or_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskBeat(tmp_path / "disk.0.arrows", tmp_path / "nowhere" / "beat")
    disk.start()
    disk.stop()
    assert written(tmp_path) == ([], True, False)

    def refused(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refused)
    full = tmp_path / "full"
    full.mkdir()
    disk = DiskBeat(full / "disk.0.arrows", full / "beat")
    disk.start()
    disk._thread.join(20)
    disk.stop()
    assert written(full) == ([], False, True)


def test_a_wait_beyond_the_bound_makes_each_second_bad_that_it_touches() -> None:
    view = looked_at(clean(), {7: 150, 20: 250, 30: 1300})
    health = disk_health(view, range(LOAD_S))
    assert health.bad == {20, 30, 31}
    assert health.unseen == frozenset()
    assert health.worst_ms == 1300
    assert bad_seconds(view) == {20, 30, 31}


def test_a_single_wait_is_a_hiccup_and_many_are_inconclusive() -> None:
    once = judge(looked_at(clean(), {6: 250}))
    assert (once.exit_code, once.value["generator"]["bad_seconds"]) == (0, 1)
    assert once.value["generator"]["disk_ms_max"] == 250
    often = judge(looked_at(clean(), {6: 250, 8: 300, 10: 250}))
    assert often.exit_code == 3
    assert "waiting for the disk 300 ms, at most 200 ms" in often.reason


def test_seconds_in_which_nobody_looked_are_not_good_ones() -> None:
    blind = judge(looked_at(clean(), {}, gone=range(5, 9)))
    assert blind.exit_code == 3
    assert "the disk was not looked at in 4 of them" in blind.reason
    never = judge(replace(clean(), owes_disk=True))
    assert never.exit_code == 3


def test_a_run_of_before_the_disk_was_looked_at_is_judged_as_it_was() -> None:
    verdict = judge(clean())
    assert verdict.exit_code == 0
    assert verdict.value["generator"]["disk_ms_max"] is None


def test_a_scenario_may_set_the_bound() -> None:
    view = looked_at(clean(), {6: 150, 8: 150, 10: 150})
    assert judge(view).exit_code == 0
    load = replace(view.scenario.load, generator=(("disk", 0.1),))
    strict = replace(view, scenario=replace(view.scenario, load=load))
    assert judge(strict).exit_code == 3
