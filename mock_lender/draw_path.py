"""The path of one press of a draw through the lender, and what may be said at each point.

risk and compliance -> reserve -> payout -> post. Until the reserve was sent nothing has happened
and a failure is certain. From then on a failure is unknown, unless this gateway certifies that
the payout was never sent, or the bank has said that it will never pay that key.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from mock_lender import believed
from mock_lender.answers import granted, refused
from mock_lender.context import ServiceContext
from mock_lender.http.client import HopClient
from mock_lender.http.problems import problem
from mock_lender.http.wire import Reply
from mock_lender.judges import Judges, Wanted
from mock_lender.resilience.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Draw:
    """One press. `nonce` tells this press from another with the same key."""

    key: str
    borrower: int
    amount_fen: int
    purpose: str
    body_hash: str
    attempt: int
    deadline: Deadline | None
    nonce: str


@dataclass(frozen=True, slots=True)
class Approval:
    """What risk and compliance answered, and from when their answers date (ns); None: nobody has
    judged it. limit_bp: what risk leaves of the limit, ten-thousandths."""

    risk_policy: int | None
    risk_ns: int | None
    compliance_rules: int | None
    compliance_ns: int | None
    limit_bp: int
    # Tiers that must not pay, by the rules.
    not_from: tuple[str, ...] = ()


class DrawPath:
    """Walks presses; holds nothing of them."""

    def __init__(self, ctx: ServiceContext, client: HopClient, judges: Judges) -> None:
        self._ctx = ctx
        self._client = client
        self._judges = judges
        self._settings = ctx.settings

    async def walk(self, draw: Draw) -> Response:
        """The answer to a press."""
        asked = await self._ask(draw)
        if isinstance(asked, Response):
            return asked
        avoid: set[str] = set()
        bank = "gateway"
        for number in range(len(self._ctx.config.tiers) + 1):
            if self._out_of_time(draw):
                return problem(503, cause="system", hop="gateway", reason="shed", certain=True)
            reserved = await self._reserve(draw, asked, avoid, f"{draw.nonce}-{number}")
            if isinstance(reserved, Response):
                return reserved
            bank = str(reserved["bank"])
            paid = await self._pay(draw, reserved)
            if isinstance(paid, Response):
                return paid
            avoid.add(str(reserved["tier"]))
            if not self._ctx.on("tier_fallthrough"):
                break
        return problem(503, cause="system", hop=bank, reason="unreachable", certain=True)

    def _out_of_time(self, draw: Draw) -> bool:
        return draw.deadline is not None and draw.deadline.remaining_s < self._settings.least_s

    async def _call(
        self,
        draw: Draw,
        service: str,
        path: str,
        body: Mapping[str, Any],
        timeout_s: float | None = None,
        bounded: bool = True,
        avoid: Collection[str] = (),
    ) -> Reply:
        """`bounded` False: what has begun is finished even when the borrower's time is up."""
        return await self._client.call(
            service, "POST", path, body=body, draw_key=draw.key, attempt=draw.attempt,
            deadline=draw.deadline if bounded else None, timeout_s=timeout_s, avoid=avoid,
            idempotent=True,
        )  # fmt: skip

    async def _ask(self, draw: Draw) -> Approval | Response:
        """Risk and compliance together. A refusal is stored before it is told."""
        wanted = Wanted(draw.key, draw.borrower, draw.amount_fen, draw.purpose)

        async def ask(
            service: str, path: str, body: Mapping[str, Any], wait_s: float | None,
            avoid: Collection[str],
        ) -> Reply:  # fmt: skip
            return await self._call(draw, service, path, body, wait_s, avoid=avoid)

        verdicts = await self._judges.of(wanted, ask, self._client.refusing())
        risk, compliance = verdicts["risk"], verdicts["compliance"]
        if risk is None or compliance is None:
            # A decision moves no money: without one nothing has happened.
            hop = "risk" if risk is None else "compliance"
            return problem(503, cause="system", hop=hop, reason="unreachable", certain=True)
        approval = Approval(
            risk_policy=risk.number,
            risk_ns=risk.decided_ns,
            compliance_rules=compliance.number,
            compliance_ns=compliance.decided_ns,
            limit_bp=risk.limit_bp,
            not_from=compliance.not_from,
        )
        for hop, said in verdicts.items():
            if said is not None and said.reason is not None:
                return await self._refuse(draw, approval, hop, said.reason)
        return approval

    async def _refuse(self, draw: Draw, approval: Approval, hop: str, reason: str) -> Response:
        body = {**_facts(draw, approval), "cause": hop, "hop": hop, "reason": reason}
        stored = await self._call(draw, "ledger", "/refuse", body)
        # Told as the ledger has it: an earlier press of this key may be paying, or be too old.
        if believed.state_of_draw(stored) is None:
            # Not stored, so it may not be told as final: it would not be replayed.
            return problem(503, cause="system", hop="ledger", reason="unreachable", certain=True)
        return self._stored(draw, stored)

    async def _reserve(
        self, draw: Draw, approval: Approval, avoid: set[str], nonce: str
    ) -> Mapping[str, Any] | Response:
        """A try in state `paying`, or the answer that ends this press."""
        shut = self._client.open_targets() if self._ctx.on("tier_fallthrough") else set()
        unwanted = {tier.tier for tier in self._ctx.config.tiers if tier.bank in shut} | avoid
        body = {
            **_facts(draw, approval),
            "nonce": nonce,
            "avoid": sorted(unwanted),
            "not_from": list(approval.not_from),
            "gateway": self._ctx.name,
        }
        reply = await self._call(draw, "ledger", "/reserve", body)
        shed = reply.status == 503 and reply.body.get("certain") is True
        hop = str(reply.body.get("hop") or "ledger")
        if reply.kind == "not_sent" or shed:
            return problem(503, cause="system", hop=hop, reason="unreachable", certain=True)
        if reply.kind == "unknown" or reply.status >= 500:
            return problem(504, cause="system", hop=hop, reason="unknown")
        state = believed.state_of_draw(reply)
        if state is None:
            return problem(504, cause="system", hop=hop, reason="unknown")
        return reply.body if state == "paying" else self._stored(draw, reply)

    def _stored(self, draw: Draw, reply: Reply) -> Response:
        """The answer for what the ledger says a draw is, other than ours to pay."""
        state = reply.body.get("state")
        if state == "paid":
            return JSONResponse(granted(draw.key, dict(reply.body)), status_code=201)
        if state == "refused":
            return refused(dict(reply.body))
        if state == "no-money":
            return problem(409, cause="liquidity", hop="ledger", reason="no-money", certain=True)
        if state == "gone":
            return problem(410, cause="system", hop="gateway", reason="key-too-old", certain=True)
        if state == "key-reused":
            return problem(422, cause="system", hop="gateway", reason="key-reused", certain=True)
        return problem(409, cause="system", hop="gateway", reason="in-progress")

    async def _pay(self, draw: Draw, reserved: Mapping[str, Any]) -> Response | None:
        """The bank's payout and its posting. None: certainly not paid, and voided."""
        bank = str(reserved["bank"])
        reply = await self._call(
            draw,
            bank,
            "/payouts",
            {
                "bank": bank,
                "payout_key": reserved["payout_key"],
                "draw_key": draw.key,
                "amount_fen": draw.amount_fen,
                "not_after_ns": reserved["not_after_ns"],
            },
            timeout_s=self._settings.payout_timeout_s,
        )
        # All tries of this payout were refused before anything was sent, or the bank has closed
        # the key: both end the try. A try among them that was sent makes the reply unknown.
        state = believed.state_of_payout(reply)
        if state == "paid":
            return await self._post(draw, reserved)
        if state == "closed" or reply.kind == "not_sent":
            why = "bank_refused" if state == "closed" else "not_sent"
            return await self._void(draw, reserved, bank, why)
        return await self._unanswered(draw, reserved, bank)

    async def _unanswered(
        self, draw: Draw, reserved: Mapping[str, Any], bank: str
    ) -> Response | None:
        """The bank may have paid: the sweeper will find out."""
        return problem(504, cause="system", hop=bank, reason="unknown")

    async def _post(self, draw: Draw, reserved: Mapping[str, Any]) -> Response:
        body = {"draw_key": draw.key, "try": reserved["try"]}
        reply = await self._call(draw, "ledger", "/post", body, bounded=False)
        if believed.ended_as(reply, "paid"):
            return JSONResponse(granted(draw.key, dict(reply.body)), status_code=201)
        # The bank has paid: the sweeper will post it. Until then nobody here knows the end.
        return problem(504, cause="system", hop="ledger", reason="unknown")

    async def _void(
        self, draw: Draw, reserved: Mapping[str, Any], bank: str, why: str
    ) -> Response | None:
        body = {
            "draw_key": draw.key,
            "try": reserved["try"],
            "why": why,
            "gateway": self._ctx.name,
        }
        reply = await self._call(draw, "ledger", "/void", body, bounded=False)
        if believed.ended_as(reply, "voided"):
            return None
        return problem(504, cause="system", hop=bank, reason="unknown")


def _facts(draw: Draw, approval: Approval) -> dict[str, Any]:
    return {
        "draw_key": draw.key,
        "borrower": draw.borrower,
        "amount_fen": draw.amount_fen,
        "purpose": draw.purpose,
        "body_hash": draw.body_hash,
        "risk_policy": approval.risk_policy,
        "risk_ns": approval.risk_ns,
        "compliance_rules": approval.compliance_rules,
        "compliance_ns": approval.compliance_ns,
        "limit_bp": approval.limit_bp,
    }
