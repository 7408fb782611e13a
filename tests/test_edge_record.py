"""The edge of a service: what it writes down of whose caller is gone, and looks at its faults."""

import asyncio
import csv
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from mock_lender.cluster.config import CapacityConfig, LenderConfig, TierConfig
from mock_lender.cluster.postgres import Access
from mock_lender.context import ServiceContext
from mock_lender.http.edge import Edge, nothing
from mock_lender.http.slots import Slots
from mock_lender.telemetry import Telemetry

WAIT_S = 0.05


class Gone(Exception):
    """The body can't be read any more."""


def edge(tmp_path: Path, slots: Slots, lacks: Callable[[str], str] = nothing) -> Edge:
    config = LenderConfig(
        work_dir="", telemetry_dir=str(tmp_path), topology_json="", population_csv="",
        cache_dir="", token="", protections=(), replicas={"gateway": 1},
        capacity=CapacityConfig(1, 1, 1, 0.0), tiers=(TierConfig("own", "bank.own", 1.0, 1),),
        barred_purposes=(),
    )  # fmt: skip
    context = ServiceContext(
        name="gateway-1", role="gateway", config=config, addresses={},
        witness_json=tmp_path / "witness.json", access=Access("none"),
        telemetry=Telemetry(tmp_path, "gateway-1"),
    )  # fmt: skip

    async def work(_: Scope, __: Receive, ___: Send) -> None:
        raise Gone

    return Edge(work, context, slots, every_call=True, lacks=lacks)


async def nobody(_: Message) -> None:
    """A caller that has left."""


def test_its_wait_for_a_slot_is_written_down_though_its_work_fails(tmp_path: Path) -> None:
    async def go() -> None:
        slots = Slots(1)
        await slots.acquire()
        scope = {"type": "http", "method": "POST", "path": "/v1/draws", "state": {},
                 "headers": [(b"idempotency-key", b"key-0001")]}  # fmt: skip

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        asyncio.get_running_loop().call_later(WAIT_S, slots.release)
        with pytest.raises(Gone):
            await edge(tmp_path, slots)(scope, receive, nobody)
        assert slots.usable == 1

    asyncio.run(go())
    with (tmp_path / "calls.gateway-1.csv").open(newline="") as rows:
        (row,) = csv.DictReader(rows)
    assert (row["draw_key"], row["result"]) == ("key-0001", "error")
    assert int(row["queue_ns"]) >= WAIT_S * 1e9 * 0.9


def test_a_look_that_its_fault_hits_takes_no_slot(tmp_path: Path) -> None:
    """Late looks would fill the slots, and those after them be told at once that we are busy."""

    async def go() -> None:
        slots = Slots(1)
        await slots.acquire()  # by somebody who stays
        made = edge(tmp_path, slots)
        made.planted.plant("an error", {
            "kind": "error", "operation": "draws", "share": 1.0, "nth": 0, "draw": "",
            "latency_s": 0.0, "sigma": 0.0, "silent": False, "status": 500, "certain": False,
            "done": False, "how": "malformed", "lease_s": 60.0,
        })  # fmt: skip
        assert await statuses(made, [(b"x-fault-probe", b"an error")]) == [500]
        assert await statuses(made, [(b"x-fault-probe", b"another")]) == []

    asyncio.run(go())


def test_what_it_lacks_for_draws_stops_no_repayment(tmp_path: Path) -> None:
    async def go() -> None:
        made = edge(tmp_path, Slots(1), lambda operation: "bank.own" * (operation != "repayments"))
        assert not made.ready
        assert await statuses(made, [], "/v1/draws") == [503]
        with pytest.raises(Gone):  # it was begun
            await statuses(made, [], "/v1/repayments")

    asyncio.run(go())


async def statuses(
    made: Edge, headers: list[tuple[bytes, bytes]], path: str = "/v1/draws"
) -> list[int]:
    """Of what is answered before anybody leaves."""
    told: list[int] = []
    scope = {"type": "http", "method": "POST", "path": path, "state": {}, "headers": headers}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    with suppress(TimeoutError):
        await asyncio.wait_for(made(scope, receive, send), WAIT_S)
    return told
