"""The fault of the calendar: a date of the rules file begins, and what is dated so is law.

No one at the lender is asked. It knows the dates of a drill from t = 0, as anybody knows a
calendar; what it makes of them is its own.
"""

import datetime
import time
from collections.abc import Mapping
from dataclasses import dataclass

from harness.faults import console
from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import FaultKind, Kinds, Parameter, switch
from harness.faults.probes import answer
from harness.scenario.model import FaultSpec

ASK_S = 0.4


@dataclass(frozen=True, slots=True)
class DateBegins(console.Held):
    """The rules dated `date` are law from now on, for `for_s` or for good (None). partners_stop:
    partners that such a rule bars pay nothing from then on, whatever the lender asks."""

    date: str
    partners_stop: bool
    for_s: float | None
    name: str
    bites_within_s: float = 2.0
    look_s_max: float = 3 * ASK_S
    edge_or_replica: str = "gateway->compliance"

    @property
    def healer(self) -> Healer:
        return "nobody" if self.for_s is None else "nemesis"

    def wanted(self) -> Mapping[str, object]:
        return {"kind": "date", "date": self.date, "partners_stop": self.partners_stop}

    def observe(self, around: Surroundings) -> Sighting:
        """The law is in the book for all to read. Which of its rules each compliance replica obeys
        is asked too, and is the lender's affair."""
        at_ns = time.monotonic_ns()
        found = console.look(around, "/rules", ASK_S)
        if found is None:
            return Sighting(at_ns, None, "the book can't be read")
        law = f"date {self.date}" in found["in_force"]
        said = [
            answer(around.replica_address(one), "GET", "/rules", None, ASK_S)
            for one in around.replicas("compliance")[:2]
        ]
        obeyed = [", ".join(one[1]["obeyed"]) or "none" for one in said if one and one[0] == 200]
        state = "is law" if law else "is no law"
        return Sighting(at_ns, law, f"{self.date} {state}; obeyed: {' | '.join(obeyed)}")


def date_text(value: object) -> str:
    """A date, however YAML has read it. Raises ValueError."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if not isinstance(value, str) or not value:
        raise ValueError("a date such as 2025-10-01")
    return value


def _date_begins(spec: FaultSpec) -> Fault:
    params = dict(spec.params)
    return DateBegins(str(params["target"]), params["partners"] == "on", spec.for_s, spec.name)


KINDS: Kinds = {
    ("business", "rule_date"): FaultKind(
        (
            Parameter(
                "target", "target", date_text,
                "a date of lender.rules.file that is after lender.rules.today",
                names="rule_date",
            ),
            Parameter(
                "partners_stop", "partners", switch,
                "on: partners that its rules bar pay nothing from then on; off: they go on paying",
                "off", required=False,
            ),
        ),
        for_key="optional",
        build=_date_begins,
        does="A date of the scenario's rules file begins, and its rules are law: for good, or for "
        "`for`. The lender has known the date since t = 0; when it obeys follows from its "
        "protections and from `lender.rules.adoption`.",
        observed="The book, open to all, has the rules in force; which of them the compliance "
        "replicas obey is asked too.",
        undone=f"{console.RELEASED} Without `for` the rules are law as long as the run.",
        cannot="One date is one moment for everybody: no rule has a transition of its own, but for "
        "what another rule of the file says.",
        causes=("compliance",),
    ),
}  # fmt: skip
