"""Faults of the partners who lend with us: one walks away, one lends less in an hour or a day."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from harness.faults import console
from harness.faults.console import RELEASED
from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import DURATION, FaultKind, Kinds, Parameter, one_of, text
from harness.faults.rules import BookFault, bank_shut
from harness.scenario.model import FaultSpec, LenderSpec
from harness.units import parse_duration_s, parse_share

CANCEL, FINISH = "cancel", "finish"
LIMITS = ("hourly", "daily")


@dataclass(frozen=True, slots=True)
class PartnerWalks(BookFault):
    """A partner is off the list: its bank pays nothing any more, and the ledger hears of it
    `told_after_s` later. `cancel`: nor does the bank end the payouts that it is at."""

    tier: str = ""
    told_after_s: float = 0.0
    in_flight: str = CANCEL
    # Where most of it is felt, for as long as it lasts: a draw has one tier less.
    edge_or_replica: str = "gateway->ledger"

    @property
    def entries(self) -> Sequence[Mapping[str, object]]:
        shut = "gone" if self.in_flight == CANCEL else "window"
        return [
            {"kind": shut, "tier": self.tier},
            {"kind": "tier", "tier": self.tier, "adopted_s": self.told_after_s},
        ]

    def observe(self, around: Surroundings) -> Sighting:
        """A payout of nothing to nobody: senseless to an open bank, and refused by this one."""
        return bank_shut(around, f"bank.{self.tier}")


@dataclass(slots=True)
class Limit:
    """What the limit was before it was cut, and what it is meanwhile, fen."""

    was_fen: int = 0
    now_fen: int = 0


@dataclass(frozen=True, slots=True)
class LimitCut(console.Held):
    """What may be drawn from a tier in an hour, or a day, is a share of what was agreed."""

    tier: str
    limit: str
    to: float
    for_s: float | None
    name: str
    bites_within_s: float = 2.0
    look_s_max: float = console.LOOK_S
    edge_or_replica: str = "gateway->ledger"
    found: Limit = field(default_factory=Limit, compare=False)

    @property
    def healer(self) -> Healer:
        return "nobody" if self.for_s is None else "nemesis"

    def wanted(self) -> Mapping[str, object]:
        return {"kind": "limits", "tier": self.tier, "limit": self.limit, "to": self.to}

    def inject(self, around: Surroundings) -> None:
        body = {**self.wanted(), "lease_s": console.lease_s(self.for_s)}
        found = console.take(around, self.name, body)
        self.found.was_fen, self.found.now_fen = int(found["was_fen"]), int(found["now_fen"])

    def observe(self, around: Surroundings) -> Sighting:
        """By a session of our own: what does the ledger's database have as the limit?"""
        at_ns = time.monotonic_ns()
        said = console.look(around, f"/limits/{quote(self.tier)}")
        if said is None:
            return Sighting(at_ns, None, "no answer about limits")
        has_fen = said[f"{self.limit}_fen"]
        cut = self.found.was_fen > 0 and has_fen == self.found.now_fen
        return Sighting(at_ns, cut, f"{self.tier}: {self.limit} limit {has_fen} fen")


def _walks(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    return PartnerWalks(
        spec.for_s,
        spec.name,
        tier=str(params["target"]),
        told_after_s=float(params["told_after_s"]),
        in_flight=str(params["in_flight"]),
    )


def _cut(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    tier, limit, to = str(params["target"]), str(params["limit"]), float(params["to"])
    return LimitCut(tier, limit, to, spec.for_s, spec.name)


def _none_to_cut(spec: FaultSpec, lender: LenderSpec) -> str:
    params = dict(spec.params)
    tier, limit = str(params["target"]), str(params["limit"])
    terms = dict(lender.tier_terms).get(tier)
    if terms is None or (terms.hourly if limit == "hourly" else terms.daily) is not None:
        return ""
    return f"{tier} has no {limit} limit: lender.tiers.{tier}.{limit} gives it one, else it fails"


def part_left(value: object) -> float:
    """A share below all, nothing too. Raises ValueError."""
    share = parse_share(value)
    if share >= 1:
        raise ValueError("a share below 100 %, 0 % too")
    return share


KINDS: Kinds = {
    ("business", "partner_walks"): FaultKind(
        (
            Parameter("target", "target", text, "a partner such as partner-a", names="partner"),
            Parameter(
                "told_after", "told_after_s", parse_duration_s, DURATION, 1.0, required=False
            ),
            Parameter(
                "in_flight", "in_flight", one_of(CANCEL, FINISH), f"{CANCEL} or {FINISH}", CANCEL,
                required=False,
            ),
        ),
        for_key="optional",
        build=_walks,
        does="A partner lends no more, from one moment to the next: its bank refuses every payout "
        "for good, and with `in_flight: cancel` also those that it is at; with `finish` it ends "
        "them. The ledger hears of it `told_after` later and draws nothing from the tier then.",
        observed="The bank answers a payout of nothing as it does in a window, not as nonsense.",
        undone=f"{RELEASED} Without `for` the partner stays away as long as the run lasts.",
        cannot="The bank still closes keys and tells of them: a partner whose computers are gone "
        "as well is process: kill. Exposure counts every reservation, for each had one tier less.",
        causes=("liquidity", "system"),
    ),
    ("business", "limit_cut"): FaultKind(
        (
            Parameter(
                "target", "target", text, "a tier with limits such as partner-a", names="limited"
            ),
            Parameter(
                "limit", "limit", one_of(*LIMITS), "hourly or daily", LIMITS[0], required=False
            ),
            Parameter("to", "to", part_left, "a share below 100 %", 0.0, required=False),
        ),
        for_key="optional",
        build=_cut,
        warns=_none_to_cut,
        does="A partner lends less by the hour or by the day: `to` of the limit is left, from this "
        "moment on. What was drawn already counts; where that is more, nothing more is drawn.",
        observed="A session of our own reads the limit in the ledger's database.",
        undone=f"{RELEASED} The limit is what it was; without `for` it stays cut.",
        cannot="Money that draws hold already is paid. Only a limit that the scenario gives the "
        "tier can be cut.",
        causes=("liquidity",),
    ),
}  # fmt: skip
