"""The sources of funds in a scenario: `lender.tiers`, `lender.calendar`, `lender.forecast` and
`lender.joint`.
"""

import re
from dataclasses import replace

from harness.scenario.nodes import Book, Node, fields, form_of, value
from harness.scenario.numbers import whole
from harness.scenario.terms import Amount, Calendar, TierTerms
from harness.units import parse_duration_s, parse_share, parse_yuan_fen

OWN = "own"
TIERS = (OWN, "partner-a", "partner-b", "partner-c", "partner-d")
TERMS = ("balance", "hourly", "daily", "parts")
DATED = ("hourly", "daily")
# Joint lending: the partner's funds are at least 30 % of each loan, in force since 2022-01-01.
PARTNER_SHARE_MIN = 0.3
_PERCENT = re.compile(r"\s*(\d{1,4}(?:\.\d+)?)\s*%\s*")


def amount(text: object) -> Amount:
    """`60 %` of what is planned to be drawn, or `500000 yuan`. Raises ValueError."""
    found = _PERCENT.fullmatch(text) if isinstance(text, str) else None
    if found is not None:
        return Amount(of_demand=float(found[1]) / 100)
    try:
        return Amount(fen=parse_yuan_fen(text))
    except ValueError:
        raise ValueError(
            "a share of all that is planned to be drawn, such as 60 %, or an amount such as "
            "500000 yuan"
        ) from None


def tiers(
    book: Book, node: Node | None
) -> tuple[tuple[tuple[str, float], ...], tuple[tuple[str, TierTerms], ...]]:
    """Shares of the draws, and the terms of those tiers that have any."""
    path = "lender.tiers"
    if node is None:
        return (), ()
    shares, terms = [], []
    for tier, child in fields(book, node, path, (OWN,), TIERS[1:]).items():
        where = f"{path}.{tier}"
        if form_of(child) != "mapping":
            shares.append((tier, value(book, child, where, parse_share, 0.0, "")))
            continue
        found = fields(book, child, where, ("share",), TERMS)
        share = value(book, found.get("share"), f"{where}.share", parse_share, 0.0, "")
        shares.append((tier, share))
        if len(found) > 1:
            terms.append((tier, _terms(book, found, where)))
    total = sum(share for _, share in shares)
    if shares and abs(total - 1) > 1e-6:
        book.add(node, path, f"{total:.0%} together", "shares that are 100 % together")
    return tuple(shares), tuple(terms)


def _terms(book: Book, found: dict[str, Node], where: str) -> TierTerms:
    def money(key: str) -> Amount | None:
        return value(book, found.get(key), f"{where}.{key}", amount, None, "")

    return TierTerms(
        balance=money("balance"),
        hourly=money("hourly"),
        daily=money("daily"),
        parts=value(book, found.get("parts"), f"{where}.parts", whole(1, 64), 8, ""),
    )


def calendar(
    book: Book, node: Node | None, terms: tuple[tuple[str, TierTerms], ...], at: Node | None
) -> Calendar:
    """`{hour: 4s, hours: 12}`: how long an hour of the limits is, and how many are a day. Without
    it they are those of the clock, and whoever has a limit must say what is meant. at: where the
    tiers are."""
    if node is None:
        dated = [f"{tier}.{key}" for tier, one in terms for key in DATED if getattr(one, key)]
        if dated and at is not None:
            book.add(
                at, "lender.calendar", f"nothing, with lender.tiers.{dated[0]}",
                "{hour: 4s, hours: 12}: how long an hour is in this drill, and how many are a day",
            )  # fmt: skip
        return Calendar()
    path = "lender.calendar"
    found = fields(book, node, path, ("hour",), ("hours",))

    def hour(text: object) -> float:
        seconds = parse_duration_s(text)
        if not 1 <= seconds <= 3600:
            raise ValueError("a duration from 1s to 1h")
        return seconds

    return Calendar(
        hour_s=value(book, found.get("hour"), f"{path}.hour", hour, 3600.0, ""),
        day_hours=value(book, found.get("hours"), f"{path}.hours", whole(1, 24), 24, ""),
    )


def forecast(book: Book, node: Node | None, calendar: Calendar) -> Calendar:
    """The same calendar, with what the lender expects of each hour: a share of what the load's
    shape says."""

    def parse(text: object) -> float:
        share = amount(text).of_demand
        if share is None or not 0 < share <= 10:
            raise ValueError("a share of what the shape says, such as 90 %, up to 1000 %")
        return share

    return replace(calendar, forecast=value(book, node, "lender.forecast", parse, 1.0, ""))


def joint(book: Book, node: Node | None, *, ruled: bool) -> tuple[tuple[str, float], ...]:
    """Joint lending: the own share of a partner's draws. ruled: there is a rules file, whose dated
    rules say what part the partner must have."""
    found = fields(book, node, "lender.joint", (), TIERS[1:]) if node else {}

    def own_share(text: object) -> float:
        share = parse_share(text)
        if ruled and 0 < share < 1:
            return share
        if not 0 < share <= 1 - PARTNER_SHARE_MIN:
            raise ValueError(
                f"a share above 0 %, up to {1 - PARTNER_SHARE_MIN:.0%}: by law the partner's funds "
                f"are at least {PARTNER_SHARE_MIN:.0%} of each joint loan"
            )
        return share

    return tuple(
        (tier, value(book, child, f"lender.joint.{tier}", own_share, 0.3, ""))
        for tier, child in found.items()
    )
