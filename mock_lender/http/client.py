"""The one client of every hop: replica choice, deadline, breaker, retries, and its own record."""

import asyncio
import time
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from mock_lender.context import ServiceContext
from mock_lender.http.calls import Call, Service, Try
from mock_lender.http.problems import WRONG_VERSION
from mock_lender.http.wire import Reply, Wire
from mock_lender.places import at_home, round_trip_s
from mock_lender.resilience.agreement import Agreement
from mock_lender.resilience.breaker import Breaker
from mock_lender.resilience.budget import RetryBudget
from mock_lender.resilience.deadline import Deadline
from mock_lender.resilience.outlier import Outliers
from mock_lender.resilience.replicas import Replicas, Way
from mock_lender.resilience.retry import again


class HopClient:
    """Calls from one replica to other services and banks."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self._settings = ctx.settings
        self._number = int(ctx.name.rpartition("-")[2])
        self._wire = Wire()
        self._services: dict[str, Service] = {}
        self._breakers: dict[str, Breaker] = {}
        self._contract = Agreement()

    async def close(self) -> None:
        """Close its connections."""
        await self._wire.close()

    def open_targets(self) -> set[str]:
        """Names of the targets whose breaker would refuse a call now."""
        return {name for name, breaker in self._breakers.items() if breaker.refuses}

    def refusing(self) -> set[str]:
        """The same, and the replicas that are put out."""
        known = self._services.values()
        out = {name for one in known for name in one.replicas.names if self._refuses(one, name)}
        return self.open_targets() | out

    @property
    def welcome(self) -> bool:
        """Does this replica speak as most of those do that it calls?"""
        return self._contract.holds

    async def call(
        self,
        service: str,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        draw_key: str = "",
        attempt: int = 0,
        deadline: Deadline | None = None,
        timeout_s: float | None = None,
        avoid: Collection[str] = (),
        idempotent: bool,
    ) -> Reply:
        """One call, with the retries this profile has.

        `service` is a role or a bank. What may have been sent is tried again only when the call
        is `idempotent`. `timeout_s` bounds each try. `avoid`: replicas that are asked last.
        """
        bounded_s = timeout_s if timeout_s is not None else self._settings.call_timeout_s
        call = Call(service, method, path, body, draw_key, attempt, deadline, bounded_s)
        known = self._service(service)
        known.calls += 1
        if known.budget is not None:
            known.budget.earn()
        tried = [*avoid]
        maybe_sent = False

        async def one_try() -> Reply:
            nonlocal maybe_sent
            refuses = partial(self._refuses, known)
            panic = known.replicas.panics(refuses)
            server = known.replicas.choose(tried, _nobody if panic else refuses)
            tried.append(server)
            reply = await self._once(call, known, server, panic=panic)
            maybe_sent = maybe_sent or reply.unsure
            return reply

        def worth_it(reply: Reply) -> bool:
            if reply.kind == "not_sent":
                # An open breaker is open for much longer than anybody waits between tries.
                return reply.why not in ("deadline", "breaker")
            if reply.unsure:
                # Under a deadline there is no time to wait for a slow server twice.
                again_in_time = reply.why != "timeout" or deadline is None
                return idempotent and self._settings.tries > 1 and again_in_time
            return reply.status == 503

        tries = self._settings.tries
        if tries == 1 and known.replicas.alternatives:
            tries = 2
        reply = await again(one_try, worth_it, self._settings, deadline, tries, known.budget)
        if maybe_sent and (reply.kind == "not_sent" or reply.status == 503):
            # The last try was refused, but an earlier one may have got through and worked.
            return Reply("unknown", reply.server, why="an earlier try")
        return reply

    def _service(self, service: str) -> Service:
        found = self._services.get(service)
        if found is None:
            count = self._ctx.config.replicas.get(service)
            names = [service] if count is None else [f"{service}-{n + 1}" for n in range(count)]
            failover = self._ctx.on("failover")
            way: Way = "turns" if self._ctx.on("round_robin") else "always"
            several = failover and len(names) > 1
            found = Service(
                Replicas(
                    names, self._number, "least_loaded" if failover else way,
                    at_home(self._ctx.name, names, self._ctx.config.protections),
                    # To the other site is a long way, and it may be cut.
                    None if self._ctx.config.site_round_trip_s else self._settings.spill_calls,
                ),
                Outliers(names, self._settings, self._ejection_changed) if several else None,
                RetryBudget(self._settings) if self._ctx.on("retry_budget") else None,
            )  # fmt: skip
            self._services[service] = found
        return found

    def _refuses(self, known: Service, server: str) -> bool:
        if known.outliers is not None and known.outliers.refuses(server):
            return True
        breaker = self._breakers.get(server)
        return breaker is not None and breaker.refuses

    def _breaker(self, server: str) -> Breaker | None:
        if not self._ctx.on("breaker"):
            return None
        breaker = self._breakers.get(server)
        if breaker is None:
            breaker = Breaker(server, self._settings, self._breaker_changed)
            self._breakers[server] = breaker
        return breaker

    def _breaker_changed(self, target: str, state: str) -> None:
        self._ctx.telemetry.state("breaker", target, state)

    def _ejection_changed(self, replica: str, state: str) -> None:
        self._ctx.telemetry.state("ejection", replica, state)
        breaker = self._breakers.get(replica)
        if state == "in" and breaker is not None:
            breaker.forget()

    def _guard(self, known: Service, server: str, *, panic: bool) -> Try:
        """Ask who watches over a replica whether it may be called. Out by one of them, it is none
        of the other's business."""
        outliers, breaker = known.outliers, self._breaker(server)
        if panic and self._refuses(known, server):
            # Past both, and nothing is learned: they wait for their own trial and probe.
            return Try(server)
        if outliers is not None and outliers.out(server):
            trial = not outliers.refuses(server) and outliers.begin(server)
            return Try(server, outliers, None, trial, admitted=trial)
        if breaker is None:
            return Try(server, outliers)
        return Try(server, outliers, breaker, admitted=breaker.admit(), era=breaker.era)

    async def _once(self, call: Call, known: Service, server: str, *, panic: bool) -> Reply:
        limit_s = call.bounded_s
        if call.deadline is not None:
            limit_s = min(limit_s, call.deadline.remaining_s - self._settings.margin_s)
        one = self._guard(known, server, panic=panic) if limit_s > 0 else Try(server)
        if limit_s <= 0:
            reply = Reply("not_sent", server, why="deadline")
        elif not one.admitted:
            reply = Reply("not_sent", server, why="breaker")
        else:
            known.tries += 1
            known.replicas.begun(server)
            came = False
            try:
                reply = await self._send(call, server, limit_s)
                came = True
            finally:
                known.replicas.over(server)
                if not came:  # cancelled, or it broke: it says nothing of its server
                    one.forgotten()
            self._learn(one, reply, known)
        self._ctx.telemetry.call(
            draw_key=call.draw_key,
            attempt=call.attempt,
            edge=f"{self._ctx.role}->{call.service}",
            client=self._ctx.name,
            server=server,
            side="client",
            start_ns=one.began_ns,
            done_ns=time.monotonic_ns(),
            sent=reply.kind != "not_sent",
            result=reply.result,
        )
        return reply

    def _learn(self, one: Try, reply: Reply, known: Service) -> None:
        """Slow counts as failed. A try cut off early by its caller's deadline says nothing, and
        neither does a replica that answers for a database that all replicas share."""
        if reply.kind == "answer":
            self._contract.said(one.server, reply.body.get("reason") != WRONG_VERSION)
        took_s = (time.monotonic_ns() - one.began_ns) / 1e9
        slow = took_s >= self._settings.slow_call_s
        business = reply.kind == "answer" and 400 <= reply.status < 500
        failed = reply.kind == "not_sent" or (reply.kind == "answer" and reply.status >= 500)
        failed = failed or (reply.kind == "unknown" and reply.why != "timeout")
        nothing = reply.why == "deadline" or (reply.kind == "unknown" and not slow and not failed)
        if nothing or reply.body.get("hop") == "database":
            one.forgotten()
            return
        was_out = one.outliers is not None and one.outliers.out(one.server)
        broken = one.breaker is not None and one.breaker.state != "closed"
        if one.outliers is not None and not broken:
            opened = sum(name in self._breakers and self._breakers[name].state != "closed"
                         for name in known.replicas.names)  # fmt: skip
            one.outliers.learn(
                one.server, took_s, failed=(slow or failed) and not business, trial=one.trial,
                others_out=opened,
            )  # fmt: skip
        if one.breaker is None or was_out or (one.outliers and one.outliers.out(one.server)):
            return
        if business:
            one.breaker.answered(one.era)
        elif slow or failed:
            one.breaker.bad(one.era)
        else:
            one.breaker.good(one.era)

    def _headers(self, call: Call) -> dict[str, str]:
        headers = {
            "X-Client": self._ctx.name,
            "X-Draw-Key": call.draw_key,
            "X-Attempt": str(call.attempt),
            "X-Contract": str(self._ctx.contract),
            "Content-Type": "application/json",
        }
        if call.deadline is not None:
            headers["X-Deadline-Ms"] = call.deadline.header()
        return headers

    async def _send(self, call: Call, server: str, limit_s: float) -> Reply:
        away_s = round_trip_s(self._ctx.name, server, self._ctx.config)
        if away_s:
            if limit_s <= away_s:
                return Reply("not_sent", server, why="deadline")
            await asyncio.sleep(away_s)
        where, headers = self._address(server), self._headers(call)
        return await self._wire.send(
            server, where, call.method, call.path, call.body, headers, limit_s - away_s
        )

    def _address(self, server: str) -> str:
        edges = self._ctx.config.edges
        own = edges.get(f"{self._ctx.name}->{server}")
        return own or edges.get(f"{self._ctx.role}->{server}") or self._ctx.addresses[server]

    async def reaches(self, bank: str, within_s: float) -> bool:
        """Does a bank answer over this replica's own way to it? It is not asked for anything."""
        reply = await self._wire.send(
            bank, self._address(bank), "GET", "/healthz", None, {}, within_s
        )
        return reply.status == 200

    def metrics(self) -> str:
        """What there is to see of all this, for /metrics."""
        lines = []
        for name, one in sorted(self._services.items()):
            to = f'{{to="{name}"}}'
            lines += [f"calls_total{to} {one.calls}", f"tries_total{to} {one.tries}"]
            if one.budget is not None:
                lines.append(f"retries_refused_total{to} {one.budget.refused}")
                lines.append(f"retry_tokens{to} {one.budget.tokens:.1f}")
            if one.outliers is not None:
                lines += [
                    f'replica_out{{to="{replica}"}} {int(one.outliers.out(replica))}'
                    for replica in one.replicas.names
                ]
        for name, breaker in sorted(self._breakers.items()):
            lines.append(f'breaker_open{{to="{name}"}} {int(breaker.state != "closed")}')
        return "".join(f"{line}\n" for line in [*lines, f"welcome {int(self.welcome)}"])


def _nobody(_: str) -> bool:
    return False
