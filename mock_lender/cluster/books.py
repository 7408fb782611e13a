"""What may be asked about the running lender's books by control requests; and their export.

POST /checkpoint     GET /pending     POST /treasury/TIER  amount_fen, key
POST /calendar  began_ns
"""

import asyncio
import contextlib
import re
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from mock_lender import bank
from mock_lender.bank_export import export_bank
from mock_lender.cluster.config import LenderConfig
from mock_lender.cluster.control import Refused
from mock_lender.cluster.postgres import Access
from mock_lender.cluster.witness import Witness
from mock_lender.ledger import setup

PRIMARY_WITHIN_S = 5.0


class BookKeeping:
    """The lender's books, by way of its present primary."""

    def __init__(
        self, config: LenderConfig, access: Access, witness_json: Path, clock_offset_ns: int
    ) -> None:
        self._config = config
        self._access = access
        self._witness_json = witness_json
        self._clock_offset_ns = clock_offset_ns

    def answer(self, method: str, path: str, query: Mapping[str, str]) -> dict[str, object] | None:
        """None: it is nothing for us. Raises Refused."""
        if (method, path) == ("POST", "/checkpoint"):
            asyncio.run(setup.checkpoint(self.primary_dsn()))
            return {"done": True}
        if (method, path) == ("GET", "/pending"):
            return {"paying": asyncio.run(setup.pending(self.primary_dsn()))}
        if (method, path) == ("POST", "/calendar"):
            began_ns = query.get("began_ns", "")
            if not re.fullmatch("[0-9]{1,18}", began_ns):
                raise Refused(400, "began_ns: a moment, CLOCK_MONOTONIC")
            asyncio.run(setup.begin_calendar(self.primary_dsn(), int(began_ns)))
            return {"done": True}
        if method == "POST" and path.startswith("/treasury/"):
            return self._move_treasury(path.removeprefix("/treasury/"), query)
        return None

    def primary_dsn(self) -> str:
        """Raises Refused while there is none."""
        give_up_s = time.monotonic() + PRIMARY_WITHIN_S
        while True:
            with contextlib.suppress(FileNotFoundError):
                port = Witness.read(self._witness_json).port
                if port is not None:
                    return self._access.dsn(port)
            if time.monotonic() > give_up_s:
                raise Refused(503, "there is no primary")
            time.sleep(0.02)

    def _move_treasury(self, tier: str, query: Mapping[str, str]) -> dict[str, object]:
        """Top a tier up, or drain it (`amount_fen` below zero)."""
        amount = query.get("amount_fen", "")
        if tier not in {one.tier for one in self._config.tiers}:
            raise Refused(404, f"no tier {tier}")
        if not re.fullmatch("-?[0-9]{1,15}", amount) or not query.get("key"):
            raise Refused(400, "amount_fen: a whole number; key: one a movement")
        moved = asyncio.run(
            setup.move_treasury(
                self.primary_dsn(), tier, int(amount), query["key"], self._clock_offset_ns
            )
        )
        if not moved:
            raise Refused(409, f"{tier} has not that much")
        return {"done": True}

    def export(self, directory: Path) -> None:
        """The ledger's tables and the banks' books, as CSV. Raises Refused."""
        asyncio.run(setup.export(self.primary_dsn(), directory))
        try:
            for tier in self._config.tiers:
                book = bank.book_path(self._config.work_dir, tier.bank)
                export_bank(book, tier.bank, directory)
        except sqlite3.Error as exc:
            raise Refused(500, f"a bank's book: {exc}") from exc
