"""Who says whether a draw may be: risk and compliance, and what is done when they can't be asked.

    asked            an answer that may be believed, of replicas that know the newest rule book
    last_verdict     what risk said last of everybody, up to an age and an amount; compliance's
                     dated rules, looked up here. It approves, and never refuses for good: whoever
                     is refused for good has been refused by risk or compliance themselves
    judge_lost       neither: the draw fails (`closed`), or goes on unjudged (`open`)

`policy_handshake`: each answer says of which revision of the rule book it is. One that is behind
what this gateway knows, or has heard of, is not believed, and another replica is asked. Nor does a
last verdict approve what a policy that has come since may forbid; of a book that this gateway has
only heard of, that is anything.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from mock_lender import believed
from mock_lender.compliance import Decider, one_clock_of, own_clock
from mock_lender.context import ServiceContext
from mock_lender.http.client import HopClient
from mock_lender.http.wire import Reply
from mock_lender.rulebook import Entry, Rulebook, number_of
from mock_lender.scorecard import FULL_BP

# What each is asked, and how it names what it went by.
PATHS = {"risk": ("/decide", "policy"), "compliance": ("/check", "rules")}
# Asks one of them: service, path, body, how long it is waited for (None: as ever), and the replicas
# that are asked last.
Ask = Callable[[str, str, Mapping[str, Any], float | None, Collection[str]], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """number: of the policy or the rules it went by, and from when it dates (ns); None: nobody
    judged. reason: why it is refused, or None. limit_bp: what is left of the limit, of 10,000.
    not_from: tiers that must not pay."""

    number: int | None
    decided_ns: int | None
    reason: str | None = None
    limit_bp: int = FULL_BP
    not_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A draw, as far as it is judged."""

    key: str
    borrower: int
    amount_fen: int
    purpose: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What risk said of everybody, dated. unsure: whom it would refuse, or whose limits it cuts. A
    draw beyond a cut limit is refused by the ledger, for good: that takes an answer of now."""

    version: str
    policy: int
    decided_ns: int
    unsure: frozenset[int]
    above_fen: int | None
    # Of the rule book that risk went by.
    revision: int

    def of(self, wanted: Wanted) -> Verdict | None:
        """None: it is not approved by this."""
        above = self.above_fen is not None and wanted.amount_fen > self.above_fen
        if above or wanted.borrower in self.unsure:
            return None
        return Verdict(self.policy, self.decided_ns)

    def knew(self, policy: Entry) -> bool:
        """Is it one of those that risk went by?"""
        return str(policy.number) in self.version.split(".")


class Judges:
    """One gateway's way to them."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self._settings = ctx.settings
        self._decider = Decider(ctx)
        self._one_clock = one_clock_of(ctx) if ctx.on("last_verdict") else None
        self._rules = Rulebook(ctx.rulebook_json, ctx.telemetry)
        self._standing: Standing | None = None
        # The newest revision that is known.
        self._newest = 0
        self._counted: Counter[str] = Counter()
        self._following: asyncio.Task[None] | None = None

    async def of(
        self, wanted: Wanted, ask: Ask, shut: Collection[str]
    ) -> Mapping[str, Verdict | None]:
        """Both verdicts, by who gives it; None: there is none, so that the draw must fail. `shut`:
        replicas that may not be called now."""
        found = await asyncio.gather(
            self._verdict("risk", ("borrower", "amount_fen"), wanted, ask, shut),
            self._verdict("compliance", ("borrower", "amount_fen", "purpose"), wanted, ask, shut),
        )
        return dict(zip(PATHS, found, strict=True))

    async def _verdict(
        self, judge: str, facts: Sequence[str], wanted: Wanted, ask: Ask, shut: Collection[str]
    ) -> Verdict | None:
        """Whoever has a last verdict to go by does not wait for long, nor knocks where every door
        is known to be shut."""
        last = self._last_of(judge, wanted)
        names = {f"{judge}-{n + 1}" for n in range(self._ctx.config.replicas[judge])}
        found = None
        if last is None or not names <= set(shut):
            wait_s = None if last is None else self._settings.verdict_wait_s
            body = {name: getattr(wanted, name) for name in facts}
            found = await self._asked(judge, body, ask, wait_s)
        if found is not None:
            return found
        # Meanwhile a newer book may have come, or been heard of.
        last = self._last_of(judge, wanted)
        if self._ctx.on("last_verdict"):
            self._count("last" if last is not None else "none", judge, wanted, last)
        if last is None and self._ctx.config.judge_lost == "open":
            last = Verdict(None, None)
            self._count("unjudged", judge, wanted, last)
        return last

    async def _asked(
        self, judge: str, body: Mapping[str, Any], ask: Ask, wait_s: float | None
    ) -> Verdict | None:
        """An answer that may be believed, or None."""
        path, version = PATHS[judge]
        behind: list[str] = []
        for _ in range(self._ctx.config.replicas[judge] + 1):
            reply = await ask(judge, path, body, wait_s, behind)
            if not believed.decided(reply, version):
                return None
            if not self._behind(reply.body.get("revision")):
                reason = str(reply.body["reason"]) if reply.status == 403 else None
                limit_bp = reply.body.get("limit_bp")
                return Verdict(
                    reply.body[version], reply.body["decided_ns"], reason,
                    limit_bp if type(limit_bp) is int else FULL_BP,
                    tuple(reply.body.get("not_from", ())),
                )  # fmt: skip
            behind.append(reply.server)
            self._counted["behind"] += 1
        return None

    def _behind(self, revision: object) -> bool:
        """Is it older than one that this gateway knows, or has heard of? What was decided just
        before a new one came is asked again, too."""
        if not self._ctx.on("policy_handshake") or type(revision) is not int:
            return False
        self._rules.look()
        self._newest = max(self._newest, revision, self._rules.revision)
        return revision < self._newest

    def _last_of(self, judge: str, wanted: Wanted) -> Verdict | None:
        if not self._ctx.on("last_verdict"):
            return None
        return self._last(wanted) if judge == "risk" else self._local(wanted)

    def _last(self, wanted: Wanted) -> Verdict | None:
        standing = self._standing
        if standing is None or wanted.amount_fen > self._settings.verdict_most_fen:
            return None
        if time.monotonic_ns() - standing.decided_ns > self._settings.verdict_age_s * 1e9:
            return None
        found = standing.of(wanted)
        return None if found is None or self._overtaken(standing, wanted) else found

    def _overtaken(self, standing: Standing, wanted: Wanted) -> bool:
        """May a policy that risk did not go by then forbid it? Of one about some borrowers it is
        not known here about whom."""
        if not self._ctx.on("policy_handshake"):
            return False
        policies = self._rules.known("risk", time.monotonic_ns())
        return self._only_heard(standing.revision) or any(
            one.keep_bp is not None or one.above_fen is None or wanted.amount_fen > one.above_fen
            for one in policies
            if not standing.knew(one)
        )

    def _only_heard(self, revision: int) -> bool:
        """Has this gateway heard of a book that is newer than this one, and than its own?"""
        return self._newest > max(revision, self._rules.revision)

    def _local(self, wanted: Wanted) -> Verdict | None:
        at_ns = time.monotonic_ns()
        between = own_clock if self._one_clock is None else self._one_clock.between
        rules = self._rules.known("compliance", *between(at_ns))
        if self._only_heard(0) or self._decider.why_not(asdict(wanted), rules) is not None:
            return None
        not_from = tuple(sorted(self._decider.barred_tiers(rules)))
        return Verdict(number_of(rules), at_ns, not_from=not_from)

    def _count(self, what: str, judge: str, wanted: Wanted, found: Verdict | None) -> None:
        """Each draw that goes on by less than an answer is written down."""
        self._counted[what] += 1
        if found is not None:
            self._ctx.telemetry.state("verdict", wanted.key, f"{judge} {what}")

    async def start(self, client: HopClient) -> None:
        """Begin to keep what is needed when they can't be asked, where that is wanted."""
        if self._one_clock is not None:
            await self._one_clock.start(client)
        if self._ctx.on("last_verdict"):
            self._following = asyncio.create_task(self._follow(client))

    async def stop(self) -> None:
        """Follow no more."""
        if self._following is not None:
            self._following.cancel()
        if self._one_clock is not None:
            await self._one_clock.stop()

    async def _follow(self, client: HopClient) -> None:
        """Keep what risk says of everybody, until cancelled."""
        behind: list[str] = []
        while True:
            with suppress(OSError):  # a full disk: what can't be written down is asked again
                behind = await self._ask_standing(client, behind)
            await asyncio.sleep(self._settings.verdict_every_s)

    async def _ask_standing(self, client: HopClient, avoid: Collection[str]) -> list[str]:
        """Once; who is behind and is to be asked last the next time."""
        known = self._standing.version if self._standing is not None else ""
        reply = await client.call(
            "risk", "GET", f"/standing?known={known}", idempotent=True,
            timeout_s=self._settings.verdict_every_s, avoid=avoid,
        )  # fmt: skip
        behind = [reply.server] if self._behind(reply.body.get("revision")) else []
        with suppress(KeyError, TypeError, ValueError):
            if reply.ok and not behind:
                self._standing = standing_of(reply.body, self._standing)
        return behind

    def counts(self) -> str:
        """For the gateway's metrics."""
        standing = self._standing
        age_ms = -1 if standing is None else (time.monotonic_ns() - standing.decided_ns) // 10**6
        names = ("last", "none", "unjudged", "behind")
        lines = [f"verdicts_{name}_total {self._counted[name]}" for name in names]
        return "\n".join([*lines, f"last_verdict_age_ms {age_ms}", ""])


def standing_of(body: Mapping[str, Any], before: Standing | None) -> Standing:
    """As risk told it; what it did not repeat is as before. Raises KeyError, TypeError and
    ValueError for what says nothing."""
    version, policy, decided_ns = str(body["version"]), int(body["policy"]), body["decided_ns"]
    revision = int(body.get("revision", 0))
    if before is not None and before.version == version and "refused" not in body:
        return replace(before, policy=policy, decided_ns=decided_ns, revision=revision)
    cut = (one for _, borrowers in body["cut"] for one in borrowers)
    unsure = frozenset(int(one) for one in (*body["refused"], *cut))
    return Standing(version, policy, decided_ns, unsure, body["above_fen"], revision)
