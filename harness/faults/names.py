"""What of a lender a fault's parameter may name: a new sort of name is one line here."""

from collections.abc import Callable, Mapping

from harness.scenario.model import PURPOSES, LenderSpec


def banks(lender: LenderSpec) -> list[str]:
    """Each tier is paid out by a bank of its own name."""
    return [f"bank.{tier}" for tier, _ in lender.tier_shares]


def replicas(lender: LenderSpec) -> list[str]:
    """`gateway-1`, `gateway-2`, ..."""
    return [f"{role}-{number + 1}" for role, count in lender.replicas for number in range(count)]


def edges(lender: LenderSpec) -> list[str]:
    """Who calls a bank: the gateway to pay out, the ledger to close."""
    return [f"{role}->{bank}" for role in ("gateway", "ledger") for bank in banks(lender)]


NAMES: Mapping[str, Callable[[LenderSpec], list[str]]] = {
    "edge": edges,
    "replica": replicas,
    "service": lambda lender: [*replicas(lender), *banks(lender)],
    "role": lambda lender: [role for role, _ in lender.replicas],
    "bank": banks,
    "site": lambda _: ["a", "b"],
    "tier": lambda lender: [tier for tier, _ in lender.tier_shares],
    "purpose": lambda _: list(PURPOSES),
    "account": lambda lender: [f"tier:{tier}" for tier, _ in lender.tier_shares],
}


def has(names: str, lender: LenderSpec, name: str) -> bool:
    """Does the lender have what is named so? Of an account's slices and of borrowers there are too
    many for a list."""
    if names == "account":
        return name.startswith("borrower:") or name.partition("/")[0] in NAMES[names](lender)
    return name in NAMES[names](lender)
