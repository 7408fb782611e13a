"""Evidence over a channel that loses, doubles, delays and reorders: complete, or declared."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence import tables
from harness.evidence.inbox import Inbox
from harness.evidence.manifest import Closing, digest, read_manifest
from harness.evidence.outbox import WINDOW, Outbox
from harness.load.clocks import Exchange, Rounds, applied_ns, best
from harness.load.courier import Courier
from harness.load.shares import Deal, of_share
from tests.load_channel import (
    LIMIT_NS,
    PER_SECOND,
    SECONDS,
    START_NS,
    TURN_NS,
    Channel,
    make_intents,
    world,
)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    lose=st.sampled_from((0.0, 0.05, 0.3)),
    double=st.sampled_from((0.0, 0.3)),
    delay_ms=st.sampled_from((0, 20, 400)),
    cut_s=st.sampled_from((0, 3, 10)),
    skew_ms=st.sampled_from((0, 250, -3_600_000)),
)
def test_whatever_the_channel_does_the_evidence_arrives_once_and_in_order(
    seed: int, lose: float, double: float, delay_ms: int, cut_s: int, skew_ms: int
) -> None:
    with world((0, skew_ms)) as here:
        channel = Channel(Random(seed), lose, double, delay_ms * NS_PER_MS)
        begin_ns = START_NS + 4 * NS_PER_S
        channel.cuts["node-1"] = (begin_ns, begin_ns + cut_s * NS_PER_S)
        manifest = here.play(channel)
        assert manifest.complete, manifest.problems()
        assert here.master.lost is None
        assert sorted(a.intent for a in here.stored()) == list(range(SECONDS * PER_SECOND))
        assert not tables.read_rows(here.run, "attempts")[2]
        for one in here.workers:
            share = one.courier.share
            assert share is not None
            mine = [a for a in here.stored() if a.worker == share.worker]
            assert [a.intent for a in mine] == [row[0] for row in one.noted]
            known = next(e for e in manifest.shares if e.worker == share.worker)
            assert known.sha256 == digest(share.intents)
            assert (known.offered, known.rows["attempts"]) == (len(mine), len(mine))
        again = read_manifest(here.run)
        assert again is not None
        assert (again.complete, again.problems()) == (True, [])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    lose=st.sampled_from((0.0, 0.2)),
    dies_ms=st.integers(0, 12_000),
)
def test_a_worker_that_dies_is_declared_or_had_handed_over_everything(
    seed: int, lose: float, dies_ms: int
) -> None:
    """Never a gap that nobody speaks of: what was seen is stored, or its share is called lost."""
    with world() as here:
        here.workers[1].dies_ns = START_NS + dies_ms * NS_PER_MS
        manifest = here.play(Channel(Random(seed), lose, 0.1, 20 * NS_PER_MS))
        stored = {(a.worker, a.intent) for a in here.stored()}
        for share, one in zip(manifest.shares, here.workers, strict=True):
            noted = {(row[-1], row[0]) for row in one.noted}
            assert noted <= stored or share.missing
            if share.missing:
                assert share.missing_s
                assert not manifest.complete
                assert tables.read_rows(here.run, "attempts")[2], "the stream must read as cut"
        assert here.now_ns < START_NS + LIMIT_NS, "the run must end by itself"


def test_a_link_cut_for_good_is_lost_within_its_bound_and_the_other_stops() -> None:
    with world(count=10_000) as here:
        channel = Channel(Random(1), 0.0, 0.0, NS_PER_MS)
        cut_ns = START_NS + 4 * NS_PER_S
        channel.cuts["node-1"] = (cut_ns, cut_ns + 10**6 * NS_PER_S)
        manifest = here.play(channel)
        assert 29 <= (here.now_ns - cut_ns) / NS_PER_S < 36
        assert here.master.lost is not None
        assert "worker-2 on this machine (share 2 of 2)" in here.master.lost
        lost, other = manifest.shares[1], manifest.shares[0]
        assert "was not heard for 30 s" in lost.missing
        assert lost.missing_s == [(lost.last_s or 0) + 1, max(SECONDS - 1, lost.last_s or 0)]
        assert other.missing == ""
        assert 0 < other.offered < other.intents


def test_a_clock_that_is_off_is_measured_within_its_uncertainty_and_taken_off() -> None:
    with world((0, 250)) as here:
        here.play(Channel(Random(3), 0.0, 0.0, 8 * NS_PER_MS))
        rows, _, _ = tables.read_rows(here.run, "clocks")
        mine = [row for row in rows if row[0] == "worker-2"]
        assert len(mine) >= 2, "at the start and at the end"
        for row in mine:
            assert abs(int(str(row[3])) - 250 * NS_PER_MS) <= int(str(row[4]))
        applied = int(str(mine[0][5]))
        assert applied != 0
        error_ns = abs(applied - 250 * NS_PER_MS)
        for attempt in here.stored():
            assert here.t0_ns is not None
            due_ns = here.t0_ns + attempt.intent * (NS_PER_S // PER_SECOND)
            if attempt.worker == "worker-2":
                # Scheduled by its own idea of t = 0, written in the controller's: the same number.
                assert attempt.scheduled_ns == due_ns
        assert error_ns <= int(str(mine[0][4]))
        assert {row[5] for row in rows if row[0] == "worker-1"} == {0}


def test_a_share_is_started_once() -> None:
    deal = Deal(2)
    assert deal.give("a", 1) == 1
    assert deal.give("a", 1) == 1, "a worker that asks again goes on with what it has"
    assert deal.give("b", 1) is None, "started already, by somebody else"
    assert deal.give("b", None) == 0
    assert deal.give("c", None) is None
    assert deal.holders == ("b", "a")


def test_a_process_that_takes_a_dead_ones_place_is_refused() -> None:
    with world() as here:
        first, again = here.workers[0].courier, Courier("worker-1", "host-0", 0)
        for courier, node in ((first, "node-0"), (again, "node-9")):
            for message in courier.turn(START_NS):
                here.master.hear(message._replace(node=node, at_ns=START_NS))
        for message in here.master.turn(START_NS):
            (first if message.node == "node-0" else again).hear(message)
        assert first.share is not None
        assert again.share is None
        assert again.refused == "every share has been started"


@given(st.integers(1, 7), st.integers(0, 40))
def test_shares_divide_the_intents(shares: int, count: int) -> None:
    intents = make_intents(count)
    parts = [of_share(intents, share, shares) for share in range(shares)]
    assert sorted(one for part in parts for one in part) == intents
    assert all(list(part) == sorted(part) for part in parts)


def test_a_full_outbox_loses_the_newest_and_counts_them() -> None:
    box = Outbox(0, bytes_max=25)
    for second in range(4):
        box.put("attempts", 5, second, b"x" * 10)
    assert (box.chunks, box.rows["attempts"]) == (2, 10)
    assert (box.lost["attempts"], box.lost_s) == (10, [2, 3])
    box.acknowledged(1, 0)
    box.put("attempts", 5, 4, b"x" * 10)
    assert [chunk.seq for chunk in box.due(0)] == [1, 2], "numbers have no gap"


def test_while_nothing_comes_back_only_the_oldest_is_sent_again() -> None:
    box = Outbox(0)
    for second in range(WINDOW + 10):
        box.put("attempts", 1, second, b"x")
    assert len(box.due(0)) == WINDOW
    assert box.due(NS_PER_S // 2) == []
    assert [chunk.seq for chunk in box.due(NS_PER_S)] == [0]
    assert [chunk.seq for chunk in box.due(2 * NS_PER_S)] == [0]
    box.acknowledged(1, 2 * NS_PER_S)
    assert [chunk.seq for chunk in box.due(2 * NS_PER_S)] == list(range(1, WINDOW + 1))


def test_rows_that_were_lost_over_there_are_declared(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, 0)
    closing = Closing(0, {}, {"attempts": 12}, [3, 4], 0, "", None, None)
    assert "12 of attempts" in inbox.missing(closing)
    inbox.close(whole=False)
    assert tables.read_rows(tmp_path, "attempts")[2]


@given(
    st.integers(-(10**15), 10**15), st.integers(0, 10**9), st.integers(0, 10**9),
    st.integers(0, 10**9), st.integers(0, 10**12),
)  # fmt: skip
def test_the_offset_lies_within_its_uncertainty(
    offset_ns: int, there_ns: int, held_ns: int, back_ns: int, at_ns: int
) -> None:
    t2_ns = at_ns + there_ns
    t3_ns = t2_ns + held_ns
    exchange = Exchange(at_ns + offset_ns, t2_ns, t3_ns, t3_ns + back_ns + offset_ns)
    assert abs(exchange.offset_ns - offset_ns) <= exchange.uncertainty_ns
    assert exchange.uncertainty_ns <= (there_ns + back_ns) // 2 + 2
    quick = Exchange(0, 5, 5, 10)
    assert best([exchange, quick, exchange]).uncertainty_ns <= quick.uncertainty_ns


@pytest.mark.parametrize(
    ("offset_ns", "uncertainty_ns", "applied"),
    [(0, 1, 0), (400, 500, 0), (-500, 500, 0), (501, 500, 501), (-(10**12), 500, -(10**12))],
)
def test_clocks_that_cannot_be_told_apart_are_one(
    offset_ns: int, uncertainty_ns: int, applied: int
) -> None:
    assert applied_ns(offset_ns, uncertainty_ns) == applied


def test_a_round_of_exchanges_ends_although_nothing_comes_back() -> None:
    rounds = Rounds()
    asked = [now_ns for now_ns in range(0, NS_PER_S, TURN_NS) if rounds.asks(now_ns)]
    assert len(asked) == 8
    rounds.heard(Exchange(-5, 0, 0, 1))
    assert rounds.done(NS_PER_S) == [], "the answer was to an earlier round's question"
    assert rounds.resting
    assert not rounds.asks(2 * NS_PER_S)
    assert rounds.asks(11 * NS_PER_S)
