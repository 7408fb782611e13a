"""Planted faults that are a condition of the whole service, not of single calls.

    capacity  left (share of its slots)          leak   what (slots, memory), every_s, most
    mute      its record of calls and states     burn   share of a core, by a thread of its own
    clock     skew_s (below zero: behind)        unready  answers, and says that it is not ready
    cold      its cache keeps nothing            unpushed the rule book is to it as it was

Each returns how it is ended; all of it is bounded and gives everything back.
"""

import asyncio
import mmap
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mock_lender.clock import skewed
from mock_lender.http.slots import Slots
from mock_lender.shut import COLD, UNPUSHED, reopen, shut
from mock_lender.telemetry import Telemetry

CONDITIONS = ("capacity", "leak", "mute", "burn", "clock", "unready", COLD, UNPUSHED)
BURN_THREAD = "burn"
PERIOD_NS = 50_000_000
MEBIBYTE = 2**20
LEAKED_MIB_MAX = 512
SKEW_S_MAX = 86_400.0
End = Callable[[], None]


@dataclass(slots=True)
class Within:
    """What a condition may touch of its service. slots: None where calls are not counted."""

    telemetry: Telemetry
    slots: Slots | None
    ready: bool = True


def begin(body: Mapping[str, Any], within: Within) -> End:
    """Begin one; how to end it. Raises ValueError, KeyError or TypeError."""
    kind = str(body["kind"])
    if kind == "mute":
        return _mute(within)
    ending = {
        "capacity": _capacity, "leak": _leak, "burn": _burn, "clock": _clock, "unready": _unready,
        COLD: _shutting(COLD), UNPUSHED: _shutting(UNPUSHED),
    }[kind](body, within)  # fmt: skip
    within.telemetry.state("condition", kind, "began")

    def end() -> None:
        ending()
        within.telemetry.state("condition", kind, "ended")

    return end


def _capacity(body: Mapping[str, Any], within: Within) -> End:
    left = float(body["left"])
    slots = within.slots
    if slots is None or not 0 <= left < 1:
        raise ValueError("left, from 0 to below 1, where there are slots")
    # One at least is left: none at all is not a smaller capacity but a service that hangs.
    out = min(slots.most - max(1, round(slots.most * left)), slots.usable)
    slots.take_out(out)
    return lambda: slots.take_out(-out)


def _leak(body: Mapping[str, Any], within: Within) -> End:
    """Something is lost every so often until the most is reached; all of it comes back."""
    every_s, most = float(body["every_s"]), int(body["most"])
    if not 0.01 <= every_s <= 60 or most < 1:
        raise ValueError("every_s from 0.01 to 60, most from 1")
    lost: list[mmap.mmap] = []
    number = 0

    def lose_memory() -> None:
        chunk = mmap.mmap(-1, MEBIBYTE)
        chunk.write(b"\xff" * MEBIBYTE)  # touched, or the kernel would not have to find it
        lost.append(chunk)

    def lose_slot() -> None:
        nonlocal number
        if within.slots is not None and within.slots.usable > 0:
            within.slots.take_out(1)
            number += 1

    def give_back() -> None:
        losing.cancel()
        for chunk in lost:
            chunk.close()
        lost.clear()
        if within.slots is not None:
            within.slots.take_out(-number)

    if body["what"] == "slots" and within.slots is not None:
        lose = lose_slot
    elif body["what"] == "memory" and most <= LEAKED_MIB_MAX:
        lose = lose_memory
    else:
        raise ValueError(f"what: slots (where there are any), or memory up to {LEAKED_MIB_MAX} MiB")
    losing = asyncio.get_running_loop().create_task(_now_and_then(lose, every_s, most))
    return give_back


async def _now_and_then(act: Callable[[], None], every_s: float, most: int) -> None:
    for _ in range(most):
        act()
        await asyncio.sleep(every_s)


def _mute(within: Within) -> End:
    """Neither calls nor states are written; how many were lost is, at its end."""
    within.telemetry.state("condition", "mute", "began")
    within.telemetry.mute()

    def end() -> None:
        lost = within.telemetry.unmute()
        within.telemetry.state("condition", "mute", f"ended {lost} rows lost")

    return end


def _burn(body: Mapping[str, Any], _: Within) -> End:
    share = float(body["share"])
    if not 0 < share <= 1:
        raise ValueError("share, above 0 and up to 1")
    over = threading.Event()
    threading.Thread(target=_burning, args=(share, over), name=BURN_THREAD, daemon=True).start()
    return over.set


def _burning(share: float, over: threading.Event) -> None:
    """Use `share` of each period's time. It competes for the interpreter too, as any heavy thread
    of a service would."""
    # So that whoever looks from outside can tell this thread's work from the service's own.
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(BURN_THREAD)
    while not over.is_set():
        began_ns = time.monotonic_ns()
        until_ns = time.thread_time_ns() + int(share * PERIOD_NS)
        while time.thread_time_ns() < until_ns and not over.is_set():
            pass
        over.wait(max(0.0, (PERIOD_NS - (time.monotonic_ns() - began_ns)) / 1e9))


def _clock(body: Mapping[str, Any], _: Within) -> End:
    skew_s = float(body["skew_s"])
    if not 0 < abs(skew_s) <= SKEW_S_MAX:
        raise ValueError(f"skew_s, not 0, up to {SKEW_S_MAX:g} either way")
    skewed(round(skew_s * 1e9))
    return lambda: skewed(0)


def _unready(_: Mapping[str, Any], within: Within) -> End:
    within.ready = False

    def ready() -> None:
        within.ready = True

    return ready


def _shutting(what: str) -> Callable[[Mapping[str, Any], Within], End]:
    def begin_it(_: Mapping[str, Any], __: Within) -> End:
        shut(what)
        return lambda: reopen(what)

    return begin_it
