"""Small whole runs as the judge reads them: clean, and then spoilt one thing at a time."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.columnar import Rows
from harness.evidence.rows import (
    Attempt,
    Borrower,
    Call,
    Draw,
    Intent,
    Payout,
    Policy,
    Posting,
    Published,
    Second,
    State,
    Tier,
    Try,
    Version,
)
from harness.judge.view import GROWING, FaultLine, RunView
from harness.scenario.loader import load_scenario
from harness.scenario.model import Scenario

T0_NS = 1_000_000_000_000
LIMIT_FEN = 1_000_000
OPENING_FEN = 1_000_000_000
SMOKE = Path(__file__).resolve().parent.parent / "scenarios" / "smoke.yaml"
FAULT = "network: latency gateway->bank.partner-a"


def scenario(*overrides: str) -> Scenario:
    """The smoke scenario with its latency fault alone."""
    faults = (
        'faults=[{network: latency, edge: "gateway->bank.partner-a", latency: 3s,'
        " at: fault+2s, for: 10s}]"
    )
    # A hundred draws or so a phase are too few for a p95.
    usual = 'expect.baseline=["guarantee >= 99 %", "p50 < 400 ms"]'
    return load_scenario(SMOKE, (faults, usual, *overrides), None).scenario


SCENARIO = scenario()


@cache
def clean(count: int = 410) -> RunView:
    """`count` draws, ten a second over 41 s, each of its own borrower; every 20th must be refused
    for a barred purpose, the rest are granted after 100 ms. Odd ones are paid by partner-a."""
    view = _Builder()
    for number in range(count):
        view.draw(number)
    return view.view()


class _Builder:
    """Gathers the rows of one run."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.attempts: list[Attempt] = []
        self.calls: list[Call] = []
        self.draws: list[Draw] = []
        self.tries: list[Try] = []
        self.versions: list[Version] = []
        self.postings: list[Posting] = []
        self.payouts: list[Payout] = []
        self.balance_fen = {"own": OPENING_FEN, "partner-a": OPENING_FEN}
        self.held_fen = {"own": 0, "partner-a": 0}
        self.version = {"own": 0, "partner-a": 0}
        for number, tier in enumerate(("own", "partner-a"), start=1):
            self._opening(tier, number)

    def _opening(self, tier: str, number: int) -> None:
        at_ns = T0_NS - NS_PER_S
        self.version[tier] = 1
        self.versions += [
            Version(f"tier:{tier}/0", 1, None, None, 0, OPENING_FEN, at_ns, tier, 0, "opening"),
            Version("treasury", number, None, None, None, -number * OPENING_FEN, at_ns, tier, 0,
                    "opening"),
        ]  # fmt: skip
        for account, amount_fen in (("treasury", -OPENING_FEN), (f"tier:{tier}/0", OPENING_FEN)):
            self.postings.append(
                Posting(tier, 0, "opening", f"{account}:available", amount_fen, at_ns)
            )

    def draw(self, number: int) -> None:
        due_ns = T0_NS + number * NS_PER_S // 10
        key, borrower, amount_fen = f"key-{number:06d}", number + 1, 10_000 + number * 100
        refused = number % 20 == 7
        purpose = "securities" if refused else "education"
        at_s = (due_ns - T0_NS) / NS_PER_S
        self.intents.append(
            Intent(number, key, borrower, "new", amount_fen, purpose, due_ns,
                   SCENARIO.phases.phase_at(at_s), 15.5 <= at_s < 17)
        )  # fmt: skip
        tier = "partner-a" if number % 2 else "own"
        done_ns = due_ns + 100 * NS_PER_MS
        self.attempts.append(
            Attempt(number, "press", 1, due_ns, due_ns + 1000, done_ns, done_ns,
                    403 if refused else 201, "refused" if refused else "granted",
                    "compliance" if refused else None, "compliance" if refused else None,
                    "purpose-barred" if refused else None, "gateway-1", "worker-1")
        )  # fmt: skip
        self._calls(key, due_ns, done_ns, f"bank.{tier}", refused=refused)
        self.draws.append(
            Draw(key, borrower, amount_fen, purpose, "refused" if refused else "paid",
                 0 if refused else 1, None if refused else tier, due_ns + 5 * NS_PER_MS,
                 due_ns + 6 * NS_PER_MS, done_ns - NS_PER_MS,
                 "compliance" if refused else None, "compliance" if refused else None,
                 "purpose-barred" if refused else None, 1, due_ns + 2 * NS_PER_MS, 1,
                 due_ns + 2 * NS_PER_MS)
        )  # fmt: skip
        if not refused:
            self._paid(key, borrower, amount_fen, tier, due_ns, done_ns)

    def _calls(self, key: str, due_ns: int, done_ns: int, bank: str, *, refused: bool) -> None:
        ms = NS_PER_MS
        self.calls.append(
            Call(key, 1, "borrower->gateway", "borrower", "gateway-1", "server", due_ns + ms,
                 done_ns - ms, True, "refused" if refused else "ok", 0)
        )  # fmt: skip
        hops = [("risk-1", 2, 3, "ok"), ("compliance-1", 2, 3, "refused" if refused else "ok")]
        if not refused:
            hops += [("ledger-1", 4, 8, "ok"), (bank, 9, 95, "ok"), ("ledger-1", 96, 98, "ok")]
        for server, start, done, result in hops:
            role = server if server.startswith("bank.") else server.rpartition("-")[0]
            self.calls.append(
                Call(key, 1, f"gateway->{role}", "gateway-1", server, "client",
                     due_ns + start * ms, due_ns + done * ms, True, result, 0)
            )  # fmt: skip

    def _paid(
        self, key: str, borrower: int, amount_fen: int, tier: str, due_ns: int, done_ns: int
    ) -> None:
        payout = f"{key}.{tier}.1"
        opened_ns, ended_ns = due_ns + 6 * NS_PER_MS, done_ns - NS_PER_MS
        self.tries.append(
            Try(key, 1, tier, 0, None, 0, payout, "paid", opened_ns, None, ended_ns, "gateway-1")
        )
        self.payouts.append(
            Payout(f"bank.{tier}", payout, key, amount_fen, done_ns - 6 * NS_PER_MS)
        )
        self._event(key, borrower, amount_fen, tier, "reserve", opened_ns)
        self._event(key, borrower, amount_fen, tier, "post", ended_ns)

    def _event(
        self, key: str, borrower: int, amount_fen: int, tier: str, event: str, at_ns: int
    ) -> None:
        reserve = event == "reserve"
        self.version[tier] += 1
        self.held_fen[tier] += amount_fen if reserve else -amount_fen
        self.balance_fen[tier] -= amount_fen if reserve else 0
        self.versions += [
            Version(f"borrower:{borrower}", 1 if reserve else 2, LIMIT_FEN,
                    0 if reserve else amount_fen, amount_fen if reserve else 0, None, at_ns, key,
                    1, event),
            Version(f"tier:{tier}/0", self.version[tier], None, None, self.held_fen[tier],
                    self.balance_fen[tier], at_ns, key, 1, event),
        ]  # fmt: skip
        who, what = f"borrower:{borrower}", f"tier:{tier}/0"
        pairs = (
            [(f"{what}:available", f"{what}:held"), (f"{who}:available", f"{who}:held")]
            if reserve
            else [(f"{what}:held", f"{who}:outstanding"), (f"{who}:held", f"{who}:drawn")]
        )
        for source, target in pairs:
            self.postings.append(Posting(key, 1, event, source, -amount_fen, at_ns))
            self.postings.append(Posting(key, 1, event, target, amount_fen, at_ns))

    def view(self) -> RunView:
        load_end_ns = T0_NS + 41 * NS_PER_S
        seconds = tuple(
            Second("worker-1", s, 10, 1_000_000, 900_000, 1_000_000, 0, 0, 0.1, 0.1, 0.0)
            for s in range(42)
        )
        fault = FaultLine(
            FAULT, "gateway->bank.partner-a", "nemesis", T0_NS + 17 * NS_PER_S,
            T0_NS + 17 * NS_PER_S, T0_NS + 17 * NS_PER_S, T0_NS + 26 * NS_PER_S,
            T0_NS + 27 * NS_PER_S, T0_NS + 27 * NS_PER_S, None,
        )  # fmt: skip
        versions = sorted(self.versions, key=lambda v: (v.account, v.version))
        order = {"own": 0, "partner-a": 1}
        return RunView(
            scenario=SCENARIO,
            ended="complete",
            t0_ns=T0_NS,
            load_end_ns=load_end_ns,
            drain_end_ns=load_end_ns + NS_PER_S,
            missing=(),
            cut=(),
            intents=Rows.of("intents", self.intents),
            attempts=Rows.of("attempts", self.attempts),
            calls=Rows.of("calls", self.calls),
            states=(),
            generator=seconds,
            draws=Rows.of("draws", self.draws),
            tries=Rows.of("tries", self.tries),
            repayments=Rows.of("repayments", ()),
            versions=Rows.of("versions", versions),
            postings=Rows.of("postings", self.postings),
            payouts=Rows.of("payouts", self.payouts),
            tombstones=Rows.of("tombstones", ()),
            published=(Published(None, "policy", 1, T0_NS - NS_PER_S),),
            policies=(
                Policy("risk", 1, None, T0_NS - NS_PER_S, T0_NS - NS_PER_S, None),
                Policy("compliance", 1, "securities", T0_NS - NS_PER_S, T0_NS - NS_PER_S, None),
            ),
            tiers=tuple(
                Tier(tier, f"bank.{tier}", 0.5, OPENING_FEN, 0, T0_NS) for tier in sorted(order)
            ),
            population=Rows.of(
                "population",
                (
                    Borrower(i.borrower, "new", LIMIT_FEN, barred=False, delinquent=False)
                    for i in self.intents
                ),
            ),
            faults=(fault,),
        )


def changed(view: RunView, **changes: Any) -> RunView:
    """The same run with other values; rows of what it keeps as columns are given as plain ones."""
    for name in GROWING:
        if name in changes:
            changes[name] = Rows.of(name, changes[name])
    return replace(view, **changes)


def broken(view: RunView, numbers: range, status: int = 504) -> RunView:
    """The same run, but these draws were answered 504 after their bank was silent, and voided."""
    gone = {view.intents[n].draw_key: n for n in numbers}
    attempts = tuple(
        a._replace(outcome="unknown", status=status, cause="system", hop="bank.partner-a")
        if a.intent in numbers
        else a
        for a in view.attempts
    )
    calls = tuple(
        c._replace(result="unknown") if c.draw_key in gone and c.server.startswith("bank.") else c
        for c in view.calls
        if not (c.draw_key in gone and c.edge == "gateway->ledger" and c.start_ns % 10**9 > 10**10)
    )
    draws = tuple(d._replace(state="voided") if d.draw_key in gone else d for d in view.draws)
    tries = tuple(t._replace(state="voided") if t.draw_key in gone else t for t in view.tries)
    return changed(
        view,
        attempts=attempts,
        calls=calls,
        draws=draws,
        tries=tries,
        payouts=tuple(p for p in view.payouts if p.draw_key not in gone),
        versions=_given_back(view, gone),
        postings=tuple(_unposted(p) if p.draw_key in gone else p for p in view.postings),
    )


def _given_back(view: RunView, gone: Collection[str]) -> Iterator[Version]:
    """What these draws would have posted is void: their tiers have the money back from then on."""
    more_fen: Counter[str] = Counter()
    for version in view.versions:
        found = version
        if version.draw_key in gone and version.event == "post":
            found = version._replace(event="void", outstanding_fen=version.outstanding_fen and 0)
            more_fen[version.account] += view.intents.where(draw_key=version.draw_key)[0].amount_fen
        if found.balance_fen is not None:
            found = found._replace(balance_fen=found.balance_fen + more_fen[found.account])
        yield found


def _unposted(row: Posting) -> Posting:
    """Held money goes back to where it came from."""
    if row.event != "post":
        return row
    number = row.draw_key.removeprefix("key-")
    tier = "partner-a" if int(number) % 2 else "own"
    account = row.account.replace(":drawn", ":available")
    if account.endswith(":outstanding"):
        account = f"tier:{tier}/0:available"
    return row._replace(event="void", account=account)


def failed_over() -> RunView:
    """A clean run in whose middle another database became the primary."""
    view = clean()
    middle_ns = view.t0_ns + 20 * 10**9
    calls = tuple(
        Call(call.draw_key, 0, "ledger->database", "ledger-1",
             f"database-{1 if call.start_ns < middle_ns else 2}", "client", call.start_ns,
             call.done_ns, True, "ok", 0)
        for call in view.calls
        if call.server == "ledger-1"
    )  # fmt: skip
    state = State("monitor", "database", "primary", "promoted database-2 epoch 2", middle_ns)
    return changed(view, calls=(*view.calls, *calls), states=(*view.states, state))
