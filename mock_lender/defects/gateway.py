"""Spoilt paths of a press through the gateway, and what it says to a poll."""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from starlette.responses import Response

from mock_lender.answers import refused, told
from mock_lender.defects import now_and_then
from mock_lender.draw_path import Approval, Draw, DrawPath
from mock_lender.http.problems import problem
from mock_lender.http.wire import Reply

ONE_IN = 16
TIMES = 10


def draw_path_of(defects: Collection[str]) -> type[DrawPath]:
    """The path that this lender's gateways walk."""
    chosen = tuple(path for name, path in PATHS.items() if name in defects)
    return type("SpoiltDrawPath", chosen, {}) if chosen else DrawPath


def told_of(defects: Collection[str]) -> Callable[[str, int, dict[str, Any]], Response]:
    """What this lender's gateways say to a poll."""
    return told_for_certain if "so-far-for-certain" in defects else told


def told_for_certain(key: str, status: int, found: dict[str, Any]) -> Response:
    """What is not paid so far is told as what never will be, though a press may be on its way: in a
    frozen gateway, in a queue. Rule answers-true."""
    if found.get("state") in ("voided", "requested"):
        return problem(503, cause="system", hop="ledger", reason="voided", certain=True)
    return told(key, status, found)


class PayoutTwiceOnRetry(DrawPath):
    """A payout that was not answered counts as not made: its try is voided, though its bank was
    never asked to close the key, and the next tier pays under a new one. Rule one-payout."""

    async def _unanswered(
        self, draw: Draw, reserved: Mapping[str, Any], bank: str
    ) -> Response | None:
        return await self._void(draw, reserved, bank, "closed")


class RefusedButPaid(DrawPath):
    """One draw in sixteen is refused for good once it has been paid. Rule answers-true."""

    async def _post(self, draw: Draw, reserved: Mapping[str, Any]) -> Response:
        posted = await super()._post(draw, reserved)
        if now_and_then(draw.key, ONE_IN):
            return refused({"cause": "risk", "hop": "risk", "reason": "delinquent"})
        return posted


class MisreadAmount(DrawPath):
    """What its ledger calls fen it takes for a tenth of one: the bank is asked to pay ten times the
    draw. Rule books-agree."""

    async def _call(
        self, draw: Draw, service: str, path: str, body: Mapping[str, Any], *rest: Any, **more: Any
    ) -> Reply:
        if path == "/payouts":
            body = {**body, "amount_fen": body["amount_fen"] * TIMES}
        return await super()._call(draw, service, path, body, *rest, **more)


class BlamesRisk(DrawPath):
    """Whoever risk can't be asked about counts as too risky: refused for good, in its name. Rule
    cause-true."""

    async def _ask(self, draw: Draw) -> Approval | Response:
        asked = await super()._ask(draw)
        if isinstance(asked, Response) and asked.status_code == 503:
            hop = json.loads(bytes(asked.body))["hop"]
            if hop == "risk":
                return refused({"cause": "risk", "hop": "risk", "reason": "market-stress"})
        return asked


PATHS: dict[str, type[DrawPath]] = {
    "payout-twice-on-retry": PayoutTwiceOnRetry,
    "refused-but-paid": RefusedButPaid,
    "blames-risk": BlamesRisk,
    "misread-amount": MisreadAmount,
}
