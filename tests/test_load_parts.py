"""The pure parts of a load: shares, the outbox, clocks, and the tally against plain counting."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence import tables
from harness.evidence.inbox import Inbox
from harness.evidence.manifest import Closing
from harness.evidence.outbox import WINDOW, Outbox
from harness.evidence.rows import Intent
from harness.load.clocks import Exchange, Rounds, applied_ns, best
from harness.load.shares import Deal, of_share
from harness.load.tally import ENDS, Tally, recent_key

TURN_NS = 50 * NS_PER_MS
GAP_NS, PATIENCE_NS, WINDOW_MS = 10 * NS_PER_MS, 25 * NS_PER_MS, 70


def test_a_share_is_started_once() -> None:
    deal = Deal(2)
    assert deal.give("a", 1) == 1
    assert deal.give("a", 1) == 1, "a worker that asks again goes on with what it has"
    assert deal.give("b", 1) is None, "started already, by somebody else"
    assert deal.give("b", None) == 0
    assert deal.give("c", None) is None
    assert deal.holders == ("b", "a")


@given(st.integers(1, 7), st.integers(0, 40))
def test_shares_divide_the_intents(shares: int, count: int) -> None:
    intents = [Intent(n, "", 0, "", 0, "", n, "", False) for n in range(count)]
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


@given(st.lists(st.tuples(st.integers(0, 19), st.sampled_from(ENDS)), unique_by=lambda e: e[0]),
       st.lists(st.integers(0, 400 * NS_PER_MS), min_size=1).map(sorted))  # fmt: skip
def test_counting_as_they_end_is_counting_them_all(
    ended: list[tuple[int, str]], looks: list[int]
) -> None:
    """Ends and looks take turns, in any order of the draws."""
    intents = [Intent(n * 3 + 1, "", 0, "", 0, "", n * GAP_NS, "", False) for n in range(20)]
    tally = Tally(intents)
    known: dict[int, str] = {}
    left = list(ended)
    for at_ns in looks:
        for place, how in left[:2]:
            known[place] = how
            tally.end(intents[place].intent, how)
        left = left[2:]
        found = tally.counts(at_ns, PATIENCE_NS, (WINDOW_MS,))
        assert found["due"] == sum(one.due_ns <= at_ns for one in intents)
        end_ns = at_ns - PATIENCE_NS
        begin_ns = end_ns - WINDOW_MS * NS_PER_MS
        recent = [n for n in range(20) if begin_ns < intents[n].due_ns <= end_ns]
        if begin_ns < 0:
            assert not [name for name in found if name.startswith("recent")]
        else:
            assert found[recent_key(WINDOW_MS, "due")] == len(recent)
            for how in ("granted", "refused"):
                there = sum(known.get(n) == how for n in recent)
                assert found[recent_key(WINDOW_MS, how)] == there
        counts = Counter(known.values())
        assert {how: found[how] for how in ENDS} == {how: counts[how] for how in ENDS}
        assert found["done"] == len(known)
