"""Risk: a scorecard, and dated policies that go by it. Borrowers with an overdue repayment are
refused, for good; what else is refused, and whose limits are cut, says the rule book.
"""

import asyncio
import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mock_lender.clock import now_ns, taken_for_ns
from mock_lender.context import ServiceContext
from mock_lender.http.app import build_app, read_json
from mock_lender.policies import is_about, judgement
from mock_lender.rulebook import Entry, Rulebook, number_of
from mock_lender.scorecard import Scorecard
from mock_lender.shut import UNPUSHED, is_shut

# So many borrowers are looked at before other requests have their turn.
AT_ONCE = 1_000


def create_app(ctx: ServiceContext) -> ASGIApp:
    """`POST /decide {borrower, amount_fen}`: 200 approved, 403 refused; both name the policy, and
    the revision of the rule book that it comes from. `GET /standing?known=VERSION`: whom it would
    refuse now, whatever the amount, and whose limits are cut; without them for who knows them."""
    delinquent = delinquent_borrowers(Path(ctx.config.population_csv))
    scorecard = Scorecard(ctx.features_csv)
    book = Rulebook(ctx.rulebook_json, ctx.telemetry)
    standing = Standing(scorecard, delinquent)

    async def decide(request: Request) -> Response:
        body = await read_json(request)
        # One moment, by which it is both dated and decided.
        decided_ns = time.monotonic_ns()
        policies = book.obeyed("risk", taken_for_ns(decided_ns))
        found = judgement(body.get("borrower"), body.get("amount_fen"), policies, scorecard)
        reason = "delinquent" if body.get("borrower") in delinquent else found.reason
        answer: dict[str, object] = {
            "approved": reason is None,
            "policy": number_of(policies),
            "decided_ns": decided_ns,
            "revision": book.revision,
            "limit_bp": found.limit_bp,
        }
        if reason is not None:
            answer["reason"] = reason
        return JSONResponse(answer, status_code=403 if reason is not None else 200)

    async def standing_verdicts(request: Request) -> Response:
        decided_ns = time.monotonic_ns()
        policies = book.obeyed("risk", taken_for_ns(decided_ns))
        revision = book.revision  # as these were: while we wait a draw may have us read a later one
        said = await standing.under(policies)
        known = request.query_params.get("known") == said["version"]
        shown = {"version": said["version"]} if known else said
        dated = {"decided_ns": decided_ns, "policy": number_of(policies)}
        return JSONResponse({**shown, **dated, "revision": revision})

    def more() -> str:
        policies = book.known("risk", now_ns())
        stress_bp = max((one.stress_bp or 0 for one in policies), default=0)
        return (
            f"risk_policy {number_of(policies)}\nrisk_stress_bp {stress_bp}\n"
            f"rulebook_revision {book.revision}\nrulebook_reached {int(not is_shut(UNPUSHED))}\n"
        )

    routes = [
        Route("/decide", decide, methods=["POST"]),
        Route("/standing", standing_verdicts, methods=["GET"]),
    ]
    return build_app(ctx, routes, more=more)


class Standing:
    """What risk would say of everybody, worked out once for each set of policies."""

    def __init__(self, scorecard: Scorecard, delinquent: frozenset[int]) -> None:
        self._scorecard = scorecard
        self._delinquent = delinquent
        self._version = ""
        self._said: dict[str, object] = {}

    async def under(self, policies: Sequence[Entry]) -> dict[str, object]:
        """version; refused: borrowers; above_fen: the least amount that somebody's draws may not
        exceed, or None; cut: [ten-thousandths left, borrowers] of each cut."""
        version = ".".join(str(one.number) for one in policies) or "1"
        if version != self._version or not self._said:
            said = {"version": version, **await self._worked_out(policies)}
            self._version, self._said = version, said
        return self._said

    async def _worked_out(self, policies: Sequence[Entry]) -> dict[str, object]:
        cuts = [one for one in policies if one.keep_bp is not None]
        bars = [one for one in policies if one.keep_bp is None and one.above_fen is None]
        above = [one.above_fen for one in policies if one.above_fen is not None]
        return {
            "refused": sorted({*self._delinquent, *await self._hit_by(bars)}),
            "above_fen": min(above, default=None),
            "cut": [[one.keep_bp, await self._hit_by([one])] for one in cuts],
        }

    async def _hit_by(self, policies: Sequence[Entry]) -> list[int]:
        if not policies:
            return []

        def hit(borrower: int) -> bool:
            return any(is_about(one, borrower, self._scorecard) for one in policies)

        return await some_at_a_time(self._scorecard.borrowers, hit)


async def some_at_a_time(borrowers: Sequence[int], wanted: Callable[[int], bool]) -> list[int]:
    """Those that are wanted; other requests have their turn in between."""
    found: list[int] = []
    for first in range(0, len(borrowers), AT_ONCE):
        found += filter(wanted, borrowers[first : first + AT_ONCE])
        await asyncio.sleep(0)
    return found


def delinquent_borrowers(population_csv: Path) -> frozenset[int]:
    """Borrowers flagged delinquent in the population."""
    with population_csv.open(newline="") as rows:
        return frozenset(
            int(row["borrower"]) for row in csv.DictReader(rows) if row["delinquent"] == "1"
        )
