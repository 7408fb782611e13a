"""The law as the lender reads it: the rules of its rules file, and whom each of them bars.

A rule bars the draws of its scope that are beyond its limit. Rules of tiers say where money may
come from; all others, who may have it and for what. When a rule begins is not said here: that is
the rule book's, whose entries name their rule.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from mock_lender.cluster.config import LawConfig, TierConfig

_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?) *(yuan|%)")
FEN, BASIS_POINTS = 100, 10_000


@dataclass(frozen=True, slots=True)
class Person:
    """What the register has of a borrower; nobody in particular by default."""

    group: str = ""
    limit_fen: int = 0
    flags: frozenset[str] = frozenset()


def register(path: Path) -> dict[int, Person]:
    """`borrower,group,limit_fen,student,unverified`, switches as 0 and 1."""
    words = {"student": "students", "unverified": "unverified"}
    with path.open(newline="") as rows:
        return {
            int(row["borrower"]): Person(
                row["group"],
                int(row["limit_fen"]),
                frozenset(flag for column, flag in words.items() if row[column] == "1"),
            )
            for row in csv.DictReader(rows)
        }


def fen_or_bp(said: object) -> int:
    """`200000 yuan` in fen; `24 %` or 0.24 in ten-thousandths."""
    found = _AMOUNT.fullmatch(str(said).strip())
    if found is None:
        return int(Decimal(str(said)) * BASIS_POINTS)
    return int(Decimal(found[1]) * (FEN if found[2] == "yuan" else BASIS_POINTS // 100))


class Law:
    """Rules by their id."""

    def __init__(self, config: LawConfig, tiers: Iterable[TierConfig]) -> None:
        text = Path(config.rules_yaml).read_text()
        self._rules: dict[str, dict[str, Any]] = {
            str(one["id"]): one for one in yaml.safe_load(text)["rules"]
        }
        self._costs_bp: Mapping[str, int] = config.all_in_cost_bp
        self._tiers = {tier.tier: tier for tier in tiers}

    def dated(self) -> dict[str, str]:
        """When each rule takes effect, `YYYY-MM-DD`."""
        return {name: str(one["effective_from"]) for name, one in self._rules.items()}

    def says(self, name: str) -> str:
        """A rule in words."""
        return str(self._rules[name]["says"]) if name in self._rules else name

    def bars(self, name: str, person: Person, amount_fen: int, purpose: str) -> bool:
        """Does a rule bar such a draw, whatever pays for it?"""
        rule = self._rules.get(name)
        if rule is None or rule["bars"] == "no draw" or self._of_tiers(rule):
            return False
        scope = rule["scope"] if isinstance(rule["scope"], dict) else {}
        inside = (
            purpose in scope.get("purposes", [purpose])
            and person.group in scope.get("groups", [person.group])
            and ("borrowers" not in scope or scope["borrowers"] in person.flags)
        )
        return inside and self._beyond(rule["bars"], person, amount_fen)

    def _beyond(self, limit: object, person: Person, amount_fen: int) -> bool:
        if not isinstance(limit, dict):
            return True
        ((what, said),) = limit.items()
        actual = {
            "draw_above": amount_fen,
            "line_above": person.limit_fen,
            "all_in_cost_above": self._costs_bp.get(person.group, 0),
        }[str(what)]
        return actual > self.bound(said)

    def bound(self, said: object) -> int:
        """A limit of the file in the lender's own units."""
        return fen_or_bp(said)

    def tiers(self, name: str) -> frozenset[str]:
        """The tiers that a rule bars."""
        rule = self._rules.get(name)
        if rule is None or rule["bars"] == "no draw" or not self._of_tiers(rule):
            return frozenset()
        scope = rule["scope"] if isinstance(rule["scope"], dict) else {}
        named = {tier for tier in scope.get("tiers", self._tiers) if tier in self._tiers}
        if isinstance(rule["bars"], dict):
            least_bp = self.bound(rule["bars"]["partner_share_below"])
            named = {tier for tier in named if self._too_little(self._tiers[tier].own_bp, least_bp)}
        return frozenset(named)

    def _too_little(self, own_bp: int, least_bp: int) -> bool:
        """Of a joint loan, which has a part of ours; without one the partner lends all of it."""
        return own_bp > 0 and BASIS_POINTS - own_bp < least_bp

    def _of_tiers(self, rule: Mapping[str, Any]) -> bool:
        scoped = isinstance(rule["scope"], dict) and "tiers" in rule["scope"]
        limit = rule["bars"]
        return scoped or (isinstance(limit, dict) and "partner_share_below" in limit)
