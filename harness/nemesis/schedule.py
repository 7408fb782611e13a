"""When each fault is injected and healed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.clock import NS_PER_S
from harness.faults.fault import Fault

Planned = tuple[Fault, float, float | None]


@dataclass(frozen=True, slots=True)
class Step:
    """At `at_ns` inject or heal a fault; `number` is its place in the scenario."""

    at_ns: int
    action: Literal["inject", "heal"]
    number: int


def schedule(faults: Sequence[Planned], t0_ns: int) -> tuple[Step, ...]:
    """Steps in order of time; at the same moment heals come first, then the scenario's order."""
    steps = []
    for number, (_, at_s, for_s) in enumerate(faults):
        at_ns = t0_ns + round(at_s * NS_PER_S)
        steps.append(Step(at_ns, "inject", number))
        if for_s is not None:
            steps.append(Step(at_ns + round(for_s * NS_PER_S), "heal", number))
    return tuple(sorted(steps, key=lambda step: (step.at_ns, step.action != "heal", step.number)))
