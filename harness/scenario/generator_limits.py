"""When the generator is too unwell to be believed: every bound, its default and its reason.

`load.generator` of a scenario may set any of them. A stricter bound is just that; a looser one is
allowed, and said in the verdict and the report. A dropped draw has no bound: one is too many.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limit:
    """`bound` is in seconds or a share. calm: judged in the baseline alone, because later a lender
    in trouble may well be the cause. what: its name in a sentence. why: the bound's reason."""

    key: str
    bound: float
    unit: Literal["duration", "share"]
    calm: bool
    what: str
    why: str


# Of one second of one worker. A second beyond any of them is bad.
SECOND_LIMITS = (
    Limit(
        "late", 0.2, "duration", False, "sent late",
        "a borrower can't tell 200 ms of ours from the lender's; the p95 expected of a healthy"
        " baseline is of that order",
    ),
    Limit(
        "lag", 0.2, "duration", False, "a heartbeat overslept",
        "answers that came meanwhile were seen as late as that",
    ),
    Limit(
        "connect", 0.2, "duration", True, "waiting for a connection",
        "nothing is broken yet: what is slow is the way to the lender, or who may not open more",
    ),
    Limit(
        "gc", 0.2, "duration", False, "collecting garbage",
        "a fifth of a second in which nothing was sent and nothing received",
    ),
    Limit(
        "pressure", 0.7, "share", True, "waiting for a CPU",
        "the lender's capacity is set to use at most half of the machine, a quiet run shows a tenth"
        " to a third: somebody else was using it, and what that does to the lender is not its own",
    ),
    Limit(
        "steal", 0.3, "share", False, "taken by the hypervisor",
        "no load of ours makes a hypervisor take a third of a CPU: other machines were served",
    ),
)  # fmt: skip

# Of one second of the machine that the lender is on, by small writes of the controller's own.
DISK = Limit(
    "disk", 0.2, "duration", False, "waiting for the disk",
    "a small write takes 0.4 ms, 15 ms at worst while a drill runs: a lender that has to wait this"
    " long to make a promise durable was held up by somebody else",
)  # fmt: skip

# Of the run.
BAD_SECONDS = Limit(
    "bad_seconds", 0.05, "share", False, "bad seconds of baseline and fault",
    "one alone is a hiccup: what broke in it is not held against the lender; one in twenty is a"
    " machine that can't measure",
)  # fmt: skip
CLOCK = Limit(
    "clock", 0.01, "duration", False, "uncertainty of a worker's clock",
    "order across machines is unknown within it: below 10 ms no rule and no phase depends on that",
)  # fmt: skip

LIMITS = (*SECOND_LIMITS, DISK, BAD_SECONDS, CLOCK)


def bound(limit: Limit, chosen: Mapping[str, float]) -> float:
    """What holds in a scenario that has set `chosen`."""
    return chosen.get(limit.key, limit.bound)


def shown(limit: Limit, value: float) -> str:
    """`200 ms` or `70 %`."""
    return f"{value * 1000:.0f} ms" if limit.unit == "duration" else f"{value:.0%}"


def loosened(chosen: Mapping[str, float]) -> list[str]:
    """Bounds that were made looser than is sound, in words."""
    return [
        f"load.generator.{limit.key}: {limit.what} up to {shown(limit, chosen[limit.key])}, "
        f"{shown(limit, limit.bound)} would be sound"
        for limit in LIMITS
        if chosen.get(limit.key, 0.0) > limit.bound
    ]
