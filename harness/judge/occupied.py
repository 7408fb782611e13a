"""Who holds the slots that others wait for, and who was not there at all.

A press that waits for a gateway's slot goes wrong where those go wrong that have the slots: a slow
bank fills a gateway with draws that wait for it. Looked at are calls that take longer than usual,
and moments at which a replica has noted the arrival of nothing.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from statistics import median

from harness.clock import NS_PER_S
from harness.judge.names import role
from harness.judge.view import RunView

# A call is slow that takes so many times as long as is usual for its hop, and so long at least.
SLOW_TIMES, SLOW_LEAST_NS = 3, NS_PER_S // 5
# Slots that slow calls to one hop hold, of all: from there on they are why others wait.
HELD_SHARE = 0.3
# Of what gateways wait for at the ledgers, that part which these wait for at the database.
DATABASE_SHARE = 0.5
# A sound database fails none of its calls; so many that did are why ledgers are waited for.
FAILED_LEAST = 3
# A replica was not there when it noted nothing for so long, and for so many times its usual pause.
SILENT_NS, SILENT_TIMES = NS_PER_S * 2 // 5, 8
SAMPLE = 200
# Who waits longer than that has waited. Waits that follow one another so closely are one queue; who
# had the slots as it began is looked for around that moment.
WAIT_NS = NS_PER_S // 50
PAUSE_NS = NS_PER_S // 5
BEFORE_NS, AFTER_NS = NS_PER_S // 2, NS_PER_S


SLOW = """
SELECT client, server, start_ns, done_ns FROM calls
WHERE side = 'client' AND (done_ns IS NULL OR done_ns - start_ns >= $least_ns) ORDER BY ALL
"""
FAILED = """
SELECT client, start_ns, done_ns FROM calls
WHERE side = 'client' AND edge = 'ledger->database' AND result NOT IN ('ok', 'refused')
ORDER BY ALL
"""


class Held:
    """How many slow calls there were at any time, from one sort of client to one hop."""

    def __init__(self) -> None:
        self._changes: dict[int, float] = defaultdict(float)
        self._moments: list[int] = []
        self._areas: list[float] = []
        self._levels: list[float] = []

    def add(self, start_ns: int, done_ns: int | None, weight: float) -> None:
        """A call; `weight`: the part of it that was longer than usual. None: it never ended."""
        self._changes[start_ns] += weight
        if done_ns is not None:
            self._changes[done_ns] -= weight

    def close(self) -> None:
        """No more calls; what was asked is known from here on."""
        level = area = 0.0
        before = 0
        for at_ns in sorted(self._changes):
            area += level * (at_ns - before)
            level += self._changes[at_ns]
            before = at_ns
            self._moments.append(at_ns)
            self._areas.append(area)
            self._levels.append(level)

    def mean(self, from_ns: int, to_ns: int) -> float:
        """How many at a time, over [from, to]."""
        return (self._upto(to_ns) - self._upto(from_ns)) / max(to_ns - from_ns, 1)

    def _upto(self, at_ns: int) -> float:
        place = bisect_right(self._moments, at_ns) - 1
        if place < 0:
            return 0.0
        return self._areas[place] + self._levels[place] * (at_ns - self._moments[place])


class Occupied:
    """Of one run. usual_ns: what a call to each hop takes as a rule, by draws of the baseline."""

    def __init__(self, view: RunView) -> None:
        self.usual_ns = _usual_ns(view)
        self._slots = view.scenario.lender.capacity.gateway_slots
        self._held: dict[tuple[str, str], Held] = defaultdict(Held)
        self._bad_database: dict[str, list[tuple[int, int | None]]] = defaultdict(list)
        # By gateway and hop; by all gateways, and by all ledgers.
        for client, server, start_ns, done_ns in view.books.ask(SLOW, {"least_ns": SLOW_LEAST_NS}):
            self._add(client, role(server), start_ns, done_ns)
        for held in self._held.values():
            held.close()
        self._failed_database: list[tuple[int, int | None]] = []
        for client, start_ns, done_ns in view.books.ask(FAILED):
            self._bad_database[client].append((start_ns, done_ns))
            self._failed_database.append((start_ns, done_ns))
        self._view = view
        self._silences: dict[str, Sequence[tuple[int, int]]] = {}

    @cached_property
    def _queues(self) -> Mapping[str, Sequence[tuple[float, float]]]:
        return _queues(self._view)

    def _add(self, client: str, hop: str, start_ns: int, done_ns: int | None) -> None:
        usual_ns = self.usual_ns.get(hop, 0)
        if done_ns is None:
            weight = 1.0
        elif done_ns - start_ns < SLOW_TIMES * usual_ns:
            return
        else:
            weight = 1 - usual_ns / (done_ns - start_ns)
        if hop == "database":
            self._bad_database[client].append((start_ns, done_ns))
        for who in (client, role(client)):
            self._held[who, hop].add(start_ns, done_ns, weight)

    def holder(self, gateway: str, from_ns: int, to_ns: int) -> str:
        """The hop that holds the slots of a gateway, so that others wait from then to then; it
        went wrong where the queue began, if that can be told. `gateway` when none does: it has too
        few, or was not there."""
        if self.was_silent(gateway, from_ns, to_ns):
            return "gateway"
        began_ns = self._queue_began_ns(gateway, from_ns)
        first = self._holder(gateway, began_ns - BEFORE_NS, min(began_ns + AFTER_NS, to_ns))
        return self._holder(gateway, from_ns, to_ns) if first == "gateway" else first

    def _holder(self, gateway: str, from_ns: int, to_ns: int) -> str:
        means = {
            hop: held.mean(from_ns, to_ns)
            for (who, hop), held in self._held.items()
            if who == gateway
        }
        worst = max(sorted(means), key=lambda hop: means[hop], default="gateway")
        if means.get(worst, 0.0) < HELD_SHARE * self._slots:
            return "gateway"
        if worst != "ledger":
            return worst
        failed = sum(
            start_ns <= to_ns and (done_ns is None or done_ns >= from_ns)
            for start_ns, done_ns in self._failed_database
        )
        if failed >= FAILED_LEAST:
            return "database"
        deeper = self._held["ledger", "database"].mean(from_ns, to_ns)
        all_of_them = self._held["gateway", "ledger"].mean(from_ns, to_ns)
        return "database" if deeper >= DATABASE_SHARE * all_of_them else "ledger"

    def _queue_began_ns(self, gateway: str, at_ns: int) -> int:
        queues = self._queues.get(gateway, ())
        place = bisect_right(queues, (at_ns, math.inf)) - 1
        if place >= 0 and at_ns <= queues[place][1]:
            return int(queues[place][0])
        return at_ns

    def database_was_bad(self, ledger: str, from_ns: int, to_ns: int) -> bool:
        """Was it so for another ledger too? One that was frozen finds its own calls slow."""
        others = [calls for client, calls in self._bad_database.items() if client != ledger]
        if not others and dict(self._view.scenario.lender.replicas).get("ledger", 0) < 2:
            return True
        return any(
            start_ns <= to_ns and (done_ns is None or done_ns >= from_ns)
            for calls in others
            for start_ns, done_ns in calls
        )

    def was_silent(self, replica: str, from_ns: int, to_ns: int) -> bool:
        """Was there, within [from, to], a while in which nothing came to the replica that it noted,
        too long to be chance?"""
        if replica not in self._silences:
            self._silences[replica] = _silences(self._view, replica)
        return any(
            min(end_ns, to_ns) - max(begin_ns, from_ns) >= SILENT_NS
            for begin_ns, end_ns in self._silences[replica]
        )


QUEUED = """
SELECT server, start_ns, start_ns + queue_ns AS end_ns FROM calls
WHERE side = 'server' AND queue_ns >= $wait_ns ORDER BY ALL
"""


def _queues(view: RunView) -> Mapping[str, Sequence[tuple[float, float]]]:
    """By replica: from when to when somebody waited for a slot of it, in order."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for server, start_ns, end_ns in view.books.ask(QUEUED, {"wait_ns": WAIT_NS}):
        mine = found[server]
        if mine and start_ns <= mine[-1][1] + PAUSE_NS:
            mine[-1] = (mine[-1][0], max(mine[-1][1], end_ns))
        else:
            mine.append((start_ns, end_ns))
    return found


# A pause that is longer than a piece of time lies between two pieces in which something arrived.
ARRIVED = """
SELECT server, count(*) AS times, min(start_ns) AS first_ns, max(start_ns) AS last_ns FROM calls
WHERE side = 'server' GROUP BY server, start_ns // $piece_ns
"""
USUAL = """
SELECT sum(times)::BIGINT, min(first_ns), max(last_ns) FROM arrived WHERE server = $replica
"""
PAUSES = """
SELECT before_ns, first_ns FROM (
    SELECT first_ns, lag(last_ns) OVER (ORDER BY first_ns) AS before_ns FROM arrived
    WHERE server = $replica
)
WHERE first_ns - before_ns >= $least_ns ORDER BY first_ns
"""


def _silences(view: RunView, replica: str) -> Sequence[tuple[int, int]]:
    """Between two arrivals; before the first and after the last nothing is known."""
    view.books.once("arrived", ARRIVED, {"piece_ns": SILENT_NS // 2})
    count, first_ns, last_ns = view.books.one(USUAL, {"replica": replica})
    if count is None or count < 2:
        return []
    usual_ns = (last_ns - first_ns) // (count - 1)
    least_ns = max(SILENT_NS, SILENT_TIMES * usual_ns)
    found = view.books.ask(PAUSES, {"replica": replica, "least_ns": least_ns})
    return [(before_ns, after_ns) for before_ns, after_ns in found]


OF_SAMPLE = """
SELECT server, done_ns - start_ns FROM calls
WHERE side = 'client' AND done_ns IS NOT NULL AND draw_key IN (
    SELECT draw_key FROM intents WHERE phase = 'baseline' AND NOT straddling
    ORDER BY intent LIMIT $sample)
"""


def _usual_ns(view: RunView) -> Mapping[str, int]:
    """By hop: the median over calls of the first draws of the baseline."""
    took: dict[str, list[int]] = defaultdict(list)
    for server, took_ns in view.books.ask(OF_SAMPLE, {"sample": SAMPLE}):
        took[role(server)].append(took_ns)
    return {hop: int(median(values)) for hop, values in took.items()}
