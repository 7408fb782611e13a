"""Were the breakers honest? From their dated states, the calls of those who have them, and where
the faults were; the lender's settings are not asked.

A breaker belongs to one caller and one target (`gateway-1`, `bank.partner-a`). It is *on* a fault
that touches the calls between the two; a fault *behind* it is one that the target itself calls
into, or one at the caller. Calls that it refused were never sent; those that failed were, the one
that tripped it too, and the two are never added up.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from harness.clock import NS_PER_S
from harness.evidence.rows import State
from harness.judge.breaker_calls import (
    BAD_IN_A_ROW,
    asked_before,
    callers,
    failed,
    failed_in_a_row,
    refused,
    served_unsent,
    well_since,
)
from harness.judge.view import FaultLine, RunView
from harness.judge.weather import Pair, Span, Weather, last_ns, load_end_ns

# A breaker may need so long after a heal: it rests, then asks with one call.
CLOSED_WITHIN_NS = 5 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Breaker:
    """One breaker of one run. faults: those on its edge. refused: calls that it did not let out.
    failed: calls that were sent and failed, or were slow, while a fault was on it. Times are s."""

    caller: str
    target: str
    faults: tuple[str, ...]
    opened: int
    open_s: float
    time_to_open_s: float | None
    wrongly_opened: int
    refused: int
    good_calls_blocked: int
    stuck: bool
    failed: int = 0
    should_have_opened: bool = False


@dataclass(frozen=True, slots=True)
class Breakers:
    """Each breaker that opened or had a fault on its edge. not_sent_but_served: calls that were
    written down as never sent, and that their server has answered.

    Over all calls of the lender's hops, whole run. All of it is null for a lender without breakers.
    """

    each: tuple[Breaker, ...]
    not_sent_but_served: int

    @property
    def time_to_open_s(self) -> float | None:
        """First observed bite of a fault on a breaker's edge → it opens; the slowest, in seconds.

        Over the breakers on a fault that opened; 0 for one that was faster than our own probe.
        Null when none did.
        """
        times = [one.time_to_open_s for one in self.each if one.time_to_open_s is not None]
        return max(times) if times else None

    @property
    def wrongly_open(self) -> int:
        """Times a breaker opened with no fault on its edge, behind it or at its caller.

        Over all openings; a fault counts from its injection to one attempt_timeout after it was
        seen healed, when the last of the calls that met it end.
        """
        return sum(one.wrongly_opened for one in self.each)

    @property
    def should_have_opened(self) -> int:
        """Breakers that did not open although twenty calls in a row failed or took over 500 ms.

        Over the breakers on a fault with none behind it, and the calls that were sent while it
        lasted, in the order in which they ended.
        """
        return sum(one.should_have_opened for one in self.each)

    @property
    def refused_calls(self) -> int:
        """Calls that an open or half-open breaker refused: certainly not sent.

        Over all calls that were written down as not sent, while their breaker was not closed.
        """
        return sum(one.refused for one in self.each)

    @property
    def failed_calls(self) -> int:
        """Calls that were sent and failed, or took over 500 ms: what breakers learn from.

        Over the breakers on a fault, while it lasted.
        """
        return sum(one.failed for one in self.each)

    @property
    def good_calls_blocked(self) -> int:
        """Calls refused by a breaker while no fault was on its edge, behind it or at its caller.

        Over the refused calls; those between a heal and the breaker's closing are among them.
        """
        return sum(one.good_calls_blocked for one in self.each)

    @property
    def stuck_breakers(self) -> int:
        """Breakers still not closed when the load ended, with the last fault healed at least 5 s
        before, a caller that still made calls, and none of them to the target that went well.

        Over all breakers that ever opened, of targets that their caller asked in health: one that
        only stands in for another is asked by nobody when that is well again, and rests open.
        """
        return sum(one.stuck for one in self.each)


def breakers(view: RunView) -> Breakers | None:
    """None for a lender without breakers, or when states or calls are not all there."""
    if {"states", "calls"} & {*view.missing, *view.cut}:
        return None
    states: dict[Pair, list[State]] = defaultdict(list)
    put_out: set[Pair] = set()
    for state in view.states:
        if state.kind == "breaker":
            states[state.replica, state.subject].append(state)
        elif state.kind == "ejection":
            put_out.add((state.replica, state.subject))
    if not states and not view.scenario.lender.has("breaker"):
        return None
    weather = Weather(view)
    spans = {pair: open_spans(mine, last_ns(view)) for pair, mine in states.items()}
    on = [pair for pair in callers(view) if weather.on(pair)]
    blocked = refused(view, spans)
    faulted = {pair: _merged(weather.spans[f.name] for f in weather.on(pair)) for pair in on}
    bad = failed(view, faulted)
    # Of a breaker that opened it need not be known, nor of one whose target was put out without it:
    # a replica is out by one of the two. And one that answers for what lies behind it may be well.
    asked = {
        pair: mine
        for pair, mine in faulted.items()
        if bad.get(pair, 0) >= BAD_IN_A_ROW
        and pair not in put_out
        and not _overlap([*spans.get(pair, ()), *weather.behind(pair)], mine)
    }
    owing = failed_in_a_row(view, asked)
    return Breakers(
        each=tuple(
            replace(
                _breaker(view, weather, pair, states.get(pair, ()), blocked.get(pair, ())),
                failed=bad.get(pair, 0),
                should_have_opened=pair in owing,
            )
            for pair in sorted({*states, *on})
        ),
        not_sent_but_served=served_unsent(view),
    )


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same moments in spans that do not overlap."""
    found: list[Span] = []
    for from_ns, to_ns in sorted(spans):
        if found and from_ns <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], to_ns))
        else:
            found.append((from_ns, to_ns))
    return found


def open_spans(states: Iterable[State], to_ns: int) -> list[Span]:
    """When a breaker was not closed: open, or half open with its one call."""
    found: list[Span] = []
    since_ns: int | None = None
    for state in sorted(states, key=lambda one: one.at_ns):
        if state.state == "closed" and since_ns is not None:
            found.append((since_ns, state.at_ns))
            since_ns = None
        elif state.state != "closed" and since_ns is None:
            since_ns = state.at_ns
    if since_ns is not None:
        found.append((since_ns, max(since_ns, to_ns)))
    return found


def within(at_ns: int, spans: Iterable[Span]) -> bool:
    """Does it lie in one of them?"""
    return any(from_ns <= at_ns <= to_ns for from_ns, to_ns in spans)


def _breaker(
    view: RunView,
    weather: Weather,
    pair: Pair,
    states: Sequence[State],
    blocked: Sequence[int],
) -> Breaker:
    end_ns = load_end_ns(view)
    spans = open_spans(states, end_ns)
    on, near = weather.on(pair), weather.explaining(pair)
    late = [(begin_ns, to_ns + weather.late_ns) for begin_ns, to_ns in near]
    return Breaker(
        caller=pair[0],
        target=pair[1],
        faults=tuple(fault.name for fault in on),
        opened=len(spans),
        open_s=round(sum(to_ns - from_ns for from_ns, to_ns in spans) / NS_PER_S, 3),
        time_to_open_s=_time_to_open_s(spans, on, weather),
        wrongly_opened=sum(not within(from_ns, late) for from_ns, _ in spans),
        refused=len(blocked),
        good_calls_blocked=sum(not within(at_ns, near) for at_ns in blocked),
        stuck=_stuck(view, pair, states, near),
    )


def _overlap(some: Iterable[Span], others: Sequence[Span]) -> bool:
    return any(
        a_ns <= end_ns and b_ns >= from_ns for a_ns, b_ns in some for from_ns, end_ns in others
    )


def _time_to_open_s(
    spans: Sequence[Span], on: Sequence[FaultLine], weather: Weather
) -> float | None:
    """The slowest of the faults on it; one that found it open already says nothing."""
    times = []
    for fault in on:
        begin_ns, to_ns = weather.spans[fault.name]
        if fault.observed_ns is None or any(f_ns < begin_ns <= t_ns for f_ns, t_ns in spans):
            continue
        opened = [f_ns for f_ns, _ in spans if begin_ns <= f_ns <= to_ns + weather.late_ns]
        if opened:
            times.append(max(0, min(opened) - fault.observed_ns) / NS_PER_S)
    return round(max(times), 3) if times else None


def _stuck(view: RunView, pair: Pair, states: Sequence[State], near: Sequence[Span]) -> bool:
    """Not closed at the end of the load, long after it could have been."""
    end_ns = load_end_ns(view)
    before = [one for one in states if one.at_ns <= end_ns]
    spans = open_spans(before, end_ns)
    if not before or max(before, key=lambda one: one.at_ns).state == "closed":
        return False
    since_ns = end_ns - CLOSED_WITHIN_NS
    if spans[-1][0] > since_ns or any(to_ns > since_ns for _, to_ns in near):
        return False
    if not asked_before(view, pair, min([spans[0][0], *(from_ns for from_ns, _ in near)])):
        return False
    made, well = well_since(view, pair, since_ns, end_ns)
    # One whose calls go well was started anew, and has another breaker now.
    return bool(made) and not well
