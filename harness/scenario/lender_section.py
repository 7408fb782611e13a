"""The `lender` section of a scenario."""

from harness.scenario.model import PROFILES, PROTECTIONS, Capacity, LenderSpec
from harness.scenario.nodes import Book, Node, fields, items, value
from harness.scenario.numbers import one_of, truth, whole
from harness.units import parse_duration_s, parse_share, parse_yuan_fen

ROLES = ("gateway", "risk", "compliance", "ledger")
# The lender's own list; a test keeps both in step.
DEFECTS = (
    "payout-twice-on-retry", "acknowledge-before-commit", "sweeper-voids-on-not-found",
    "lost-void", "forgotten-hold", "quota-race", "tier-oversell", "wrong-amount",
    "misread-amount", "stale-status",
    "refused-but-paid", "blames-risk", "key-reuse-accepted", "failover-that-forgets", "fencing-off",
    "replay-acknowledges-unflushed",
)  # fmt: skip
OPTIONAL = (
    "protections", "defects", "joint", "without_close", "standby_lost", "site_round_trip",
    "money_bound",
)  # fmt: skip
ROUND_TRIP_S_MAX = 1.0
STANDBY_LOST = ("degrade", "stop")
CAPACITY = ("gateway_slots", "ledger_connections", "bank_slots", "bank_latency")
TIERS = ("own", "partner-a")


def lender(book: Book, node: Node | None) -> LenderSpec:
    """profile, replicas, capacity, tiers; the rest is optional."""
    keys = ("profile", "replicas", "capacity", "tiers")
    found = fields(book, node, "lender", keys, OPTIONAL) if node else {}
    return LenderSpec(
        profile=value(book, found.get("profile"), "lender.profile", one_of(*PROFILES), "full", ""),
        protections=_protections(book, found.get("protections")),
        replicas=_replicas(book, found.get("replicas")),
        capacity=_capacity(book, found.get("capacity")),
        tier_shares=_tiers(book, found.get("tiers")),
        joint_own=_joint(book, found.get("joint")),
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
        site_round_trip_s=value(
            book, found.get("site_round_trip"), "lender.site_round_trip", _round_trip, 0.0, ""
        ),
        money_bound_fen=value(
            book, found.get("money_bound"), "lender.money_bound", parse_yuan_fen, 0, ""
        ),
    )


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
    found = fields(book, node, path, CAPACITY) if node else {}

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
    )


def _joint(book: Book, node: Node | None) -> tuple[tuple[str, float], ...]:
    """Joint lending: the own share of a partner's draws, below 100 %."""
    found = fields(book, node, "lender.joint", (), TIERS[1:]) if node else {}

    def own_share(text: object) -> float:
        share = parse_share(text)
        if not 0 < share < 1:
            raise ValueError("a share above 0 % and below 100 %")
        return share

    return tuple(
        (tier, value(book, child, f"lender.joint.{tier}", own_share, 0.3, ""))
        for tier, child in found.items()
    )


def _tiers(book: Book, node: Node | None) -> tuple[tuple[str, float], ...]:
    path = "lender.tiers"
    if node is None:
        return ()
    found = fields(book, node, path, ("own",), TIERS[1:])
    shares = tuple(
        (tier, value(book, child, f"{path}.{tier}", parse_share, 0.0, ""))
        for tier, child in found.items()
    )
    total = sum(share for _, share in shares)
    if found and abs(total - 1) > 1e-6:
        book.add(node, path, f"{total:.0%} together", "shares that are 100 % together")
    return shares
