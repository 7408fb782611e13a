"""The two loops that move messages, the master's and a worker's; what to say is decided elsewhere.

A listener of Locust's that fails is logged and forgotten, so none does anything but put what came
into a queue; what is done about it happens here, where a failure ends the process.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent.queue import Empty, SimpleQueue

from harness.clock import NS_PER_S
from harness.load.courier import Courier
from harness.load.master import Master
from harness.load.messages import Message, leaving
from harness.load.plan import GONE_S, LOST_AFTER_S
from harness.load.worker import Clock, Note, Worker

LOOK_S = 0.02
TURN_S = 0.05

logger = logging.getLogger(__name__)


class Wire(Protocol):
    """One end of the channel. What it sends may be lost; that is reckoned with."""

    inbox: SimpleQueue

    def send(self, message: Message) -> None:
        """To the master, or from the master to `message.node`."""


class LocalWire:
    """Both ends in one process; `to` is the other one. Each end has its own clock."""

    def __init__(self, clock: Clock) -> None:
        self.inbox: SimpleQueue = SimpleQueue()
        self.clock = clock
        self.to: LocalWire | None = None

    def send(self, message: Message) -> None:
        if self.to is not None:
            self.to.inbox.put(message._replace(node="local", at_ns=self.to.clock()))


def arrived(wire: Wire, within_s: float) -> list[Message]:
    """What has come; waits for the first of it."""
    found = []
    try:
        found.append(wire.inbox.get(timeout=within_s))
        while True:
            found.append(wire.inbox.get_nowait())
    except Empty:
        return found


def lead(master: Master, wire: Wire, look: Callable[[], None]) -> None:
    """The master's: until every share is closed or lost, or we failed. `look` is called often."""
    while not master.over and master.failure is None:
        look()
        for message in arrived(wire, LOOK_S):
            master.hear(message)
        for message in master.turn(time.monotonic_ns()):
            wire.send(leaving(message, time.monotonic_ns()))


class Labour:
    """A worker's: from the hello until the master has everything. `run` returns what went wrong."""

    def __init__(self, courier: Courier, wire: Wire, note: Note, clock: Clock) -> None:
        self._courier = courier
        self._wire = wire
        self._note = note
        self._clock = clock
        self._worker: Worker | None = None
        self._talking: gevent.Greenlet | None = None

    def run(self) -> str | None:
        """Get a share, walk it, hand over what was seen. None: the master has it all."""
        courier = self._courier
        self._talking = gevent.spawn(self._talk)
        try:
            self._until(lambda: courier.share is not None or courier.refused is not None)
            if courier.share is None:
                return courier.refused
            self._worker = worker = Worker(courier.share, courier, self._note, self._clock)
            worker.warm_up()
            courier.counts, courier.ready = worker.progress, True
            self._until(lambda: bool(courier.orders.keys() & {"fire", "stop"}) or self._gone)
            fire: dict[str, Any] | None = courier.orders.get("fire")
            if fire is not None and courier.applied_ns is not None:
                worker.run(fire["t0_ns"] + courier.applied_ns, fire["urls"])
            courier.compare_again()
            self._until(lambda: not courier.comparing)
            courier.close(worker.offered, worker.stopped, worker.failure)
            self._until(lambda: courier.closed or self._gone)
            if not courier.closed:
                return f"the master was not heard for {GONE_S:.0f} s"
            return worker.failure
        finally:
            self._talking.kill()

    @property
    def _gone(self) -> bool:
        return self._courier.silent_ns(self._clock()) > GONE_S * NS_PER_S

    def _until(self, what: Callable[[], bool]) -> None:
        """Wait for it; what went wrong with the talking goes wrong here."""
        while not what():
            if self._talking is not None and self._talking.ready():
                self._talking.get()
            gevent.sleep(LOOK_S)

    def _talk(self) -> None:
        while True:
            for message in arrived(self._wire, TURN_S):
                self._courier.hear(message)
            for message in self._courier.turn(self._clock()):
                self._wire.send(message)
            if self._worker is not None:
                self._obey(self._worker)

    def _obey(self, worker: Worker) -> None:
        """Orders; and a load that nobody can stop any more stops itself."""
        orders = self._courier.orders
        if "stop" in orders:
            worker.stop_early()
        if "give_up" in orders:
            worker.give_up()
        if self._courier.silent_ns(self._clock()) > LOST_AFTER_S * NS_PER_S:
            if worker.stopped is None:
                logger.warning("the master was not heard for %d s", LOST_AFTER_S)
            worker.stop_early(f"its master was not heard for {LOST_AFTER_S:.0f} s")
            worker.give_up()
