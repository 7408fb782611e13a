"""Spoilt readings of the law."""

from collections.abc import Mapping
from typing import Any

from mock_lender.context import ServiceContext
from mock_lender.law import FEN, Law, Person

# As for somebody who reads a local date as one of another time zone.
LATE_S = 3600.0


def law_of(ctx: ServiceContext) -> Law | None:
    """The law as this lender's compliance replicas have it; None without a rules file."""
    if ctx.config.law is None:
        return None
    chosen = tuple(law for name, law in LAWS.items() if name in ctx.config.defects)
    kind: type[Law] = type("SpoiltLaw", chosen, {}) if chosen else Law
    return kind(ctx.config.law, ctx.config.tiers)


def late_s(defects: tuple[str, ...]) -> float:
    """By how much this lender dates a rule's adoption wrongly."""
    return LATE_S if "rule-dated-late" in defects else 0.0


class RuleForgotten(Law):
    """The last rule of the file never came to those who decide. Rule nothing-wrongly-approved."""

    def _forgotten(self, name: str) -> bool:
        return name == list(self._rules)[-1]

    def bars(self, name: str, person: Person, amount_fen: int, purpose: str) -> bool:
        return not self._forgotten(name) and super().bars(name, person, amount_fen, purpose)

    def tiers(self, name: str) -> frozenset[str]:
        return frozenset() if self._forgotten(name) else super().tiers(name)


class CapInWrongUnit(Law):
    """Amounts of the file, which are yuan, are taken for fen: what it allows is refused in its
    name. Rule cause-true."""

    def _beyond(self, limit: object, person: Person, amount_fen: int) -> bool:
        in_yuan = isinstance(limit, dict) and "yuan" in str(next(iter(limit.values())))
        return super()._beyond(_divided(limit) if in_yuan else limit, person, amount_fen)


def _divided(limit: Any) -> Mapping[str, str]:
    ((what, said),) = limit.items()
    number = float(str(said).removesuffix("yuan")) / FEN
    return {str(what): f"{number:.2f} yuan"}


LAWS: dict[str, type[Law]] = {
    "rule-forgotten": RuleForgotten,
    "cap-in-wrong-unit": CapInWrongUnit,
}
