"""What each planted defect needs to bite: a recipe is a list of overrides of defects.yaml.

A recipe without a defect is the clean arm: it hurts a sound lender, and never its money.
"""

from pathlib import Path

SCENARIO = Path(__file__).with_name("defects.yaml")

RECIPES: dict[str, tuple[str, ...]] = {
    "calm": (),
    # Crowds of one borrower, who has quota for two of its four draws at one moment.
    "crowds": ("load.journey.hot=40 %",),
    # Limits that are reached in every hour, in tiers that have enough.
    "limits": (
        "lender.calendar={hour: 2s, hours: 12}",
        "lender.tiers={own: {share: 50 %, hourly: 4 %}, partner-a: 50 %}",
        "cause=liquidity",
    ),
    "joint": ("lender.joint={partner-a: 30 %}",),
    "ledger-killed": ("faults=[{process: kill, target: ledger-1, at: fault+1s}]",),
    # Payouts reach the bank at once, and its answers come after its caller has given up.
    "answers-late": (
        'faults=[{network: latency, edge: "gateway->bank.partner-a", latency: 3s, at: fault+1s,'
        " for: 5s}]",
    ),
    # Payouts reach the bank's book after the sweeper has had their keys closed: those tries are
    # voided, and what comes then must be refused.
    "payouts-late": (
        "faults=[{service: late, target: bank.partner-a, share: 50 %, latency: 3s, at: fault+1s,"
        " for: 5s}]",
    ),
    # Calls to it run out of time: under a deadline they are not made again, and nothing stands in.
    "risk-frozen": (
        "faults=[{process: freeze, target: risk-1, at: fault+1s, for: 4s}]",
        "lender.protections.last_verdict=off",
    ),
    # Draws that one gateway was frozen with are voided, and pressed again at the other, which
    # freezes before it has read that; who asks the first one has given up when the other wakes.
    "gateways-frozen": (
        "faults=[{service: late_reply, target: ledger-1, operation: reserve, latency: 300ms,"
        " at: fault+0s, for: 1500ms}, {service: late_reply, target: ledger-2, operation: reserve,"
        " latency: 300ms, at: fault+0s, for: 1500ms},"
        " {process: freeze, target: gateway-1, at: fault+1s, for: 2500ms},"
        " {process: freeze, target: gateway-2, at: fault+3450ms, for: 3500ms}]",
        "load.shape.rate=60/s",
        "load.patience.retries=1",
    ),
    "primary-killed": ("faults=[{database: kill_primary, at: fault+2s}]",),
    "primary-frozen": ("faults=[{database: freeze_primary, at: fault+1s, for: 4s}]",),
    # A date begins; the last rule of the file is of it.
    "rule-date": (
        "lender.rules={file: ../scenarios/compliance/rules.yml, today: 2025-09-30}",
        "faults=[{business: rule_date, target: 2025-10-01, at: fault+2s}]",
    ),
    # A maximum per draw that none of these draws comes near is in force all along.
    "rules-of-before": (
        "lender.rules={file: ../scenarios/compliance/rules.yml, today: 2024-07-01}",
    ),
}

# Every defect, by the recipe under which it shows.
NEEDS: dict[str, str] = {
    "payout-twice-on-retry": "answers-late",
    "acknowledge-before-commit": "ledger-killed",
    "sweeper-voids-on-not-found": "payouts-late",
    "lost-void": "payouts-late",
    "forgotten-hold": "payouts-late",
    "quota-race": "crowds",
    "tier-oversell": "calm",
    "limit-per-slice": "limits",
    "limit-forgotten": "limits",
    "partner-takes-too-little": "joint",
    "wrong-amount": "calm",
    "misread-amount": "calm",
    "stale-status": "answers-late",
    "so-far-for-certain": "gateways-frozen",
    "refused-but-paid": "calm",
    "blames-risk": "risk-frozen",
    "key-reuse-accepted": "calm",
    "failover-that-forgets": "primary-killed",
    "fencing-off": "primary-frozen",
    "replay-acknowledges-unflushed": "primary-killed",
    "rule-forgotten": "rule-date",
    "rule-dated-late": "rule-date",
    "cap-in-wrong-unit": "rules-of-before",
}


def arguments(recipe: str, defect: str | None) -> list[str]:
    """The arguments of `drawproof run`."""
    changes = list(RECIPES[recipe])
    if defect is not None:
        changes.append(f"lender.defects=[{defect}]")
    return [str(SCENARIO), *(word for change in changes for word in ("--set", change))]


def arms() -> dict[str, tuple[str, str | None]]:
    """Label to (recipe, defect): each recipe clean, then each defect."""
    clean: dict[str, tuple[str, str | None]] = {
        f"clean {recipe}": (recipe, None) for recipe in RECIPES if recipe in NEEDS.values()
    }
    return clean | {defect: (recipe, defect) for defect, recipe in NEEDS.items()}
