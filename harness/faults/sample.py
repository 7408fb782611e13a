"""One valid fault of every kind, from its parameters' own examples and defaults: what docs show and
the table of all faults injects. A new kind is in it without a line here."""

from harness.errors import HarnessError
from harness.faults.catalogue import CATALOGUE, fault_name
from harness.faults.kind import Parameter, Value
from harness.faults.names import NAMES, bank_edges
from harness.scenario.law import LawSpec, Rule
from harness.scenario.model import Capacity, FaultSpec, LenderSpec
from harness.scenario.terms import Amount, TierTerms

# One rule whose date has not come, so that one may.
RULES = """
rules:
  - id: no_education
    says: no draws for education
    effective_from: 2031-01-01
    scope: {purposes: [education]}
    bars: every draw
    source: an example
"""
LAW = LawSpec(
    (Rule("no_education", "no draws for education", "2031-01-01", "an example", "every draw",
          purposes=("education",)),),
    today="2030-12-31", text=RULES,
)  # fmt: skip
# The lender of `drawproof lender up`, whose names the examples use.
LENDER = LenderSpec(
    profile="full",
    protections=(),
    replicas=(("gateway", 2), ("risk", 2), ("compliance", 2), ("ledger", 2)),
    capacity=Capacity(gateway_slots=16, ledger_connections=16, bank_slots=40, bank_latency_s=0.08),
    tier_shares=(("own", 0.5), ("partner-a", 0.5)),
    joint_own=(),
    without_close=(),
    standby_lost="degrade",
    defects=(),
    law=LAW,
    # A limit that nobody comes near, for the fault that cuts one.
    tier_terms=(("partner-a", TierTerms(hourly=Amount(fen=10**12))),),
)


def sample_spec(
    family: str,
    kind: str,
    lender: LenderSpec,
    *,
    at_s: float = 0.0,
    for_s: float | None = None,
) -> FaultSpec:
    """A spec as the loader would make it, healed after `for_s`, unless given as in the kind's
    example, where the kind has a heal.

    Raises HarnessError for a parameter that gives neither default, example nor names.
    """
    known = CATALOGUE[family, kind]
    params = {p.param: sample_value(p, lender, f"{family}: {kind}") for p in known.parameters}
    return FaultSpec(
        name=fault_name(family, kind, params),
        family=family,
        kind=kind,
        at_s=at_s,
        for_s=None if known.for_key == "none" else known.sample_for_s if for_s is None else for_s,
        params=tuple(sorted(params.items())),
    )


def sample_value(parameter: Parameter, lender: LenderSpec, whose: str) -> Value:
    """The example, else the default, else the first such name that the lender has."""
    if parameter.example is not None:
        return parameter.parse(parameter.example)
    if parameter.default is not None:
        return parameter.default
    if parameter.names:
        return NAMES[parameter.names](lender)[0]
    if not parameter.required:
        return ""
    raise HarnessError(f"{whose}: give the parameter {parameter.key} an example")


def sample_edges(lender: LenderSpec) -> tuple[str, ...]:
    """Every edge that the sample of any kind needs to lead through the proxy, in order of name."""
    named = set(bank_edges(lender))
    for (family, kind), known in CATALOGUE.items():
        if known.edges is not None:
            named.update(known.edges(sample_spec(family, kind, lender), lender))
    return tuple(sorted(named))
