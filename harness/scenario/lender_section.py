"""The `lender` section of a scenario."""

from harness.scenario.model import PROFILES, PROTECTIONS, Capacity, LenderSpec
from harness.scenario.nodes import Book, Node, fields, items, value
from harness.scenario.numbers import one_of, truth, whole
from harness.scenario.rules_section import rules
from harness.scenario.tiers_section import TIERS, calendar, forecast, joint, tiers
from harness.scenario.trace import Beside
from harness.units import parse_duration_s, parse_yuan_fen

ROLES = ("gateway", "risk", "compliance", "ledger")
# The lender's own list; a test keeps both in step.
DEFECTS = (
    "payout-twice-on-retry", "acknowledge-before-commit", "sweeper-voids-on-not-found",
    "lost-void", "forgotten-hold", "quota-race", "tier-oversell", "wrong-amount",
    "misread-amount", "stale-status", "so-far-for-certain",
    "refused-but-paid", "blames-risk", "key-reuse-accepted", "failover-that-forgets", "fencing-off",
    "replay-acknowledges-unflushed", "rule-forgotten", "rule-dated-late", "cap-in-wrong-unit",
    "limit-per-slice", "limit-forgotten", "partner-takes-too-little",
)  # fmt: skip
OPTIONAL = (
    "protections", "defects", "joint", "without_close", "standby_lost", "rules", "reserve",
    "judge_lost", "calendar", "forecast", "site_round_trip", "money_bound",
)  # fmt: skip
ROUND_TRIP_S_MAX = 1.0
STANDBY_LOST = ("degrade", "stop")
JUDGE_LOST = ("closed", "open")
CAPACITY = ("gateway_slots", "ledger_connections", "bank_slots", "bank_latency")


def lender(book: Book, node: Node | None, beside: Beside) -> LenderSpec:
    """profile, replicas, capacity, tiers; the rest is optional."""
    keys = ("profile", "replicas", "capacity", "tiers")
    found = fields(book, node, "lender", keys, OPTIONAL) if node else {}
    shares, terms = tiers(book, found.get("tiers"))
    days = calendar(book, found.get("calendar"), terms, found.get("tiers"))
    return LenderSpec(
        profile=value(book, found.get("profile"), "lender.profile", one_of(*PROFILES), "full", ""),
        protections=_protections(book, found.get("protections")),
        replicas=_replicas(book, found.get("replicas")),
        capacity=_capacity(book, found.get("capacity")),
        tier_shares=shares,
        joint_own=joint(book, found.get("joint"), ruled="rules" in found),
        tier_terms=terms,
        calendar=forecast(book, found.get("forecast"), days),
        without_close=tuple(
            value(book, item, path, one_of(*TIERS), TIERS[0], "")
            for path, item in items(
                book, found.get("without_close"), "lender.without_close", "tiers"
            )
        ),
        standby_lost=value(
            book,
            found.get("standby_lost"),
            "lender.standby_lost",
            one_of(*STANDBY_LOST),
            STANDBY_LOST[0],
            "",
        ),
        defects=tuple(
            value(book, item, path, one_of(*DEFECTS), DEFECTS[0], "")
            for path, item in items(book, found.get("defects"), "lender.defects", "defects")
        ),
        judge_lost=value(
            book, found.get("judge_lost"), "lender.judge_lost", one_of(*JUDGE_LOST), JUDGE_LOST[0],
            "",
        ),
        law=rules(book, found.get("rules"), beside, TIERS),
        reserve_fen=value(book, found.get("reserve"), "lender.reserve", parse_yuan_fen, 0, ""),
        site_round_trip_s=value(
            book, found.get("site_round_trip"), "lender.site_round_trip", _round_trip, 0.0, ""
        ),
        money_bound_fen=value(
            book, found.get("money_bound"), "lender.money_bound", parse_yuan_fen, 0, ""
        ),
    )  # fmt: skip


def _round_trip(text: object) -> float:
    seconds = parse_duration_s(text)
    if seconds > ROUND_TRIP_S_MAX:
        raise ValueError(f"a duration up to {ROUND_TRIP_S_MAX:g}s")
    return seconds


def _protections(book: Book, node: Node | None) -> tuple[tuple[str, bool], ...]:
    if node is None:
        return ()
    path = "lender.protections"
    found = fields(book, node, path, (), PROTECTIONS)
    return tuple(
        (name, value(book, child, f"{path}.{name}", truth, True, ""))
        for name, child in sorted(found.items())
    )


def _replicas(book: Book, node: Node | None) -> tuple[tuple[str, int], ...]:
    found = fields(book, node, "lender.replicas", ROLES) if node else {}
    return tuple(
        (role, value(book, found.get(role), f"lender.replicas.{role}", whole(1, 8), 2, ""))
        for role in ROLES
    )


def _capacity(book: Book, node: Node | None) -> Capacity:
    path = "lender.capacity"
    found = fields(book, node, path, CAPACITY, ("quota_latency", "status_latency")) if node else {}

    def latency(text: object) -> float:
        seconds = parse_duration_s(text)
        if seconds > 60:
            raise ValueError("a duration up to 1min")
        return seconds

    def count(key: str, most: int) -> int:
        return value(book, found.get(key), f"{path}.{key}", whole(1, most), 16, "")

    return Capacity(
        gateway_slots=count("gateway_slots", 4096),
        ledger_connections=count("ledger_connections", 64),
        bank_slots=count("bank_slots", 4096),
        bank_latency_s=value(
            book, found.get("bank_latency"), f"{path}.bank_latency", latency, 0.08, ""
        ),
        quota_latency_s=value(
            book, found.get("quota_latency"), f"{path}.quota_latency", latency, 0.0, ""
        ),
        status_latency_s=value(
            book, found.get("status_latency"), f"{path}.status_latency", latency, 0.0, ""
        ),
    )
