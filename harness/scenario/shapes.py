"""How many draws are due when: a rate over time, constant between its changes. Pure."""

from dataclasses import dataclass
from itertools import pairwise

from harness.scenario.model import Shape


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start_s` to `end_s` the rate is `rate_per_s`."""

    start_s: float
    end_s: float
    rate_per_s: float


def stretches(shape: Shape, load_s: float) -> tuple[Stretch, ...]:
    """The shape as stretches of constant rate that cover [0, load_s).

    A step holds until the next; a spike replaces whatever holds while it lasts.
    """
    changes = {0.0, load_s}
    changes |= {step.at_s for step in shape.steps}
    for spike in shape.spikes:
        changes |= {spike.at_s, spike.at_s + spike.for_s}
    edges = sorted(at_s for at_s in changes if 0 <= at_s <= load_s)
    return tuple(
        Stretch(start_s, end_s, rate_at(shape, start_s)) for start_s, end_s in pairwise(edges)
    )


def rate_at(shape: Shape, at_s: float) -> float:
    """Draw intents a second at one moment."""
    for spike in shape.spikes:
        if spike.at_s <= at_s < spike.at_s + spike.for_s:
            return spike.rate_per_s
    rate_per_s = shape.rate_per_s
    for step in sorted(shape.steps, key=lambda step: step.at_s):
        if step.at_s <= at_s:
            rate_per_s = step.rate_per_s
    return rate_per_s
