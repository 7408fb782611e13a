"""The law of a drill as values: the rules of its rules file, who and what each bars, and from when.

The harness' own reading, by which plans and verdicts go. The lender reads the same file by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

# What may be known of a borrower, as the rules file calls it, and the column of `population`.
FLAGS: Mapping[str, str] = {"students": "student", "unverified": "unverified"}
Limit = Literal[
    "every draw", "no draw", "draw_above", "line_above", "partner_share_below", "all_in_cost_above"
]
# The fault that lets a date of the file begin.
DATE_BEGINS = ("business", "rule_date")
# The one that makes a rule law that no file has.
RULE_BEGINS = ("business", "rule_in_force")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. It bars the draws of its scope that are beyond its limit.

    effective_from: `YYYY-MM-DD`. Scope: draws for `purposes`, by borrowers of `groups` and with the
    flag `borrowers` (a key of FLAGS), from `tiers`; empty: any. limit: what of them is barred:
    every draw, none, or those beyond `bound` (fen; for shares and costs ten-thousandths).
    """

    name: str
    says: str
    effective_from: str
    source: str
    limit: Limit
    bound: int = 0
    purposes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    borrowers: str = ""
    tiers: tuple[str, ...] = ()

    @property
    def of_tiers(self) -> bool:
        """Does it say where money may come from, and not who may have it?"""
        return bool(self.tiers) or self.limit == "partner_share_below"


@dataclass(frozen=True, slots=True)
class LawSpec:
    """The rules file of a scenario. text: as it was read. today: dates up to it had begun before
    the drill. adoption_s: how long the lender takes to obey a rule once it has begun to adopt it.
    all_in_cost_bp: what a draw costs a year, all in, ten-thousandths, by the borrower's group."""

    rules: tuple[Rule, ...] = ()
    today: str = ""
    adoption_s: float = 0.0
    all_in_cost_bp: tuple[tuple[str, int], ...] = ()
    text: str = field(default="", repr=False)

    @property
    def dates(self) -> tuple[str, ...]:
        """Those that may begin in the drill, in order."""
        return tuple(sorted({one.effective_from for one in self.rules if not self.begun(one)}))

    def begun(self, rule: Rule) -> bool:
        """Was it in force before the drill?"""
        return rule.effective_from <= self.today


class Wanted(Protocol):
    """What a rule must know of a draw."""

    @property
    def amount_fen(self) -> int: ...
    @property
    def purpose(self) -> str: ...


class Person(Protocol):
    """What a rule must know of a borrower. Flags that nobody planned are null."""

    @property
    def group(self) -> str: ...
    @property
    def limit_fen(self) -> int: ...
    @property
    def student(self) -> bool | None: ...
    @property
    def unverified(self) -> bool | None: ...


def bars_draw(law: LawSpec, rule: Rule, draw: Wanted, person: Person) -> bool:
    """Does a rule, when it is in force, bar this draw, wherever the money comes from?"""
    if rule.of_tiers or rule.limit == "no draw":
        return False
    if rule.purposes and draw.purpose not in rule.purposes:
        return False
    if rule.groups and person.group not in rule.groups:
        return False
    if rule.borrowers and not getattr(person, FLAGS[rule.borrowers]):
        return False
    if rule.limit == "draw_above":
        return draw.amount_fen > rule.bound
    if rule.limit == "line_above":
        return person.limit_fen > rule.bound
    if rule.limit == "all_in_cost_above":
        return dict(law.all_in_cost_bp).get(person.group, 0) > rule.bound
    return True


def dear_groups(law: LawSpec, rule: Rule) -> tuple[str, ...]:
    """Groups whose draws cost more than a rule allows."""
    return tuple(group for group, cost_bp in law.all_in_cost_bp if cost_bp > rule.bound)


def barred_tiers(rule: Rule, own_bp: Mapping[str, int]) -> frozenset[str]:
    """The tiers that a rule bars. own_bp: of each tier, which part of its draws is the lender's
    own money, ten-thousandths; 0 where it lends alone, which is no joint loan."""
    if not rule.of_tiers:
        return frozenset()
    mine = set(rule.tiers) or set(own_bp)
    if rule.limit == "partner_share_below":
        mine = {tier for tier in mine if own_bp.get(tier, 0) > 0 and
                10_000 - own_bp[tier] < rule.bound}  # fmt: skip
    elif rule.limit != "every draw":
        mine = set()
    return frozenset(mine & set(own_bp))


class Begins(Protocol):
    """A planned fault, as far as it may let a date begin."""

    @property
    def family(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def at_s(self) -> float: ...
    @property
    def params(self) -> Sequence[tuple[str, float | int | str]]: ...


def begin_s(faults: Iterable[Begins]) -> dict[str, float]:
    """Which dates begin in the drill, and when, seconds from t = 0."""
    return {
        str(dict(one.params)["target"]): one.at_s
        for one in faults
        if (one.family, one.kind) == DATE_BEGINS
    }


def in_force_ns(
    law: LawSpec, faults: Iterable[Begins], t0_ns: int
) -> Sequence[tuple[Rule, int | None]]:
    """Each rule that is law at some time of the drill, and from when; None: from before it."""
    begin = begin_s(faults)
    found: list[tuple[Rule, int | None]] = []
    for rule in law.rules:
        if law.begun(rule):
            found.append((rule, None))
        elif rule.effective_from in begin:
            found.append((rule, t0_ns + round(begin[rule.effective_from] * 1e9)))
    return found
