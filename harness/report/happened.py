"""What the lender and the drill themselves did while faults were on: a canary's rollback, breakers,
the databases' change of roles, an end before its time. From dated states. Pure.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.evidence.rows import State
from harness.judge.names import role
from harness.judge.view import FaultLine, RunView

# What the lender says of its databases, in the words of a report; all else it says is in `states`.
DATABASES = {
    ("primary", "dead"): "the primary is dead",
    ("primary", "fenced"): "the old primary is fenced",
    ("primary", "promoted"): "promoted",
    ("standby", "lost"): "the standby is lost",
    ("standby", "degraded"): "the standby is given up: one copy of the books",
    ("standby", "in_sync"): "the standby is in step",
}
# A remedy comes after the bite, and breakers close some time after the heal.
AFTERWARDS_NS = 10 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Event:
    """on: the server, database or version it is about; empty for what ended the drill."""

    at_ns: int
    kind: str
    on: str
    text: str


def happened(view: RunView) -> tuple[Event, ...]:
    """In order of time, from t = 0 on."""
    found = [*_deployed(view.states), *_databases(view.states), *_ended(view)]
    for (caller, server), episodes in breakers(view.states).items():
        for opened_ns, closed_ns in episodes:
            found.append(Event(opened_ns, "breaker", server, f"{caller} opens to {server}"))
            if closed_ns is not None:
                found.append(Event(closed_ns, "breaker", server, f"{caller} closes to {server}"))
    return tuple(
        sorted((e for e in found if e.at_ns >= view.t0_ns), key=lambda e: (e.at_ns, e.text))
    )


def breakers(
    states: Sequence[State],
) -> Mapping[tuple[str, str], Sequence[tuple[int, int | None]]]:
    """By (caller, server): when it opened, and when it next closed (None: never); a probe that
    opened it again is the same episode."""
    found: dict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
    open_ns: dict[tuple[str, str], int] = {}
    rows = [one for one in states if one.kind == "breaker"]
    for one in sorted(rows, key=lambda one: one.at_ns):
        pair = (one.replica, one.subject)
        if one.state == "open":
            open_ns.setdefault(pair, one.at_ns)
        elif one.state == "closed" and pair in open_ns:
            found[pair].append((open_ns.pop(pair), one.at_ns))
    for pair, since_ns in open_ns.items():
        found[pair].append((since_ns, None))
    return found


def _deployed(states: Sequence[State]) -> Iterator[Event]:
    for one in states:
        if one.kind == "deploy" and one.state == "rolled back by canary":
            text = f"the canary rolls back {one.subject}"
            yield Event(one.at_ns, "deploy", one.subject, text)


def _databases(states: Sequence[State]) -> Iterator[Event]:
    for one in states:
        change, _, rest = one.state.partition(" ")
        words = DATABASES.get((one.subject, change)) if one.kind == "database" else None
        if words is not None:
            who = rest.partition("epoch")[0].strip()
            yield Event(one.at_ns, "database", one.subject, f"{who}: {words}" if who else words)


def _ended(view: RunView) -> Iterator[Event]:
    if view.ended not in ("complete", "cut") and view.load_end_ns is not None:
        yield Event(view.load_end_ns, "end", "", f"the drill is ended: {view.ended}")


def told_of_fault(view: RunView, fault: FaultLine) -> str:
    """What happened because of a fault, for its line of the summary; empty when nothing did."""
    words = [
        f"{one.text} at {_s(view, one.at_ns)}"
        for one in happened(view)
        if one.kind in ("deploy", "database") and _whose(view, one) is fault
    ]
    open_by: dict[str, list[tuple[int, int | None]]] = defaultdict(list)
    for (caller, server), episodes in breakers(view.states).items():
        for opened_ns, closed_ns in episodes:
            if _whose(view, Event(opened_ns, "breaker", server, caller)) is fault:
                open_by[server].append((opened_ns, closed_ns))
    for server, within in sorted(open_by.items()):
        closed = [closed_ns for _, closed_ns in within]
        last_ns = None if None in closed else max(at_ns for at_ns in closed if at_ns is not None)
        until = "to the end" if last_ns is None else f"to {_s(view, last_ns)}"
        first_ns = min(opened_ns for opened_ns, _ in within)
        words.append(f"breakers to {server} open from {_s(view, first_ns)} {until}")
    return "; ".join(words)


def _whose(view: RunView, event: Event) -> FaultLine | None:
    """Of the faults that it can concern, and that were on or had just gone, the one that was
    injected last."""
    on = [
        (fault.injected_ns, fault)
        for fault in view.faults
        if fault.injected_ns is not None
        and _concerns(fault, event.kind, event.on)
        and fault.injected_ns <= event.at_ns <= _gone_ns(fault) + AFTERWARDS_NS
    ]
    return max(on, key=lambda one: one[0])[1] if on else None


def _gone_ns(fault: FaultLine) -> int:
    ends = (fault.heal_observed_ns, fault.healed_ns, fault.last_observed_ns, fault.injected_ns)
    return max(at_ns for at_ns in ends if at_ns is not None)


def _concerns(fault: FaultLine, kind: str, on: str) -> bool:
    """Is what happened about what the fault was on?"""
    if kind == "deploy":
        return fault.name.startswith("deploy: ")
    if kind == "database":
        return "database" in fault.edge_or_replica or fault.name.startswith("database: ")
    server = fault.edge_or_replica.rpartition("->")[2]
    return server in (on, role(on))


def _s(view: RunView, at_ns: int) -> str:
    return f"{(at_ns - view.t0_ns) / NS_PER_S:.1f} s"
