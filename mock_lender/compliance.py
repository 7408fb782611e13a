"""Compliance: dated rules. Draws for a barred purpose are refused, for good; the rule book says
what is barred besides what always was, and from which tiers no money may come.

By which clock a rule is dated: with `compliance_first` by the one clock of the ledger's database,
without it by the replica's own, which may be wrong.
"""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.clock import taken_for_ns
from mock_lender.context import ServiceContext
from mock_lender.defects.compliance import law_of
from mock_lender.http.app import build_app, metric_lines, read_json
from mock_lender.law import Law, Person, register
from mock_lender.one_clock import OneClock
from mock_lender.rulebook import Entry, Rulebook, number_of
from mock_lender.shut import UNPUSHED, is_shut

NOBODY = Person()


class Decider:
    """What the rules that are obeyed say of a draw."""

    def __init__(self, ctx: ServiceContext) -> None:
        config = ctx.config
        self._barred = frozenset(config.barred_purposes)
        self._law: Law | None = law_of(ctx)
        self._people = {} if config.law is None else register(Path(config.law.register_csv))
        self._tiers = frozenset(tier.tier for tier in config.tiers)

    def barred_tiers(self, rules: Iterable[Entry]) -> frozenset[str]:
        """Tiers that no money may come from."""
        law = self._law
        if law is None:
            return frozenset()
        return frozenset(t for one in rules if one.rule is not None for t in law.tiers(one.rule))

    def why_not(self, body: Mapping[str, object], rules: Iterable[Entry]) -> str | None:
        """Why a draw {borrower, amount_fen, purpose} may not be made, or None."""
        borrower, amount_fen, purpose = (
            body.get(key) for key in ("borrower", "amount_fen", "purpose")
        )
        if purpose in self._barred:
            return "purpose-barred"
        person = self._people.get(borrower, NOBODY) if isinstance(borrower, int) else NOBODY
        fen = amount_fen if isinstance(amount_fen, int) else 0
        for one in rules:
            if one.forbids is not None and one.forbids == purpose:
                return "purpose-barred"
            if one.rule is None or self._law is None:
                continue
            if self._law.bars(one.rule, person, fen, str(purpose)):
                return "rule-barred"
        barred = self.barred_tiers(rules)
        return "rule-barred" if barred and barred >= self._tiers else None


def one_clock_of(ctx: ServiceContext) -> OneClock | None:
    """By which rules are dated; None: by the replica's own. Without rules from a file there is
    nothing that everybody has known the date of."""
    return OneClock(ctx) if ctx.on("compliance_first") and ctx.config.law else None


def own_clock(at_ns: int) -> tuple[int, int]:
    """What a replica's own clock takes a moment for, from and to, ns."""
    taken_ns = taken_for_ns(at_ns)
    return taken_ns, taken_ns


def create_app(ctx: ServiceContext) -> ASGIApp:
    """`POST /check {borrower, amount_fen, purpose}`: 200 allowed, 403 forbidden; both name the
    rules, and `not_from`, tiers that must not pay. `GET /rules`: which are obeyed now."""
    book = Rulebook(ctx.rulebook_json, ctx.telemetry)
    decider = Decider(ctx)
    one_clock = one_clock_of(ctx)
    between = own_clock if one_clock is None else one_clock.between

    async def check(request: Request) -> Response:
        body = await read_json(request)
        # One moment, by which it is both dated and decided: what ends meanwhile is obeyed still.
        decided_ns = time.monotonic_ns()
        rules = book.obeyed("compliance", *between(decided_ns))
        reason = decider.why_not(body, rules)
        answer: dict[str, object] = {
            "approved": reason is None,
            "rules": number_of(rules),
            "decided_ns": decided_ns,
            "revision": book.revision,
            "not_from": sorted(decider.barred_tiers(rules)),
        }
        if reason is not None:
            answer["reason"] = reason
        return JSONResponse(answer, status_code=403 if reason is not None else 200)

    async def obeyed(_: Request) -> Response:
        rules = book.obeyed("compliance", *between(time.monotonic_ns()))
        return JSONResponse({"obeyed": sorted(one.rule or one.name for one in rules)})

    def more() -> str:
        told = "" if one_clock is None else metric_lines(one_clock.figures())
        reached = int(not is_shut(UNPUSHED))
        return f"rulebook_revision {book.revision}\nrulebook_reached {reached}\n{told}"

    routes = [Route("/check", check, methods=["POST"]), Route("/rules", obeyed, methods=["GET"])]
    if one_clock is None:
        return build_app(ctx, routes, more=more)
    return build_app(ctx, routes, more=more, on_start=one_clock.start, on_stop=one_clock.stop)
