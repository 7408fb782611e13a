"""A lender that always says yes, as its whole behaviour is known: `python -m benchmarks.load_stub
SETTINGS.json`. Prints its port; on SIGTERM it writes its log to the path the settings name.

    fast      answers at once
    freezing  answers at once, but nothing in the last `freeze_s` of every `period_s`; then all that
              waits, in the order it came
    queue     `servers` servers and one queue, first come first served; the time each draw needs is
              exponential about `service_ms`, from `seed`

It speaks just enough of the lender's public API: POST /v1/draws, GET of a draw and of a quota, over
HTTP/1.1 connections that stay open. It reads requests sent one behind another, but does not promise
the order of their answers: no generator here sends them so. Times are CLOCK_MONOTONIC, ns.
"""

import asyncio
import gc
import json
import random
import signal
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.load_truth import Freeze

HEAD_END = b"\r\n\r\n"
NS_PER_S = 1_000_000_000
BACKLOG = 4096
AGAIN_S = 0.0005
CLOSE = b"/close"
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 404: "Not Found"}
QUOTA = {
    "limit_fen": 10**9, "outstanding_fen": 0, "held_fen": 0, "available_fen": 10**9, "age_ms": 0,
}  # fmt: skip


_GRANTED = {
    status: f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
    "Content-Length: %d\r\n\r\n%b".encode()
    for status in (200, 201)
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a stub is told. bodies: keep what was asked for, too; costs a JSON parse a draw."""

    mode: str
    log: str
    period_s: float = 10.0
    freeze_s: float = 2.0
    servers: int = 4
    service_ms: float = 20.0
    seed: int = 1
    bodies: bool = False


def requests(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The whole requests (head, body) at the start of `data`, and the rest."""
    found, at = [], 0
    while (end := data.find(HEAD_END, at)) >= 0:
        head = data[at:end]
        stop = end + len(HEAD_END) + int(header(head, b"content-length") or 0)
        if len(data) < stop:
            break
        found.append((head, data[end + len(HEAD_END) : stop]))
        at = stop
    return found, data[at:]


def _path(head: bytes) -> bytes:
    return head.split(b" ", 2)[1]


def header(head: bytes, name: bytes) -> bytes:
    """A header's value; empty when it is not there. `name` in small letters."""
    low = head.lower()
    at = low.find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    start = at + len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


def answer(status: int, body: dict[str, Any]) -> bytes:
    """A whole HTTP answer."""
    data = json.dumps(body)
    return (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n{data}"
    ).encode()


def granted(status: int, key: bytes) -> bytes:
    """The lender's word that a draw is paid. Put together by hand: after a freeze hundreds of them
    are due at one moment, and the time they take is no wait of the generator's."""
    body = (
        b'{"outcome": "granted", "draw_key": "%b", "tier": "own", "paid_ns": %d}'
        % (key, time.monotonic_ns())
    )  # fmt: skip
    return _GRANTED[status] % (len(body), body)


class Stub:
    """Who has asked for what, and when each is answered; `log` tells all of it."""

    def __init__(self, settings: Settings, later: Callable[[float, Callable[[], None]], Any]):
        self._settings = settings
        self._later = later
        self._dice = random.Random(settings.seed)  # noqa: S311  a model's times, not secrets
        self._arrivals = array("q")
        self._draws: list[tuple[str, Any]] = []
        self._granted: set[bytes] = set()
        self._open: set[bytes] = set()
        self._waiting: deque[tuple[asyncio.WriteTransport, bytes, bytes, int]] = deque()
        self._idle = settings.servers
        self._served: list[tuple[str, int, int, int]] = []
        self._freezes: list[Freeze] = []
        self._frozen = False
        self._began_ns = time.monotonic_ns()
        if settings.mode == "freezing":
            self._next_freeze()

    def asked(self, transport: asyncio.WriteTransport, head: bytes, body: bytes) -> None:
        """One request has come."""
        now_ns = time.monotonic_ns()
        if head.startswith(b"POST") and not _path(head).endswith(CLOSE):
            self._arrivals.append(now_ns)
            key = header(head, b"idempotency-key")
            if self._settings.bodies:
                self._draws.append((key.decode(), json.loads(body)))
            if self._settings.mode != "fast":
                self._open.add(key)
        else:
            key = b""
        if self._frozen:
            self._waiting.append((transport, head, key, now_ns))
        elif self._settings.mode == "queue" and key:
            self._waiting.append((transport, head, key, now_ns))
            self._serve()
        else:
            self._answer(transport, head, key)

    def _answer(self, transport: asyncio.WriteTransport, head: bytes, key: bytes) -> None:
        if key:
            self._granted.add(key)
            self._open.discard(key)
            data = granted(201, key)
        else:
            data = self._told(_path(head))
        if not transport.is_closing():
            transport.write(data)

    def _told(self, path: bytes) -> bytes:
        """The answer to a question that changes nothing."""
        if path.startswith(b"/v1/borrowers/"):
            return answer(200, QUOTA)
        closed = path.endswith(CLOSE)
        key = path.removesuffix(CLOSE).rpartition(b"/")[2]
        if key in self._open:
            return answer(202, {"outcome": "in-progress", "draw_key": key.decode()})
        if key in self._granted:
            return granted(200, key)
        if closed:
            return answer(200, {"outcome": "closed", "draw_key": key.decode()})
        return answer(404, {"reason": "unknown-key", "certain": False, "final": False})

    def _serve(self) -> None:
        while self._idle and self._waiting:
            self._idle -= 1
            transport, head, key, arrived_ns = self._waiting.popleft()
            began_ns = time.monotonic_ns()
            end_ns = began_ns + int(
                self._dice.expovariate(1 / self._settings.service_ms) * NS_PER_S / 1000
            )

            def done(
                transport: asyncio.WriteTransport = transport, head: bytes = head,
                key: bytes = key, arrived_ns: int = arrived_ns, began_ns: int = began_ns,
            ) -> None:  # fmt: skip
                self._idle += 1
                self._answer(transport, head, key)
                # What the service has really taken, the timer's lateness with it.
                self._served.append((key.decode(), arrived_ns, began_ns, time.monotonic_ns()))
                self._serve()

            self._later((end_ns - time.monotonic_ns()) / NS_PER_S, done)

    def _next_freeze(self) -> None:
        period_ns = int(self._settings.period_s * NS_PER_S)
        end_ns = self._began_ns + (len(self._freezes) + 1) * period_ns
        from_ns = end_ns - int(self._settings.freeze_s * NS_PER_S)

        def freeze() -> None:
            self._frozen = True
            frozen_ns = time.monotonic_ns()
            self._at(end_ns, lambda: self._release(frozen_ns))

        self._at(from_ns, freeze)

    def _at(self, at_ns: int, act: Callable[[], None]) -> None:
        """The loop's timers are a millisecond coarse: what comes early waits again."""
        left_s = (at_ns - time.monotonic_ns()) / NS_PER_S
        if left_s <= 0:
            act()
        else:
            self._later(max(left_s - AGAIN_S, 0.0), lambda: self._at(at_ns, act))

    def _release(self, frozen_ns: int) -> None:
        self._frozen = False
        released_ns, count = time.monotonic_ns(), len(self._waiting)
        while self._waiting:
            transport, head, key, _ = self._waiting.popleft()
            self._answer(transport, head, key)
        # The transports write at the end of this turn of the loop: the next turn knows when.
        place = len(self._freezes)
        self._freezes.append(Freeze(frozen_ns, released_ns, time.monotonic_ns(), count))

        def written() -> None:
            self._freezes[place] = Freeze(frozen_ns, released_ns, time.monotonic_ns(), count)

        self._later(0, written)
        self._next_freeze()

    def log(self) -> dict[str, Any]:
        """Arrivals of POSTs; the freezes that are over; (key, arrived, began, ended) of each draw
        served in the queue; (key, body) of each draw where bodies are kept."""
        return {
            "arrivals_ns": list(self._arrivals),
            "freezes": [asdict(freeze) for freeze in self._freezes],
            "served": self._served,
            "draws": self._draws,
        }


class Connection(asyncio.Protocol):
    """One connection: cuts what comes into requests."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._rest = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        found, self._rest = requests(self._rest + data if self._rest else data)
        for head, body in found:
            self._stub.asked(self._transport, head, body)


async def serve(settings: Settings) -> None:
    """Until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    stub = Stub(settings, loop.call_later)
    server = await loop.create_server(lambda: Connection(stub), "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.disable()  # a pause of ours would be taken for the generator's
    await stop.wait()
    Path(settings.log).write_text(json.dumps(stub.log()))  # noqa: ASYNC240  nobody waits any more


def main() -> int:
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text()))
    uvloop.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
