"""When each fault is injected and healed. Pure."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
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


def put_back(steps: list[Step], step: Step, at_ns: int) -> None:
    """A step that could not be done is to be done at another time, among those that are left."""
    insort(steps, replace(step, at_ns=at_ns), key=lambda one: one.at_ns)


def pause_s(steps: Sequence[Step], now_ns: int, most_s: float) -> float:
    """How long to wait for the first of the steps that are left; at most so long."""
    wait_s = (steps[0].at_ns - now_ns) / NS_PER_S if steps else most_s
    return max(0.0, min(most_s, wait_s))
