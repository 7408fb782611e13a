"""What of a lender a fault's parameter may name: a new sort of name is one line here."""

from collections.abc import Callable, Mapping

from harness.scenario.model import PURPOSES, LenderSpec

# Who calls banks, and whom a gateway calls besides.
PAYERS = ("gateway", "ledger")
OWN = "own"
CALLED = ("risk", "compliance", "ledger")


def banks(lender: LenderSpec) -> list[str]:
    """Each tier is paid out by a bank of its own name."""
    return [f"bank.{tier}" for tier, _ in lender.tier_shares]


def replicas(lender: LenderSpec) -> list[str]:
    """`gateway-1`, `gateway-2`, ..."""
    return [f"{role}-{number + 1}" for role, count in lender.replicas for number in range(count)]


def bank_edges(lender: LenderSpec) -> list[str]:
    """Who calls a bank, the gateway to pay out, the ledger to close: all replicas of it at once."""
    return [f"{role}->{bank}" for role in PAYERS for bank in banks(lender)]


def edges(lender: LenderSpec) -> list[str]:
    """Those, and each replica's with each that it calls, banks too."""
    return bank_edges(lender) + [f"{client}->{server}" for client, server in calls(lender)]


def calls(lender: LenderSpec) -> list[tuple[str, str]]:
    """(client, server) of each replica with each replica and bank that it calls."""
    counts = dict(lender.replicas)

    def named(role: str) -> list[str]:
        return [f"{role}-{number + 1}" for number in range(counts[role])]

    pairs = [(c, s) for other in CALLED for c in named("gateway") for s in named(other)]
    return pairs + [(c, bank) for role in PAYERS for c in named(role) for bank in banks(lender)]


NAMES: Mapping[str, Callable[[LenderSpec], list[str]]] = {
    "edge": edges,
    "replica": replicas,
    "service": lambda lender: [*replicas(lender), *banks(lender)],
    "role": lambda lender: [role for role, _ in lender.replicas],
    "bank": banks,
    "site": lambda _: ["a", "b"],
    "partner": lambda lender: [tier for tier, _ in lender.tier_shares if tier != OWN],
    "limited": lambda lender: [
        tier for tier, terms in lender.tier_terms if terms.hourly or terms.daily
    ],
    "tier": lambda lender: [tier for tier, _ in lender.tier_shares],
    "purpose": lambda _: list(PURPOSES),
    "rule_date": lambda lender: list(lender.law.dates),
    "account": lambda lender: [f"tier:{tier}" for tier, _ in lender.tier_shares],
}


def has(names: str, lender: LenderSpec, name: str) -> bool:
    """Does the lender have what is named so? Of an account's slices and of borrowers there are too
    many for a list."""
    if names == "account":
        return name.startswith("borrower:") or name.partition("/")[0] in NAMES[names](lender)
    return name in NAMES[names](lender)
