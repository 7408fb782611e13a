"""The schema of the evidence, version 2: every table of a run directory, with its units.

Times are `_ns`, CLOCK_MONOTONIC of the controller's host; money is `_fen`, integer. A null
means "never learned" or "does not apply" and is never zero. While a drill runs a table is one
or more Arrow IPC streams `TABLE.PART.arrows`; afterwards it is one `TABLE.parquet`.

Version 2 has `repay_intents`, attempts of kind repay, and features in `population`; columns that an
older run lacks are read as null.
"""

import pyarrow as pa

SCHEMA_VERSION = 2

Fields = list[tuple[str, pa.DataType]]

_T: pa.DataType = pa.int64()
_M: pa.DataType = pa.int64()
_I: pa.DataType = pa.int64()
_S: pa.DataType = pa.string()
_B: pa.DataType = pa.bool_()
_F: pa.DataType = pa.float64()

_FIELDS: dict[str, Fields] = {
    # What was planned: one row an intent, written before load starts. due_ns counts from t = 0
    # until the drill knows when t = 0 was; `run.json` carries t0_ns and `due_ns` here includes it.
    "intents": [
        ("intent", _I),
        ("draw_key", _S),
        ("borrower", _I),
        ("group", _S),
        ("amount_fen", _M),
        ("purpose", _S),
        ("due_ns", _T),
        ("phase", _S),
        ("straddling", _B),
    ],
    # What the borrower of a draw gives back if it is granted, planned with the intents: part of the
    # draw or all of it. due_ns as in `intents`; it is sent then, or when the grant is known, if
    # that is later.
    "repay_intents": [
        ("intent", _I),
        ("repay_key", _S),
        ("borrower", _I),
        ("amount_fen", _M),
        ("due_ns", _T),
    ],
    # What the generator saw: kind press | poll | close | look | repay (close: the draw is given up;
    # look: a quota read, repay: a repayment; their intent is the draw they go with). n counts per
    # intent and kind from 1. outcome granted|refused|failed|unknown, repaid for a repayment that
    # was acknowledged, or dropped: never sent, because the worker had as many draws in flight as it
    # may (sent_ns and done_ns null). cause/hop/reason as the lender named them; the reason of a
    # look is the age and the figures of the quota shown, as harness.load.outcome has them. status
    # 0: no HTTP answer.
    # scheduled_ns: when the attempt should have been sent (the due time for the first press).
    # The worker's clock less its `applied_ns` of `clocks`, one number for all of its rows.
    "attempts": [
        ("intent", _I),
        ("kind", _S),
        ("n", _I),
        ("scheduled_ns", _T),
        ("sent_ns", _T),
        ("first_byte_ns", _T),
        ("done_ns", _T),
        ("status", _I),
        ("outcome", _S),
        ("cause", _S),
        ("hop", _S),
        ("reason", _S),
        ("replica", _S),
        ("worker", _S),
    ],
    # What the lender's hops saw, both sides of each call. edge `gateway->ledger`, client and server
    # are replicas. sent: request bytes may have left. result ok|refused|not_sent|unknown|error.
    # A server-side row has done_ns null when its process died or the call never ended.
    "calls": [
        ("draw_key", _S),
        ("attempt", _I),
        ("edge", _S),
        ("client", _S),
        ("server", _S),
        ("side", _S),
        ("start_ns", _T),
        ("done_ns", _T),
        ("sent", _B),
        ("result", _S),
        ("queue_ns", _T),
    ],
    # Dated states: kind breaker | process | sweeper | alert, subject what it is about: of an alert
    # the hop that it names (`ledger`, `ledger-1`, `bank.own`), its state raised | cleared; verdict,
    # of a draw's key: `risk last`, `compliance last` or `risk unjudged`, where nobody answered.
    "states": [("replica", _S), ("kind", _S), ("subject", _S), ("state", _S), ("at_ns", _T)],
    # One row a worker and second (second counts from t = 0; negative before). late: sent after the
    # scheduled time; lag: a heartbeat was served late; connect: time to obtain a connection.
    # Shares are of a second (steal_share: of one CPU). What came later is null in older runs.
    "generator": [
        ("worker", _S),
        ("second", _I),
        ("sent", _I),
        ("late_ns_max", _T),
        ("late_ns_p99", _T),
        ("lag_ns_max", _T),
        ("dropped", _I),
        ("gc_ns", _T),
        ("cpu_share", _F),
        ("psi_share", _F),
        ("steal_share", _F),
        ("lag_ns_p99", _T),
        ("connect_ns_p99", _T),
        ("connect_ns_max", _T),
    ],
    # What the controller's clock was compared with: one row a worker and round of exchanges (before
    # t = 0, every 10 s, at the end). offset_ns: the worker's clock less the controller's, true to
    # within uncertainty_ns; applied_ns: what was taken off the times of this worker's rows (0 where
    # the first round can't tell the two clocks apart). same_kernel: they are one clock, no drift.
    "clocks": [
        ("worker", _S),
        ("host", _S),
        ("at_ns", _T),
        ("offset_ns", _T),
        ("uncertainty_ns", _T),
        ("applied_ns", _T),
        ("same_kernel", _B),
        ("exchanges", _I),
    ],
    # Small writes of the controller's own, forced to the disk (fsync) on which the lender's books
    # are: when one began and how long it took. By the controller's clock.
    "disk": [("began_ns", _T), ("took_ns", _T)],
    # What an onlooker of the controller's saw of notices as a borrower does: a row for each notice
    # that a look was shown, and one with policy null for a look that was shown none. gateway: which
    # answered, or was asked last. status: of its answer, 0 for none that can be read. By our clock.
    "notice_looks": [
        ("borrower", _I),
        ("gateway", _S),
        ("sent_ns", _T),
        ("done_ns", _T),
        ("status", _I),
        ("policy", _I),
        ("kind", _S),
        ("rule", _S),
    ],
    # The lender's books, exported after the drain.
    "draws": [
        ("draw_key", _S),
        ("borrower", _I),
        ("amount_fen", _M),
        ("purpose", _S),
        ("state", _S),
        ("try", _I),
        ("tier", _S),
        ("requested_ns", _T),
        ("decided_ns", _T),
        ("ended_ns", _T),
        ("cause", _S),
        ("hop", _S),
        ("reason", _S),
        ("risk_policy", _I),
        ("risk_ns", _T),
        ("compliance_rules", _I),
        ("compliance_ns", _T),
    ],
    # One row a try; state paying | paid | voided | not_sent; ended_by gateway-N | sweeper ledger-N.
    # own_fen of the amount came from the tier `own` (joint lending), the rest from `tier`, which
    # paid all of it. not_after_ns: when its bank began to refuse it, null where banks close keys.
    "tries": [
        ("draw_key", _S),
        ("try", _I),
        ("tier", _S),
        ("slice", _I),
        ("own_slice", _I),
        ("own_fen", _M),
        ("payout_key", _S),
        ("state", _S),
        ("opened_ns", _T),
        ("not_after_ns", _T),
        ("ended_ns", _T),
        ("ended_by", _S),
    ],
    # state repaid | refused.
    "repayments": [
        ("repay_key", _S),
        ("borrower", _I),
        ("amount_fen", _M),
        ("state", _S),
        ("ended_ns", _T),
    ],
    # Every version of every account: `borrower:17` (limit, outstanding, held), `tier:own/3` (a
    # slice: balance = money not yet held or paid, held) or `treasury` (balance). event reserve |
    # post | void of a try; repay; opening | top_up | drain (try 0) | gather between slices.
    "versions": [
        ("account", _S),
        ("version", _I),
        ("limit_fen", _M),
        ("outstanding_fen", _M),
        ("held_fen", _M),
        ("balance_fen", _M),
        ("locked_ns", _T),
        ("draw_key", _S),
        ("try", _I),
        ("event", _S),
    ],
    # Double entry; the rows of one (draw_key, try, event) sum to zero. Accounts are
    # `borrower:17:available|held|outstanding|drawn`, `tier:own/3:available|held`,
    # `treasury:available`, `collections:principal`, `settlement:own:payable` and
    # `settlement:partner-a:receivable`; see docs/scenario-format.md for the pairs.
    "postings": [
        ("draw_key", _S),
        ("try", _I),
        ("event", _S),
        ("account", _S),
        ("amount_fen", _M),
        ("locked_ns", _T),
    ],
    "payouts": [
        ("bank", _S),
        ("payout_key", _S),
        ("draw_key", _S),
        ("amount_fen", _M),
        ("paid_ns", _T),
    ],
    "tombstones": [("bank", _S), ("payout_key", _S), ("closed_ns", _T)],
    # Repayments that the lender's own console asked for, in bulk, each before it was asked.
    "collections": [("repay_key", _S), ("borrower", _I), ("amount_fen", _M), ("asked_ns", _T)],
    # What borrowers had been told: borrower null = all. kind policy | notice.
    "published": [("borrower", _I), ("kind", _S), ("policy", _I), ("published_ns", _T)],
    # kind risk: about borrowers whose score (0 to 9,999) in a market under `stress_bp` is below
    # `score_below` (null: about all). It leaves them `keep_bp` ten-thousandths of their limits, or
    # else refuses their draws of more than `above_fen`, or else all of them; number 1 refuses
    # delinquent borrowers. kind compliance: forbids `forbids` (a purpose).
    # number 1 is what the lender began with; others are one number each, whatever their kind.
    # in_force_ns null: adopted without ever being in force. One row for the policy itself (replica
    # null), and one for each replica from its first decision under it. ended_ns null: it lasts.
    # rule: the id in the rules file of what came from there, whose predicate is in that file.
    # kind shortage: no rule, but what borrowers were told of money that will not be there.
    "policies": [
        ("kind", _S),
        ("policy", _I),
        ("forbids", _S),
        ("in_force_ns", _T),
        ("adopted_ns", _T),
        ("replica", _S),
        ("above_fen", _M),
        ("score_below", _I),
        ("ended_ns", _T),
        ("stress_bp", _I),
        ("keep_bp", _I),
        ("rule", _S),
    ],
    # own_bp: ten-thousandths of each of its draws that the tier `own` takes (joint lending).
    # balance_fen: at the opening; what moved since is in `versions`. A tier has a row more from
    # when it could not be used (available false) and from when it could again; null: it can. And
    # one from when other limits hold (available null): what may be drawn from it in an hour and in
    # a day of the scenario's calendar, which counts from t = 0; null: any amount.
    "tiers": [
        ("tier", _S),
        ("bank", _S),
        ("share", _F),
        ("balance_fen", _M),
        ("own_bp", _I),
        ("from_ns", _T),
        ("available", _B),
        ("hour_limit_fen", _M),
        ("day_limit_fen", _M),
    ],
    # tenure_months: with this lender. utilisation_bp: of credit elsewhere, ten-thousandths.
    # past_due_days: above 0 for the delinquent. income_band: 1 (lowest fifth) to 5.
    # student; unverified: the identity document was never checked, or has expired.
    "population": [
        ("borrower", _I),
        ("group", _S),
        ("limit_fen", _M),
        ("barred", _B),
        ("delinquent", _B),
        ("tenure_months", _I),
        ("utilisation_bp", _I),
        ("past_due_days", _I),
        ("income_band", _I),
        ("student", _B),
        ("unverified", _B),
    ],
}

TABLES: dict[str, pa.Schema] = {name: pa.schema(fields) for name, fields in _FIELDS.items()}

# Tables without which nothing can be judged. Others may be empty but must be there too.
LOAD_TABLES = ("intents", "repay_intents", "attempts", "generator", "clocks")
# What a worker sees, sent to the master in chunks; and the columns of it that its clock has dated.
WORKER_TABLES = ("attempts", "generator", "clocks")
WORKER_TIMES: dict[str, tuple[str, ...]] = {
    "attempts": ("scheduled_ns", "sent_ns", "first_byte_ns", "done_ns"),
    "clocks": ("at_ns",),
}
# What the controller saw itself, and since which schema of run.json: older runs have none.
DISK_SINCE, RUN_SCHEMA = 3, 4
HARNESS_TABLES = {"disk": DISK_SINCE, "notice_looks": RUN_SCHEMA}
LENDER_TABLES = (
    "calls", "states", "draws", "tries", "repayments", "collections", "versions", "postings",
    "payouts", "tombstones", "published", "policies", "tiers", "population",
)  # fmt: skip

# Where a table lies in the run directory (without its suffix).
PLACES: dict[str, str] = {
    name: {
        "draws": "ledger/draws",
        "tries": "ledger/tries",
        "repayments": "ledger/repayments",
        "versions": "ledger/versions",
        "postings": "ledger/postings",
        "payouts": "banks/payouts",
        "tombstones": "banks/tombstones",
    }.get(name, name)
    for name in TABLES
}
