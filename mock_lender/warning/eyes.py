"""What the watcher looks at: every replica and bank from outside, breakers by the record of those
who have them, tiers by the ledger's database, and which database is the primary.

Nothing here is told of a fault: what is planted in a service is none of its business.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mock_lender.cluster.config import CONSOLE
from mock_lender.cluster.replication import LOST, patiently
from mock_lender.cluster.witness import Witness
from mock_lender.console.hold import RefusedError
from mock_lender.console.sessions import enter
from mock_lender.context import ServiceContext

LOOK_S = 0.5
CLOCK_HEADER = "x-clock-ns"
TIERS = "SELECT tier, sum(balance_fen) AS fen FROM slices GROUP BY tier"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a service. answers: it did, in time. numbers: its metrics. clock_off_s: by how
    much its clock differs from ours."""

    answers: bool
    numbers: Mapping[str, float]
    clock_off_s: float | None = None


class Services:
    """Every replica and bank, looked at all at once."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._addresses = {n: a for n, a in ctx.addresses.items() if n != CONSOLE}

    async def look(self) -> dict[str, Seen]:
        """By name; takes LOOK_S at most."""
        names = list(self._addresses)
        found = await asyncio.gather(*(self._one(self._addresses[name]) for name in names))
        return dict(zip(names, found, strict=True))

    async def _one(self, address: str) -> Seen:
        try:
            async with asyncio.timeout(LOOK_S):
                headers, text = await get(address, "/metrics")
        except (OSError, ValueError, TimeoutError):
            return Seen(answers=False, numbers={})
        clock_ns = headers.get(CLOCK_HEADER)
        off_s = None if clock_ns is None else (int(clock_ns) - time.monotonic_ns()) / 1e9
        return Seen(answers=True, numbers=numbers(text), clock_off_s=off_s)


async def get(address: str, path: str) -> tuple[dict[str, str], str]:
    """(headers, body) of one request. Raises OSError, and ValueError for what is no 200."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: lender\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode("latin-1").partition("\r\n\r\n")
    finally:
        writer.close()
    first, *lines = head.split("\r\n")
    if " 200 " not in f"{first} ":
        raise ValueError(first)
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}, body


def numbers(text: str) -> dict[str, float]:
    """Metrics without labels."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        with contextlib.suppress(ValueError):
            found[name] = float(value)
    return found


class Breakers:
    """Which targets have an open breaker somewhere, or are put out, by the services' records."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._open: set[tuple[str, str, str]] = set()

    def look(self) -> set[str]:
        """Targets; what was written since the last look is read."""
        for file in self._folder.glob("states.*.csv"):
            with file.open("rb") as rows:
                rows.seek(self._read.get(file, 0))
                new = rows.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read[file] = self._read.get(file, 0) + len(whole)
            for line in whole.decode().splitlines():
                self._note(line.split(","))
        return {target for _, _, target in self._open}

    def _note(self, row: list[str]) -> None:
        replica, kind, subject, state = row[:4]
        if kind == "process":  # begun anew: the breakers that it had are gone with it
            self._open = {one for one in self._open if one[0] != replica}
        if kind in ("breaker", "ejection"):
            change = self._open.discard if state in ("closed", "in") else self._open.add
            change((replica, kind, subject))


class Purse:
    """What each tier has, by a session of our own that is entered again when it is lost."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self._session: Any = None

    async def look(self) -> dict[str, int] | None:
        """Fen by tier; None: nobody could tell."""
        try:
            if self._session is None:
                self._session = await enter(self._ctx)
            rows = await patiently(self._session.fetch(TIERS))
        except (*LOST, TimeoutError, RefusedError):
            self.leave()
            return None
        return {str(row["tier"]): int(row["fen"]) for row in rows}

    def leave(self) -> None:
        """Drop the session: one that is closed in good order could hang."""
        if self._session is not None:
            self._session.terminate()
            self._session = None


def database_ails(witness_json: Path) -> bool:
    """Is there no primary, or only one copy of the books?"""
    try:
        found = Witness.read(witness_json)
    except (OSError, ValueError):
        return True
    return found.primary is None or not found.in_sync
