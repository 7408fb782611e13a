"""What a kind of fault says of itself: its parameters, how each is read, what the docs say of it.

A family's file ends with its `KINDS`; the catalogue puts them together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import Problem, ScenarioError, guess
from harness.faults.fault import Fault
from harness.scenario.model import Cause, FaultSpec, LenderSpec
from harness.units import format_duration, parse_duration_s, parse_share

Value = float | int | str
DURATION = "a duration such as 300ms"
# How a fault inside a service is undone.
UNDONE = "DELETE at the service; a lease ends it there, should nobody come back."


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its key in a scenario, its key in FaultSpec.params (with its unit), how it
    is read, what is allowed (a phrase), and whether it must be given.

    names: a key of harness.faults.names.NAMES (`edge`, `replica`, `service`: a replica or bank)
    when the value must be one that the scenario's lender has. parse raises ValueError with what is
    allowed. example: a YAML value for the docs and the table of all faults, where there is no
    default and no name will do. data: the value is a mapping, given to parse as it is.
    """

    key: str
    param: str
    parse: Callable[[object], Value]
    allowed: str
    default: Value | None = None
    required: bool = True
    names: str = ""
    example: object = None
    data: bool = False


@dataclass(frozen=True, slots=True)
class FaultKind:
    """for_key: must `for` be given, may it, or is there nothing of ours to undo after a while?
    replaces: what it hits comes back as a new process, without what another fault had done to it:
    no other fault may be on the same thing at the same time. needs: a module of an optional extra,
    without which it can't be injected. edges: which edges of a lender must lead through the proxy
    for it, besides the one it names. told_by_service: the service writes down which calls it has
    hit, and its exposure is counted by that: of a share, or of one operation, nobody else can know.
    causes: what a draw that it breaks is broken by, of the four.
    hits: what it is on, for kinds of which no parameter and no name says so. warns: what can hardly
    be meant of it, with this lender, a sentence; empty: nothing. sample_for_s: `for` in its
    example. begins_s: how long after it was injected it is there at the earliest.

    The rest is what docs/faults.md says of it, a sentence or two each: what it does; how it is seen
    from outside; how it is undone, also after a kill -9; what it can't do.
    """

    parameters: tuple[Parameter, ...]
    for_key: Literal["needed", "optional", "none"]
    build: Callable[[FaultSpec], Fault]
    does: str
    observed: str
    undone: str
    cannot: str
    replaces: bool = False
    needs: str = ""
    edges: Callable[[FaultSpec, LenderSpec], Sequence[str]] | None = None
    told_by_service: bool = False
    causes: tuple[Cause, ...] = ("system",)
    hits: str = ""
    warns: Callable[[FaultSpec, LenderSpec], str] | None = None
    sample_for_s: float = 4.0
    begins_s: float = 0.0


Kinds = Mapping[tuple[str, str], FaultKind]


def text(value: object) -> str:
    """A name. Raises ValueError."""
    if not isinstance(value, str) or not value:
        raise ValueError("a name")
    return value


def some_share(value: object) -> float:
    """A share above 0 %. Raises ValueError."""
    share = parse_share(value)
    if share <= 0:
        raise ValueError("a share above 0 %")
    return share


def switch(value: object) -> str:
    """A switch, kept as text like every other value: `on` or `off`. Raises ValueError."""
    if type(value) is not bool:
        raise ValueError("on or off")
    return "on" if value else "off"


def one_of(*allowed: str) -> Callable[[object], str]:
    """A reader of one word out of a few."""

    def read(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"{guess(str(value), allowed)}one of {', '.join(allowed)}")
        return str(value)

    return read


def whole(least: int, most: int) -> Callable[[object], int]:
    """A reader of a whole number in a range."""

    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{least} to {most}")
        return value

    return read


def part(value: object) -> float:
    """A share below all. Raises ValueError."""
    share = parse_share(value)
    if not 0 < share < 1:
        raise ValueError("a share above 0 % and below 100 %")
    return share


def duration_between(least_s: float, most_s: float) -> Callable[[object], float]:
    """A reader of a duration in a range, seconds."""

    def read(value: object) -> float:
        seconds = parse_duration_s(value)
        if not least_s <= seconds <= most_s:
            least, most = format_duration(least_s), format_duration(most_s)
            raise ValueError(f"a duration from {least} to {most}")
        return seconds

    return read


def wrong_together(spec: FaultSpec, found: str, allowed: str) -> ScenarioError:
    """Parameters that are right by themselves and not together."""
    return ScenarioError((Problem("faults", 0, spec.name, found, allowed),))


def service_target(example: str, of: str = "a replica or bank such as bank.own") -> Parameter:
    """Which replica or bank; `example` where a bank or the first replica would not do. of: what is
    allowed, in words."""
    return Parameter(
        "target", "target", text, of, names="service",
        example=example,
    )  # fmt: skip
