"""docs/protections.md, made of what there is: `python -m mock_lender.resilience.page`."""

from mock_lender.resilience.admission import COME_BACK_MS
from mock_lender.resilience.agreement import ASK_AGAIN_S
from mock_lender.resilience.money import HOLDS_S
from mock_lender.resilience.profile import PROFILES, Settings

S = Settings.of(PROFILES["full"])

# What each does, and what of it can be seen in a service's /metrics or in the table `states`.
DOES: dict[str, tuple[str, str]] = {
    "round_robin": (
        "calls go to the replicas in turn, whatever they are like; what was certainly not sent"
        " goes to another",
        "`tries_total`",
    ),
    "retries": (
        "three tries a hop, with jitter, never begun after the deadline; what was sent and not"
        " answered is not tried again under a deadline",
        "`tries_total` beside `calls_total`",
    ),
    "retry_budget": (
        f"a retry costs a token, a call earns {S.retry_share:g}, {S.retry_tokens:g} can be saved"
        " up: a dependency that is down is asked a fifth more often, not three times as often",
        "`retry_tokens`, `retries_refused_total`",
    ),
    "deadlines": ("a hop refuses what it can't finish in the borrower's time", "`shed_total`"),
    "breaker": (
        f"opens when {S.failure_rate:.0%} of the last {S.window_calls} calls, {S.window_calls_min}"
        f" at least, failed or took {S.slow_call_s * 1000:g} ms; for {S.open_s:g} s, then one"
        " probe. Refusals for a reason of business (4xx) don't count. With it come timeouts of 1 s"
        " instead of 10 s",
        "`breaker_open`; states `breaker`",
    ),
    "failover": (
        "of the next two replicas the one with fewer calls of this caller; out for"
        f" {S.eject_s:g} s to {S.eject_s_max:g} s, then on trial with one call, is one that failed"
        f" {S.eject_failures} calls in a row or takes {S.eject_times_slower:g} times as long as"
        f" the others and {S.eject_slower_s * 1000:g} ms more; {S.eject_share:.0%} of them at most;"
        " when fewer than half are well all are asked. Out is a replica by this or by its breaker,"
        " never by both",
        "`replica_out`; states `ejection`",
    ),
    "admission": (
        "who can't have a slot of a gateway within"
        f" {S.shed_after_s * 1000:g} ms is told so, with a time to come back in"
        f" {COME_BACK_MS[0]} to {COME_BACK_MS[1]} ms (`Retry-After`, `retry_after_ms`); what has"
        " begun goes before draws, those before questions, repayments and looks; how many are"
        " worked on at once, at gateways and ledgers, falls by a tenth when callers have gone by"
        " the end of their work, and rises again by one",
        "`admission_limit`, `admission_waiting`, `turned_away_total`, `shed_total`",
    ),
    "policy_handshake": (
        "answers of risk and compliance say of which revision of the rule book they are; one that"
        " is behind what the gateway knows is not believed, and another replica is asked; nor does"
        " a last verdict approve what a policy that has come since may forbid",
        "`rulebook_revision`, `verdicts_behind_total`",
    ),
    "last_verdict": (
        f"each gateway asks risk every {S.verdict_every_s:g} s whom it would refuse and whose"
        " limits it cuts; for all others, while risk can't be asked, or does not answer in"
        f" {S.verdict_wait_s * 1000:g} ms, draws up to {S.verdict_most_fen / 100:,.0f} yuan go by"
        " that,"
        f" {S.verdict_age_s:g} s old at most, and by the dated rules in place of compliance. It"
        " approves; nobody is refused for good by it",
        "`verdicts_last_total`, `last_verdict_age_ms`; states `verdict`",
    ),
    "quota_cache": (
        "looks at one borrower share one reading; while the ledger is silent a quota is shown as"
        f" it was, {S.quota_stale_s:g} s old at most. Without it a cache of {S.quota_fresh_s:g} s"
        " is all there is",
        "`quota_cache_hits_total`, `quota_cache_shared_total`, `quota_cache_stale_total`",
    ),
    "compliance_first": (
        "rules of a rules file are adopted, and borrowers told, as soon as their date is known;"
        " they are dated by one clock, the database's, whatever a replica's own says",
        "`one_clock_unsure_s`, `own_clock_off_s`; states `rule`",
    ),
    "early_warning": (
        "a watcher looks twice a second at replicas, breakers, policies and dates, and eight times"
        " at tiers: alerts name the hop, borrowers are told before they try, and the remedy is"
        " begun; see"
        " [early warning](scenario-format.md#early-warning)",
        "the console's `alerts_raised_total`, `notices_total`, `runway_s`; states `alert`",
    ),
    "tier_fallthrough": (
        "a tier whose bank can't be reached is passed over, and one that is out, has no money or is"
        " at its limit; without it a draw has one tier",
        "`reserved_total`, `no_money_total`; draws' `tries`",
    ),
    "fine_allocation": (
        f"a tier's money lies in {S.slices} small rows that serve any draw, and is gathered where"
        " none has enough alone; without it in `parts` that are kept apart",
        "`fine_allocation_gathered_total`",
    ),
    "funding_plan": (
        "each hour's shares of the tiers follow from a forecast: first what lapses with the hour,"
        " then what keeps",
        "`funding_plan_hours`; states `funding`",
    ),
    "canary": (
        "the first replica with a new version is watched; from"
        f" {S.canary_calls_min} calls on, when more than {S.canary_failed_share:.0%} of them fail"
        " or are slow, and more than twice as many as of the others', all of it is rolled back; one"
        f" that fails most of {S.canary_calls_certain} is rolled back at once; it goes on after"
        f" {S.canary_calls_min} calls and {S.canary_watch_s:g} s",
        "states `deploy`",
    ),
    "handshake": (
        "a service does nothing for a caller of another contract, and says so; who is refused by"
        f" most of those that it calls is not ready for {ASK_AGAIN_S:g} s at a time",
        "`welcome`; /readyz",
    ),
    "money_bound": (
        "with `lender.money_bound`: a tier's bank pays out so much in a minute, and no more than"
        f" that of {HOLDS_S:g} s at once; what is beyond it is refused for good and can go to"
        " another tier",
        "`money_left_fen`, `money_refused_total` of a bank; states `money_bound`",
    ),
    "cells": (
        "borrowers knock at a gateway of their cell first, and it asks the replicas of its cell"
        " before others: a cut hits those of one cell, and no call crosses to the other site; where"
        f" both are in one place, others help out when {S.spill_calls} calls more are under way to"
        " the cell's own, as to one that is slow for some calls alone",
        "`tries_total`",
    ),
    "second_site": (
        "a gateway looks over its own way to the banks, whether or not it is used; without any it"
        " is not ready, and takes no draw",
        "`way_to`; /readyz; states `route` and `alert`",
    ),
}
HEAD = """# Protections

Made by `make docs` from `mock_lender/resilience`. A profile is a set of protections;
`lender.protections` of a scenario switches each of them by its name, `on` or `off`, over the
profile, so that its worth can be measured (`drawproof ablate`). Which are on says every service in
its `/metrics` (`protection{name="..."}`).

| protection | none | naive | full | what it does | where it is seen |
|---|---|---|---|---|---|
"""
TAIL = """
Idempotency, closing of payout keys, the sweeper, the synchronous standby and fencing are always on:
no profile switches the safety of money off.

Replicas with odd numbers and the first database are at site `a`, those with even numbers and the
standby at site `b`; each site is a cell. `lender.site_round_trip` is how far they are apart: calls
from one to the other, and commits, which wait for the standby, take so much longer. It is waited by
the caller before it sends: no network is shaped. What a second site without synchronous commits
would lose measures the defect `failover-that-forgets` (`rpo_draws`).
"""


def page() -> str:
    """The whole of it."""
    rows = []
    for name, (does, seen) in DOES.items():
        marks = " | ".join("x" if name in PROFILES[profile] else "" for profile in PROFILES)
        rows.append(f"| `{name}` | {marks} | {does} | {seen} |\n".replace("|  |", "| |"))
    return HEAD + "".join(rows) + TAIL


if __name__ == "__main__":
    print(page(), end="")
