"""The client of every hop: what was sent, what was not, and what may be tried again."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.clock import NS_PER_S
from mock_lender.clock import skewed
from mock_lender.cluster.config import CapacityConfig, LenderConfig, TierConfig
from mock_lender.cluster.postgres import Access
from mock_lender.context import ServiceContext
from mock_lender.http.client import HopClient
from mock_lender.http.wire import Reply
from mock_lender.resilience import retry
from mock_lender.resilience.deadline import Deadline
from mock_lender.telemetry import Telemetry

Speak = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
SHED = (
    b"HTTP/1.1 503 X\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: 17\r\n\r\n"
    b'{"certain": true}'
)


@contextmanager
def server(*speaks: Speak) -> Iterator[tuple[str, list[int]]]:
    """A raw server: the n-th connection is treated by the n-th function (the last for ever)."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    served: list[int] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(2)
                connection.recv(65536)
                served.append(1)
                speaks[min(len(served), len(speaks)) - 1](connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", served
    finally:
        stop.set()
        thread.join()
        listener.close()


def silence(connection: socket.socket) -> None:
    threading.Event().wait(0.6)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def hang_up(connection: socket.socket) -> None:
    return


def half(connection: socket.socket) -> None:
    connection.sendall(OK.replace(b"Length: 2", b"Length: 20"))


def ok(connection: socket.socket) -> None:
    connection.sendall(OK)


def shed(connection: socket.socket) -> None:
    connection.sendall(SHED)


def context_of(tmp_path: Path, address: str, protections: tuple[str, ...]) -> ServiceContext:
    """Of gateway-1, that has a bank at that address."""
    config = LenderConfig(
        work_dir="", telemetry_dir="", topology_json="", population_csv="", cache_dir="",
        token="", protections=protections, replicas={"gateway": 1},
        capacity=CapacityConfig(1, 1, 1, 0.0), tiers=(TierConfig("own", "bank.own", 1.0, 1),),
        barred_purposes=(),
    )  # fmt: skip
    return ServiceContext(
        name="gateway-1",
        role="gateway",
        config=config,
        addresses={"bank.own": address},
        witness_json=tmp_path / "witness.json",
        access=Access("none"),
        telemetry=Telemetry(tmp_path, "gateway-1"),
    )


def call(tmp_path: Path, address: str, protections: tuple[str, ...], **more: Any) -> Reply:
    """One call from gateway-1 to a bank at that address."""
    context = context_of(tmp_path, address, protections)

    async def go() -> Reply:
        client = HopClient(context)
        try:
            return await client.call(
                "bank.own", "POST", "/x", body={}, idempotent=True, timeout_s=0.4, **more
            )
        finally:
            await client.close()

    return asyncio.run(go())


def many(
    tmp_path: Path, address: str, protections: tuple[str, ...], calls: int
) -> tuple[list[Reply], str]:
    """So many calls one after the other, and what the client says of them in /metrics."""
    context = context_of(tmp_path, address, protections)

    async def go() -> tuple[list[Reply], str]:
        client = HopClient(context)
        try:
            replies = [
                await client.call("bank.own", "POST", "/x", body={}, idempotent=True, timeout_s=0.4)
                for _ in range(calls)
            ]
            return replies, client.metrics()
        finally:
            await client.close()

    return asyncio.run(go())


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    ("speak", "kind"),
    [(silence, "unknown"), (reset, "unknown"), (hang_up, "unknown"), (half, "unknown"),
     (ok, "answer"), (shed, "answer")],
)  # fmt: skip
def test_what_was_sent_is_never_called_unsent(tmp_path: Path, speak: Speak, kind: str) -> None:
    with server(speak) as (address, served):
        assert call(tmp_path, address, ()).kind == kind
        assert len(served) == 1  # and never sent a second time behind our back


def test_refused_was_certainly_not_sent(tmp_path: Path) -> None:
    assert call(tmp_path, closed_port(), ()).kind == "not_sent"


def test_a_passed_deadline_sends_nothing(tmp_path: Path) -> None:
    with server(ok) as (address, served):
        reply = call(tmp_path, address, ("deadlines",), deadline=Deadline.from_header("0"))
        assert (reply.kind, reply.why) == ("not_sent", "deadline")
        assert served == []


def test_retries_try_again_what_may_be_tried_again(tmp_path: Path) -> None:
    with server(shed, reset, ok) as (address, served):
        assert call(tmp_path, address, ("retries",)).ok
        assert len(served) == 3
    with server(reset, ok) as (address, served):
        assert call(tmp_path, address, ()).kind == "unknown"
        assert len(served) == 1


def test_a_refusal_after_a_reset_is_still_unknown(tmp_path: Path) -> None:
    """The first try may have worked, whatever became of the last."""
    with server(reset, shed) as (address, _):
        assert call(tmp_path, address, ("retries",)).kind == "unknown"


def test_both_sides_of_the_record_are_written(tmp_path: Path) -> None:
    with server(ok) as (address, _):
        call(tmp_path, address, (), draw_key="key", attempt=2)
    line = (tmp_path / "calls.gateway-1.csv").read_text().splitlines()[1].split(",")
    assert line[:6] == ["key", "2", "gateway->bank.own", "gateway-1", "bank.own", "client"]
    assert line[8:10] == ["1", "ok"]


@pytest.mark.parametrize(("budget", "most"), [((), 120), (("retry_budget",), 54)])
def test_a_dependency_that_is_down_is_not_asked_three_times(
    tmp_path: Path, budget: tuple[str, ...], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty calls that all fail: with the budget forty tries, what was saved up, and a fifth."""
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.0)
    with server(shed) as (address, served):
        replies, said = many(tmp_path, address, ("retries", *budget), 40)
    assert {reply.status for reply in replies} == {503}
    assert most - 3 <= len(served) <= most
    assert f'tries_total{{to="bank.own"}} {len(served)}' in said
    assert 'calls_total{to="bank.own"} 40' in said


def test_an_open_breaker_is_not_asked_again(tmp_path: Path) -> None:
    address = closed_port()
    replies, said = many(tmp_path, address, ("breaker",), 20)
    assert [reply.why for reply in replies[10:]] == ["breaker"] * 10
    assert 'tries_total{to="bank.own"} 10' in said
    assert 'breaker_open{to="bank.own"} 1' in said
    _, without = many(tmp_path, address, (), 20)
    assert 'tries_total{to="bank.own"} 20' in without


def test_a_probe_that_breaks_on_the_way_leaves_room_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the breaker would wait for its outcome for ever, and nobody else ask the bank."""

    async def go(address: str) -> Reply:
        client = HopClient(context_of(tmp_path, closed_port(), ("breaker",)))
        try:
            for _ in range(10):
                await client.call("bank.own", "POST", "/x", body={}, idempotent=True)
            skewed(10 * NS_PER_S)  # it has been open for long enough
            with pytest.raises(TypeError):
                await client.call("bank.own", "POST", "/x", body={"no": set()}, idempotent=True)
            skewed(20 * NS_PER_S)
            monkeypatch.setattr(HopClient, "_address", lambda *_: address)
            return await client.call("bank.own", "POST", "/x", body={}, idempotent=True)
        finally:
            skewed(0)
            await client.close()

    with server(ok) as (address, _):
        assert asyncio.run(go(address)).ok


def test_who_is_refused_for_its_version_is_not_welcome(tmp_path: Path) -> None:
    body = b'{"certain": true, "reason": "wrong-version"}'
    head = f"HTTP/1.1 503 X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    with server(lambda connection: connection.sendall(head.encode() + b"\r\n" + body)) as (
        address, _,
    ):  # fmt: skip
        _, said = many(tmp_path, address, (), 1)
    assert "welcome 0" in said
