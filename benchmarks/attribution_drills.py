"""The labelled drills of attribution.py: faults, their lender, and what they break draws by."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCENARIO = Path(__file__).with_name("attribution.yaml")
# Of this hop the label is that of the bank of the draw's first try.
OF_ITS_TIER = "bank of its tier"


@dataclass(frozen=True, slots=True)
class Single:
    """One fault, or several that are the same to a draw; and what it breaks draws by."""

    faults: tuple[str, ...]
    cause: str
    hop: str
    profile: str = "none"
    more: tuple[str, ...] = ()


AT = "at: fault+1s, for: 5s"
PAYS_A = '"gateway->bank.partner-a"'
PAYS_OWN = '"gateway->bank.own"'


# A Chaos Toolkit experiment of three lines: stopped, and told to go on.
EXPERIMENT = (
    "experiment: {configuration: {pid: {type: env, key: DRAWPROOF_TARGET_PID}, url: {type: env,"
    " key: DRAWPROOF_TARGET_URL}}, steady-state-hypothesis: {title: it answers, probes: [{type:"
    ' probe, name: healthz, tolerance: 200, provider: {type: http, url: "${url}/healthz", timeout:'
    " 1}}]}, method: [{type: action, name: stop, provider: {type: process, path: kill, arguments:"
    ' ["-STOP", "${pid}"]}}], rollbacks: [{type: action, name: go on, provider: {type: process,'
    ' path: kill, arguments: ["-CONT", "${pid}"]}}]}'
)


def _both(fault: str) -> tuple[str, ...]:
    """On both replicas: what is refused at once by one is served by the other."""
    return tuple(f"{{{fault}-{number}, {AT}}}" for number in (1, 2))


SINGLES: Mapping[str, Single] = {
    "network: latency, naive": Single(
        (f"{{network: latency, edge: {PAYS_A}, latency: 3s, {AT}}}",),
        "system", "bank.partner-a", "naive",
    ),
    "network: latency": Single(
        (f"{{network: latency, edge: {PAYS_A}, latency: 3s, {AT}}}",), "system", "bank.partner-a"
    ),
    "network: down": Single(
        (f"{{network: down, edge: {PAYS_OWN}, {AT}}}",), "system", "bank.own"
    ),
    "network: timeout, full": Single(
        (f"{{network: timeout, edge: {PAYS_OWN}, {AT}}}",), "system", "bank.own", "full",
        ("lender.protections={tier_fallthrough: off}",),
    ),
    "process: freeze risk": Single(
        (f"{{process: freeze, target: risk-1, {AT}}}",), "system", "risk"
    ),
    "process: kill risk": Single(_both("process: kill, target: risk"), "system", "risk"),
    "process: freeze compliance": Single(
        (f"{{process: freeze, target: compliance-2, {AT}}}",), "system", "compliance"
    ),
    "process: freeze ledger": Single(
        (f"{{process: freeze, target: ledger-1, {AT}}}",), "system", "ledger"
    ),
    "process: freeze bank": Single(
        (f"{{process: freeze, target: bank.own, {AT}}}",), "system", "bank.own"
    ),
    "process: freeze gateway, naive": Single(
        (f"{{process: freeze, target: gateway-1, {AT}}}",), "system", "gateway", "naive"
    ),
    "process: kill gateways": Single(_both("process: kill, target: gateway"), "system", "gateway"),
    "service: error risk": Single(_both("service: error, target: risk"), "system", "risk"),
    "service: wrong answers of compliance": Single(
        _both("service: wrong_answer, target: compliance"), "system", "compliance"
    ),
    "service: slow compliance": Single(
        (f"{{service: slow, target: compliance-1, latency: 2s, {AT}}}",), "system", "compliance"
    ),
    "service: errors of ledgers": Single(
        _both("service: error, operation: reserve, target: ledger"), "system", "ledger"
    ),
    "service: late replies of a ledger": Single(
        (f"{{service: late_reply, target: ledger-1, operation: reserve, latency: 2s, {AT}}}",),
        "system", "ledger",
    ),
    "service: lost replies of a bank": Single(
        (f"{{service: lost_reply, target: bank.partner-a, silent: on, {AT}}}",),
        "system", "bank.partner-a",
    ),
    "service: less capacity": Single(
        _both("service: less_capacity, left: 5 %, target: gateway"), "system", "gateway"
    ),
    "deploy: errors": Single(
        (f"{{deploy: rollout, target: risk, every: 0s, {AT}}}",), "system", "risk"
    ),
    "database: primary frozen": Single(
        (f"{{database: freeze_primary, {AT}}}",), "system", "database"
    ),
    "database: row lock": Single(
        (f"{{database: row_lock, target: \"tier:own\", {AT}}}",), "system", "database"
    ),
    "business: tightening": Single(
        (f"{{business: tightening, above: 1000 yuan, {AT}}}",), "risk", "risk"
    ),
    "business: stress": Single((f"{{business: stress, level: 60 %, {AT}}}",), "risk", "risk"),
    "business: rule adopted": Single(
        (f"{{business: rule_adopted, target: education, {AT}}}",), "compliance", "compliance"
    ),
    "business: rule in force": Single(
        (f"{{business: rule_in_force, target: education, {AT}}}",), "compliance", "compliance"
    ),
    "business: tiers drained": Single(
        tuple(f"{{business: tier_drained, target: {t}, {AT}}}" for t in ("own", "partner-a")),
        "liquidity", "ledger",
    ),
    "business: tiers out, full": Single(
        tuple(f"{{business: tier_out, target: {t}, {AT}}}" for t in ("own", "partner-a")),
        "liquidity", "ledger", "full",
    ),
    "site: banks cut": Single((f"{{site: banks_cut, target: a, {AT}}}",), "system", OF_ITS_TIER),
    "toolkit: a stopped risk": Single(
        (f"{{toolkit: experiment, target: risk-2, {EXPERIMENT}, limit: 4s, {AT}}}",),
        "system",
        "risk",
    ),
    # The whole lender: breakers refuse, deadlines cut short, draws fall through to the other tier.
    "process: freeze risks, full": Single(
        _both("process: freeze, target: risk"), "system", "risk", "full"
    ),
    "process: freeze gateways, full": Single(
        _both("process: freeze, target: gateway"), "system", "gateway", "full"
    ),
    "service: slow ledgers, full": Single(
        _both("service: slow, latency: 2s, target: ledger"), "system", "ledger", "full"
    ),
    "network: both banks down, full": Single(
        tuple(f"{{network: down, edge: {edge}, {AT}}}" for edge in (PAYS_A, PAYS_OWN)),
        "system", OF_ITS_TIER, "full",
    ),
    "database: no connections, full": Single(
        (f"{{database: connections_exhausted, {AT}}}",), "system", "database", "full"
    ),
}  # fmt: skip

# Two at once, on disjoint borrowers or tiers: whose a broken draw is follows from the two alone.
PAIRS: Mapping[str, tuple[str, str]] = {
    "risk tightens, and a bank is down": ("business: tightening", "network: down"),
    "a bank is down, the other slow": ("network: down", "network: latency"),
    "a rule, and a frozen risk": ("business: rule adopted", "process: freeze risk"),
    "the market, and wrong answers": ("business: stress", "service: wrong answers of compliance"),
}
CONTROLS = ("none", "naive", "full")


def arguments(names: tuple[str, ...], profile: str, seed: int) -> list[str]:
    """The arguments of `drawproof run`, for the faults of these drills at once."""
    faults = [fault for name in names for fault in SINGLES[name].faults]
    more = [change for name in names for change in SINGLES[name].more]
    changes = [f"seed={seed}", f"lender.profile={profile}", f"faults=[{', '.join(faults)}]", *more]
    words = [word for change in changes for word in ("--set", change)]
    allowed = ["--allow-exec"] if any("toolkit:" in fault for fault in faults) else []
    return [str(SCENARIO), *words, *allowed]
