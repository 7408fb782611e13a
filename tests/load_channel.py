"""Master and workers without sockets or clocks: a channel that loses, doubles, delays, reorders."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence import tables
from harness.evidence.manifest import Manifest
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
        return [Attempt(*row) for row in rows]  # type: ignore[arg-type]  # as stored


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
