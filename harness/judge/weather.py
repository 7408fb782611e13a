"""Which faults were there when, as one caller of one target sees them."""

from collections import defaultdict

from harness.clock import NS_PER_S
from harness.judge.alerts import began_ns
from harness.judge.names import role
from harness.judge.places import touches
from harness.judge.view import FaultLine, RunView
from harness.judge.ways import know_ways

Pair = tuple[str, str]  # caller, target: replicas, or a bank
Span = tuple[int, int]  # from_ns, to_ns
BUSINESS, DATABASE = "business: ", "database"


def load_end_ns(view: RunView) -> int:
    """When the load ended; as planned, where the run did not come to that."""
    return view.load_end_ns or view.t0_ns + int(view.scenario.phases.load_s * NS_PER_S)


def last_ns(view: RunView) -> int:
    """Until when there was anything to see."""
    return max(view.drain_end_ns or 0, load_end_ns(view))


class Weather:
    """Which faults a breaker may have to do with, and when each of them was there; one that is
    never healed lasts until nobody looks any more."""

    def __init__(self, view: RunView) -> None:
        self.late_ns = int(view.scenario.load.patience.attempt_timeout_s * NS_PER_S)
        self.spans = {
            fault.name: (began, fault.heal_observed_ns or last_ns(view))
            for fault in view.faults
            if (began := began_ns(fault)) is not None
        }
        self._faults = [fault for fault in view.faults if fault.name in self.spans]
        self._called: dict[str, set[str]] = defaultdict(set)
        know_ways(view.books)
        for (edge,) in view.books.ask("SELECT DISTINCT edge FROM ways_called"):
            client, _, server = edge.partition("->")
            self._called[client].add(server)

    def on(self, pair: Pair) -> list[FaultLine]:
        """Faults that make calls of this caller to this target fail or slow. What is decided in
        business does neither, and connections to the database are no calls that a breaker sees."""
        if role(pair[1]) == DATABASE:
            return []
        return [f for f in self._touching(pair) if not f.name.startswith(BUSINESS)]

    def _touching(self, pair: Pair) -> list[FaultLine]:
        caller, target = pair
        edge = f"{role(caller)}->{role(target)}"
        return [f for f in self._faults if touches(f.edge_or_replica, edge, caller, target)]

    def behind(self, pair: Pair) -> list[Span]:
        """When there was a fault at what the target itself calls."""
        reached = self._reached(role(pair[1]))
        found = []
        for fault in self._faults:
            client, _, server = fault.edge_or_replica.rpartition("->")
            if client in reached or (not client and role(server) in reached - {role(pair[1])}):
                found.append(self.spans[fault.name])
        return sorted(found)

    def explaining(self, pair: Pair) -> list[Span]:
        """When there was a fault on the edge, behind the target, or at the caller."""
        callers = (pair[0], role(pair[0]))
        near = [*self._touching(pair), *(f for f in self._faults if f.edge_or_replica in callers)]
        return sorted({*self.behind(pair), *(self.spans[fault.name] for fault in near)})

    def _reached(self, hop: str) -> set[str]:
        """The hop, and whatever is called on its behalf."""
        found: set[str] = set()
        ahead = [hop]
        while ahead:
            one = ahead.pop()
            if one not in found:
                found.add(one)
                ahead += self._called.get(one, ())
        return found
