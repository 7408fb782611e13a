"""Faults of money: a tier's goes to the treasury for a while; debts are repaid in bulk."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from harness.faults import console
from harness.faults.fault import Healer, Sighting, Surroundings
from harness.faults.probes import answer

ASK_S = 0.4


@dataclass(slots=True)
class Money:
    """What a tier had before, how much of it was taken, and what it had before the heal, fen."""

    before_fen: int = 0
    taken_fen: int = 0
    low_fen: int | None = None


@dataclass(frozen=True, slots=True)
class TierDrained(console.Held):
    """A share of what a tier has goes to the treasury, and comes back as the heal."""

    tier: str
    share: float
    for_s: float | None
    name: str
    bites_within_s: float = 2.0
    look_s_max: float = 2 * ASK_S
    edge_or_replica: str = "gateway->ledger"
    money: Money = field(default_factory=Money, compare=False)

    @property
    def healer(self) -> Healer:
        return "nobody" if self.for_s is None else "nemesis"

    def wanted(self) -> Mapping[str, object]:
        return {"kind": "drain", "tier": self.tier, "share": self.share}

    def inject(self, around: Surroundings) -> None:
        body = {**self.wanted(), "lease_s": console.lease_s(self.for_s)}
        found = console.take(around, self.name, body)
        self.money.before_fen = int(found["had_fen"])
        self.money.taken_fen = int(found["taken_fen"])
        self.money.low_fen = None

    def heal(self, around: Surroundings) -> None:
        if self.for_s is not None:
            self.money.low_fen = self._available_fen(around)
        console.Held.heal(self, around)

    def observe(self, around: Surroundings) -> Sighting:
        """Is half of what was taken missing, by the word of the ledger? Draws go on meanwhile, so
        that what came back is seen against what there was just before."""
        at_ns = time.monotonic_ns()
        now_fen, money = self._available_fen(around), self.money
        if now_fen is None:
            return Sighting(at_ns, None, "no ledger answers")
        detail = f"{self.tier} has {now_fen} fen"
        if money.low_fen is not None:
            back = now_fen - money.low_fen >= money.taken_fen / 2
            return Sighting(at_ns, not back, f"{detail}, had {money.low_fen} before the heal")
        missing = money.taken_fen > 0 and money.before_fen - now_fen >= money.taken_fen / 2
        return Sighting(at_ns, missing, f"{detail}, had {money.before_fen}")

    def _available_fen(self, around: Surroundings) -> int | None:
        for replica in around.replicas("ledger"):
            said = answer(around.replica_address(replica), "GET", "/tiers", None, ASK_S)
            if said is not None and said[0] == 200:
                return int(said[1]["available_fen"][self.tier])
        return None


@dataclass(frozen=True, slots=True)
class MassRepayment(console.Held):
    """Whoever owes repays all of it, `rate_per_s` of them, one after the other, as on a day when
    instalments are collected."""

    rate_per_s: float
    for_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 3.0
    look_s_max: float = console.LOOK_S
    edge_or_replica: str = "ledger->database"

    def wanted(self) -> Mapping[str, object]:
        return {"kind": "repayments", "rate_per_s": self.rate_per_s}

    def observe(self, around: Surroundings) -> Sighting:
        """How many the ledger has taken, by a session of our own; nobody may owe anything yet."""
        at_ns = time.monotonic_ns()
        found = console.look(around, f"/repayments/{quote(self.name, safe='')}")
        if found is None:
            return Sighting(at_ns, None, "no answer about repayments")
        going_on = bool(found["held"])
        bites = going_on if found["repaid"] or not going_on else None
        state = "going on" if going_on else "ended"
        return Sighting(at_ns, bites, f"{state}: {found['repaid']} repayments were taken")
