"""Faults of the business: a policy tightens, a rule comes into force, a tier is drained or out.

Nothing breaks here: the lender does what it was told, and borrowers are refused who had been
promised. Draws that crowd on one borrower are load: see `hot` in a scenario's journey.
"""

from harness.faults.console import RELEASED
from harness.faults.fault import Fault
from harness.faults.kind import DURATION, FaultKind, Kinds, Parameter, some_share, switch, text
from harness.faults.money import MassRepayment, TierDrained
from harness.faults.policies import PROBES, Stress, Tightening
from harness.faults.rules import Blackout, RuleAdopted, RuleInForce, TierOut
from harness.scenario.model import FaultSpec
from harness.units import parse_duration_s, parse_rate_per_s, parse_share, parse_yuan_fen

NEVER = "never"
RATE_MAX = 500.0
LEAD_S_MAX = 60.0


def _healer_text(more: str) -> str:
    return f"{RELEASED} {more}".strip()


def _tightening(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    return Tightening(
        spec.for_s,
        spec.name,
        above_fen=int(params["above_fen"]),
        share=float(params["share"]),
        cut=float(params["cut"]),
        announced=_on(spec, "announced"),
        lead_s=float(params["lead_s"]),
    )


def _stress(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    return Stress(
        spec.for_s,
        spec.name,
        level=float(params["level"]),
        announced=_on(spec, "announced"),
        lead_s=float(params["lead_s"]),
    )


def _rule_in_force(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    adopted = params["adopted_after_s"]
    return RuleInForce(
        spec.for_s,
        spec.name,
        purpose=str(params["target"]),
        adopted_s=None if adopted == NEVER else float(adopted),
        announced=_on(spec, "announced"),
    )


def _rule_adopted(spec: FaultSpec) -> Fault:
    purpose = str(dict(spec.params)["target"])
    return RuleAdopted(spec.for_s, spec.name, purpose=purpose, announced=_on(spec, "announced"))


def _tier_out(spec: FaultSpec) -> Fault:
    return TierOut(spec.for_s, spec.name, tier=str(dict(spec.params)["target"]))


def _blackout(spec: FaultSpec) -> Fault:
    bank = str(dict(spec.params)["target"])
    return Blackout(spec.for_s, spec.name, bank=bank, announced=_on(spec, "announced"))


def _drained(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    return TierDrained(str(params["target"]), float(params["share"]), spec.for_s, spec.name)


def _repayments(spec: FaultSpec) -> Fault:
    return MassRepayment(float(dict(spec.params)["rate_per_s"]), spec.for_s or 0.0, spec.name)


def _on(spec: FaultSpec, key: str) -> bool:
    return dict(spec.params)[key] == "on"


def some_rate(value: object) -> float:
    """Repayments a second. Raises ValueError."""
    rate_per_s = parse_rate_per_s(value)
    if not 0 < rate_per_s <= RATE_MAX:
        raise ValueError(f"a rate up to {RATE_MAX:g}/s")
    return rate_per_s


def after(value: object) -> float | str:
    """A duration, or never. Raises ValueError."""
    return NEVER if value == NEVER else parse_duration_s(value)


def _announced(default: str) -> Parameter:
    return Parameter(
        "announced", "announced", switch, "on: it was told before; off: it comes unannounced",
        default, required=False,
    )  # fmt: skip


def _share(default: float) -> Parameter:
    return Parameter("share", "share", some_share, "a share above 0 %", default, required=False)


def lead(value: object) -> float:
    """How long before its date an entry is in the book. Raises ValueError."""
    seconds = parse_duration_s(value)
    if seconds > LEAD_S_MAX:
        raise ValueError(f"a duration up to {LEAD_S_MAX:g}s")
    return seconds


def some_cut(value: object) -> float:
    """A share of the limits. Raises ValueError."""
    share = parse_share(value)
    if not 0 <= share < 1:
        raise ValueError("a share below 100 %; 0 % for none")
    return share


_LEAD = Parameter(
    "lead", "lead_s", lead, "a duration up to 1min: so long before its date it is in the book, "
    "where `early_warning` sees it", 0.0, required=False,
)  # fmt: skip
_PURPOSE = Parameter(
    "target", "target", text, "a purpose: consumption, education, medical or renovation",
    names="purpose", example="education",
)  # fmt: skip
_TIER = Parameter("target", "target", text, "a tier such as own", names="tier")
_OVER = "An entry of the rule book ends with its lease; without `for` it lasts as long as the run."
KINDS: Kinds = {
    ("business", "tightening"): FaultKind(
        (
            Parameter(
                "above", "above_fen", parse_yuan_fen, "an amount such as 1000 yuan", 100_000,
                required=False
            ),
            Parameter(
                "cut", "cut", some_cut, "a share of the limits that is cut, instead of `above`; "
                "0 % for none", 0.0, required=False
            ),
            _share(1.0),
            _announced("off"),
            _LEAD,
        ),
        for_key="optional",
        build=_tightening,
        does="A risk policy comes into force for the `share` of the borrowers with the lowest "
        "scores: draws above `above` are refused, or with `cut` their limits lose that much; what "
        "borrowers are shown stays. Announced, they get notice as it is entered; where there is "
        "`early_warning`, before its date. They are shown what is left once it is obeyed.",
        observed="Every risk replica says so of a stranger, who has no points: refuses one fen "
        "more than `above`, or leaves as much of the limit.",
        undone=_healer_text(_OVER),
        cannot="A share is one of those without arrears, by their scores in a calm market.",
        causes=("risk",),
    ),
    ("business", "stress"): FaultKind(
        (
            Parameter(
                "level", "level", some_share, "a share above 0 %: of the worst there is", 0.5,
                required=False
            ),
            _announced("off"),
            _LEAD,
        ),
        for_key="optional",
        build=_stress,
        does="The market is under stress: every score falls, most where most credit is in use, and "
        "risk refuses who has too few points left; at 25, 50, 75 and 100 % about 6, 20, 37 and "
        "52 % of the borrowers.",
        observed="Every risk replica refuses a stranger, who has no points, for the market; how "
        f"many of {PROBES} borrowers are refused is said.",
        undone=_healer_text(_OVER),
        cannot="Features stay as they are: nobody loses an income or misses a payment.",
        causes=("risk",),
    ),
    ("business", "rule_in_force"): FaultKind(
        (
            _PURPOSE,
            Parameter(
                "adopted_after", "adopted_after_s", after, f"{DURATION}, or never", 0.0,
                required=False,
            ),
            _announced("off"),
        ),
        for_key="optional",
        build=_rule_in_force,
        does="A rule against a purpose comes into force; the lender obeys it `adopted_after` "
        "later, and what it approves until then is unlawful.",
        observed="The book, open to all, has the rule in force; each compliance replica is asked "
        "whether it obeys.",
        undone=_healer_text(_OVER),
        cannot="Partners know the rule no sooner than the lender: none refuses for its sake.",
        causes=("compliance",),
    ),
    ("business", "rule_adopted"): FaultKind(
        (_PURPOSE, _announced("off")),
        for_key="optional",
        build=_rule_adopted,
        does="The lender obeys a rule against a purpose that is not in force: too early, or wrong.",
        observed="Every compliance replica forbids the purpose.",
        undone=_healer_text(_OVER),
        cannot="All replicas adopt at one moment; see the deploy family for half of them.",
        causes=("compliance",),
    ),
    ("business", "tier_out"): FaultKind(
        (_TIER,),
        for_key="optional",
        build=_tier_out,
        does="A tier's partner lends no more for now and has said so: the ledger draws nothing "
        "from it. What is under way is finished.",
        observed="Every ledger replica says that the tier is out.",
        undone=_healer_text(_OVER),
        cannot="The bank itself goes on to work; see blackout for one that does not.",
        causes=("liquidity",),
    ),
    ("business", "blackout"): FaultKind(
        (Parameter("target", "target", text, "a bank such as bank.own", names="bank"),
         _announced("on")),
        for_key="needed",
        build=_blackout,
        does="A bank's planned window: it refuses every payout for good, and still closes keys "
        "and tells of them. Announced, the ledger draws nothing from its tier meanwhile.",
        observed="The bank answers a payout of nothing as it does in a window, not as nonsense.",
        undone=_healer_text("The window ends with its lease."),
        cannot="The bank's connections stay as they are: see process: freeze and network: down. "
        "Exposure to an announced one counts every reservation, for each had one tier less.",
        causes=("liquidity", "system"),
    ),
    ("business", "tier_drained"): FaultKind(
        (_TIER, _share(1.0)),
        for_key="optional",
        build=_drained,
        does="`share` of what a tier has available goes to the treasury by postings; with `for` "
        "as much comes back then.",
        observed="The ledger says that the tier has less, by half of that at least.",
        undone=_healer_text("A posting back, once; without `for` the money stays away."),
        cannot="Money that draws hold already is not taken.",
        causes=("liquidity",),
    ),
    ("business", "mass_repayment"): FaultKind(
        (
            Parameter(
                "rate", "rate_per_s", some_rate, "a rate up to 500/s", 50.0, required=False
            ),
        ),
        for_key="needed",
        build=_repayments,
        does="Whoever owes repays all of it, `rate` borrowers, by the ledger's own function: load "
        "on its accounts, and quota comes back.",
        observed="A session of our own counts what the ledger has taken.",
        undone=_healer_text("It stops; what was repaid stays repaid."),
        cannot="Nobody asked at a gateway: repayments as borrowers make them are `repay` in a "
        "scenario's journey. Where nobody owes anything there is nothing to see.",
    ),
    ("business", "settlement_delay"): FaultKind(
        (_TIER, _share(0.5)),
        for_key="needed",
        build=_drained,
        does="`share` of a tier's money has not settled yet: it is missing now, and arrives after "
        "`for`. As tier_drained, to the treasury and back.",
        observed="The ledger says that the tier has less, by half of that at least.",
        undone=_healer_text("A posting back, once."),
        cannot="Payouts and repayments themselves settle at once: a payout that comes late is "
        "service: late.",
        causes=("liquidity",),
    ),
}  # fmt: skip
