"""Evidence over a channel that loses, doubles, delays and reorders: complete, or declared."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence import tables
from harness.evidence.fingerprint import fingerprint
from harness.evidence.manifest import Manifest, read_manifest
from harness.evidence.rows import Attempt, Intent
from harness.load.courier import Courier
from harness.load.master import Master
from harness.load.messages import Message, leaving
from harness.load.plan import ORDERED, LoadPlan
from harness.scenario.model import Patience

START_NS = 10**15
TURN_NS = 50 * NS_PER_MS
SECONDS = 4
PER_SECOND = 60
LIMIT_NS = 200 * NS_PER_S


def make_plan(run: Path, shares: int) -> LoadPlan:
    patience = Patience(1.0, 0.4, 1, 0.1, 0.1, 0.2)
    return LoadPlan(str(run), 7, shares, patience, 0.0, float(SECONDS), 1.0, "t", 0)


def make_intents(count: int) -> list[Intent]:
    gap_ns = NS_PER_S // PER_SECOND
    return [Intent(n, f"k{n}", n, "new", 100, "x", n * gap_ns, "baseline", False)
            for n in range(count)]  # fmt: skip


@dataclass
class Simulated:
    """A worker without sockets: it notes an attempt for each of its intents when it is due."""

    node: str
    skew_ns: int
    courier: Courier
    dies_ns: int | None = None
    done: int = 0
    seconds: int = 0
    phase: str = "waiting"
    noted: list[tuple[Any, ...]] = field(default_factory=list)

    def alive(self, now_ns: int) -> bool:
        return self.dies_ns is None or now_ns < self.dies_ns

    def live(self, now_ns: int) -> None:
        courier, mine = self.courier, now_ns + self.skew_ns
        share, fire = courier.share, courier.orders.get("fire")
        courier.ready = share is not None
        if share is not None and fire is None and "stop" in courier.orders:
            courier.close((), ORDERED, None)
        if share is None or fire is None or courier.applied_ns is None:
            return
        since_ns = mine - fire["t0_ns"] - courier.applied_ns
        stop = "stop" in courier.orders
        while not stop and self.done < len(share.intents):
            intent = share.intents[self.done]
            if intent.due_ns > since_ns:
                break
            at_ns = fire["t0_ns"] + courier.applied_ns + intent.due_ns
            row = (intent.intent, "press", 1, at_ns, at_ns, at_ns, at_ns, 201, "granted", None,
                   None, None, "gateway-1", share.worker)  # fmt: skip
            courier.keep("attempts", row, intent.due_ns // NS_PER_S)
            self.noted.append(row)
            self.done += 1
        over = stop or self.done == len(share.intents)
        while self.seconds < SECONDS and self.phase == "waiting":
            if not over and since_ns < (self.seconds + 1) * NS_PER_S:
                return
            courier.flush("attempts", self.seconds)
            health = (share.worker, self.seconds, 0, 0, 0, 0, 0, 0, 0.0, None, None, 0, 0, 0)
            courier.keep("generator", health, self.seconds)
            courier.flush("generator", self.seconds)
            self.seconds += 1
        if self.phase == "waiting" and over:
            courier.compare_again()
            self.phase = "comparing"
        elif self.phase == "comparing" and not courier.comparing:
            courier.close(share.intents[: self.done], ORDERED if stop else None, None)
            self.phase = "closed"


class Channel:
    """Delivers, or does what the dice say; nothing passes a worker that is cut off."""

    def __init__(self, dice: Random, lose: float, double: float, delay_ns: int) -> None:
        self._dice, self._lose, self._double, self._delay_ns = dice, lose, double, delay_ns
        self._under_way: list[tuple[int, str, Message]] = []
        self.cuts: dict[str, tuple[int, int]] = {}

    def send(self, now_ns: int, to: str, message: Message) -> None:
        if self._dice.random() < self._lose:
            return
        for _ in range(2 if self._dice.random() < self._double else 1):
            at_ns = now_ns + self._dice.randrange(self._delay_ns + 1)
            self._under_way.append((at_ns, to, message))

    def arrived(self, now_ns: int) -> Iterator[tuple[int, str, Message]]:
        ripe = [one for one in self._under_way if one[0] <= now_ns]
        self._under_way = [one for one in self._under_way if one[0] > now_ns]
        for at_ns, to, message in sorted(ripe, key=lambda one: one[0]):
            worker = message.node if to == "master" else to
            begin_ns, end_ns = self.cuts.get(worker, (0, 0))
            if not begin_ns <= at_ns < end_ns:
                yield at_ns, to, message


@dataclass
class World:
    """Two workers and a master, and what became of them."""

    master: Master
    workers: list[Simulated]
    run: Path
    now_ns: int = START_NS
    t0_ns: int | None = None

    def play(self, channel: Channel) -> Manifest:
        by_node = {one.node: one for one in self.workers}
        while not self.master.over and self.now_ns < START_NS + LIMIT_NS:
            self.now_ns += TURN_NS
            for at_ns, to, message in channel.arrived(self.now_ns):
                if to == "master":
                    self.master.hear(message._replace(at_ns=at_ns))
                elif by_node[to].alive(at_ns):
                    mine_ns = at_ns + by_node[to].skew_ns
                    by_node[to].courier.hear(message._replace(at_ns=mine_ns))
            if self.master.ready and self.t0_ns is None:
                self.t0_ns = self.now_ns + NS_PER_S
                self.master.order("fire", {"t0_ns": self.t0_ns, "urls": {}})
            for message in self.master.turn(self.now_ns):
                channel.send(self.now_ns, message.node, leaving(message, self.now_ns))
            for one in self.workers:
                if one.alive(self.now_ns):
                    one.live(self.now_ns)
                    for message in one.courier.turn(self.now_ns + one.skew_ns):
                        channel.send(self.now_ns, "master", message._replace(node=one.node))
        return self.master.finish()

    def stored(self) -> list[Attempt]:
        rows, missing, _ = tables.read_rows(self.run, "attempts")
        assert not missing
        return list(rows)


@contextmanager
def world(skews_ms: tuple[int, ...] = (0, 0), count: int = SECONDS * PER_SECOND) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        master = Master(make_plan(run, len(skews_ms)), make_intents(count), run)
        workers = [
            Simulated(f"node-{n}", skew_ms * NS_PER_MS, Courier(f"worker-{n + 1}", f"host-{n}", n))
            for n, skew_ms in enumerate(skews_ms)
        ]
        try:
            yield World(master, workers, run)
        finally:
            master.finish()


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
            assert known.sha256 == fingerprint(share.intents)
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
        assert other.offered is not None
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
