"""Faults by dated entries of the lender's rule book: policies of risk, rules of compliance, tiers
and banks that are not to be used.

They are entered at the console, as leases, and seen by questions of our own at the services that
decide.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.faults import console
from harness.faults.fault import Healer, Sighting, Surroundings
from harness.faults.probes import answer

ASK_S = 0.4
NOBODY = 0
ONE_PURPOSE = re.compile(r"business: rule_(?:in_force|adopted) ([a-z-]+)(?: #[0-9]+)?")


def purpose_barred(name: str) -> str | None:
    """The purpose that the fault of this name is about: it touches no draw for another."""
    found = ONE_PURPOSE.fullmatch(name)
    return None if found is None else found[1]


@dataclass(frozen=True, slots=True)
class BookFault(console.Held):
    """Entries of the rule book for a while, or for good (`for_s` None). Kinds say which entries,
    and look."""

    for_s: float | None
    name: str
    bites_within_s: float = 2.0
    look_s_max: float = 2 * ASK_S + 0.2

    @property
    def healer(self) -> Healer:
        return "nobody" if self.for_s is None else "nemesis"

    @property
    def entries(self) -> Sequence[Mapping[str, object]]:
        """As the console takes them."""
        raise NotImplementedError

    def wanted(self) -> Mapping[str, object]:
        return {"kind": "rules", "entries": list(self.entries)}


@dataclass(frozen=True, slots=True)
class RuleInForce(BookFault):
    """A rule against a purpose is law from now on; the lender obeys it `adopted_s` later, or never
    (None)."""

    purpose: str = ""
    adopted_s: float | None = 0.0
    announced: bool = False
    edge_or_replica: str = "gateway->compliance"

    @property
    def entries(self) -> Sequence[Mapping[str, object]]:
        return [
            {
                "kind": "compliance", "forbids": self.purpose, "in_force_s": 0.0,
                "adopted_s": self.adopted_s, "announced": self.announced,
            }
        ]  # fmt: skip

    def observe(self, around: Surroundings) -> Sighting:
        """The law is in the book for all to read; whether it is obeyed, each replica is asked."""
        at_ns = time.monotonic_ns()
        found = console.look(around, "/rules")
        if found is None:
            return Sighting(at_ns, None, "the book can't be read")
        obeyed = _forbidden(around, self.purpose)
        law = self.name in found["in_force"]
        late = self.adopted_s is None or self.adopted_s > 0
        bites = law if late or obeyed.bites == law else None
        state = "in force" if law else "no law"
        return Sighting(at_ns, bites, f"{self.purpose}: {state}; {obeyed.detail}")


@dataclass(frozen=True, slots=True)
class RuleAdopted(BookFault):
    """The lender obeys a rule against a purpose that is not in force."""

    purpose: str = ""
    announced: bool = False
    edge_or_replica: str = "gateway->compliance"

    @property
    def entries(self) -> Sequence[Mapping[str, object]]:
        return [
            {
                "kind": "compliance", "forbids": self.purpose, "in_force_s": None,
                "announced": self.announced,
            }
        ]  # fmt: skip

    def observe(self, around: Surroundings) -> Sighting:
        return _forbidden(around, self.purpose)


@dataclass(frozen=True, slots=True)
class TierOut(BookFault):
    """The lender draws nothing from a tier: its partner has said that it lends no more for now."""

    tier: str = ""
    edge_or_replica: str = "gateway->ledger"

    @property
    def entries(self) -> Sequence[Mapping[str, object]]:
        return [{"kind": "tier", "tier": self.tier}]

    def observe(self, around: Surroundings) -> Sighting:
        return by_all(around, "ledger", self._is_out, "have it out")

    def _is_out(self, where: tuple[str, int]) -> bool | None:
        said = answer(where, "GET", "/tiers", None, ASK_S)
        return None if said is None or said[0] != 200 else self.tier in said[1]["out"]


@dataclass(frozen=True, slots=True)
class Blackout(BookFault):
    """A bank's planned window: it takes no payouts. Announced, the lender draws nothing from its
    tier meanwhile; else it learns of it by being refused."""

    bank: str = ""
    announced: bool = True

    @property
    def edge_or_replica(self) -> str:
        return "gateway->ledger" if self.announced else f"gateway->{self.bank}"

    @property
    def entries(self) -> Sequence[Mapping[str, object]]:
        tier = self.bank.removeprefix("bank.")
        told = [{"kind": "tier", "tier": tier}] if self.announced else []
        return [{"kind": "window", "tier": tier}, *told]

    def observe(self, around: Surroundings) -> Sighting:
        """A payout of nothing to nobody: senseless to an open bank, and refused by a closed one."""
        return bank_shut(around, self.bank)


def bank_shut(around: Surroundings, bank: str) -> Sighting:
    """Does a bank refuse a payout of nothing, instead of not understanding it?"""
    at_ns = time.monotonic_ns()
    said = answer(around.replica_address(bank), "POST", "/payouts", {}, ASK_S)
    status = None if said is None else said[0]
    bites = {409: True, 422: False}.get(status) if status is not None else None
    return Sighting(at_ns, bites, f"{bank} answers {status or 'nothing'}")


def by_all(
    around: Surroundings,
    role: str,
    look: Callable[[tuple[str, int]], bool | None],
    what: str,
) -> Sighting:
    """It bites when all replicas of a role say so, and is gone when none does; one that does not
    answer is left out, as it decides nothing."""
    at_ns = time.monotonic_ns()
    said = [look(around.replica_address(replica)) for replica in around.replicas(role)]
    known = [one for one in said if one is not None]
    detail = f"{sum(known)} of {len(said)} {role} replicas {what}"
    if not known or any(known) != all(known):
        return Sighting(at_ns, None, detail)
    return Sighting(at_ns, all(known), detail)


def refuses(
    where: tuple[str, int], path: str, asked: Mapping[str, object], reason: str
) -> bool | None:
    """Is this refused for that reason? None: no answer."""
    said = answer(where, "POST", path, asked, ASK_S)
    if said is None or said[0] not in (200, 403):
        return None
    return said[0] == 403 and said[1].get("reason") == reason


def _forbidden(around: Surroundings, purpose: str) -> Sighting:
    asked = {"borrower": NOBODY, "purpose": purpose}
    return by_all(
        around,
        "compliance",
        lambda where: refuses(where, "/check", asked, "purpose-barred"),
        f"forbid {purpose}",
    )
