"""Where one attempt first went wrong, by the record of calls on both sides.

An attempt that a hop failed while it had time left went wrong at the first hop that did not serve
it in the end: a try that was refused and made again elsewhere is not what broke it. One that ran
out of time went wrong where the time went, beyond what is usual there. Waiting for a gateway's slot
is laid at whoever held the slots, and a ledger that waits for its database at the database.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import Attempt, Call, Intent
from harness.judge.names import role
from harness.judge.occupied import SILENT_NS, Occupied
from harness.scenario.model import Patience

SERVED = ("ok", "refused")
# What ends so shortly before its limit has run out of time: hops keep something back to answer in.
LIMIT_MARGIN_NS = 150 * NS_PER_MS
# What ends later than that before the limit was cut short by it.
CUT_SHORT_NS = 60 * NS_PER_MS
# A part of the limit that is enough to say that it went wrong here, whatever came later.
FIRST_SHARE = 1 / 3
# A ledger's call that takes as much of its caller's wait was waited for.
WAITED_SHARE = 0.5
ARRIVAL_NS = 50 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing asked of one hop by the gateway, with its tries; `end_ns` at the attempt's end at
    the latest."""

    hop: str
    tries: tuple[Call, ...]
    start_ns: int
    end_ns: int

    @property
    def served(self) -> bool:
        last = self.tries[-1]
        return last.result in SERVED and last.done_ns is not None and last.done_ns <= self.end_ns

    def failed_by(self, at_ns: int) -> bool:
        """Had it begun to fail while there was time left, and never served?"""
        first = self.tries[0]
        early = first.done_ns is not None and first.done_ns <= at_ns
        return early and first.result not in SERVED and not self.served


class Hops:
    """Of one run."""

    def __init__(self, occupied: Occupied, rules: Patience) -> None:
        self._occupied = occupied
        self._rules = rules

    def first_wrong(self, intent: Intent, attempt: Attempt, calls: Sequence[Call]) -> str:
        """The hop. `calls`: all of the draw, both sides, in order of start."""
        start_ns = attempt.sent_ns or attempt.scheduled_ns
        end_ns = attempt.done_ns or start_ns
        mine = [call for call in calls if _within(call, attempt, start_ns, end_ns)]
        served = next((c for c in mine if c.side == "server" and c.client == "borrower"), None)
        made = [c for c in mine if c.side == "client" and c.client.startswith("gateway")]
        asked = _asked(made, end_ns)
        if end_ns < self._limit_ns(intent, start_ns) - LIMIT_MARGIN_NS:
            return self._that_failed(attempt, asked, calls)
        for one in asked:
            if one.failed_by(end_ns - CUT_SHORT_NS):
                return self._deepest(one, calls)
        return self._that_took_long(served, asked, calls, start_ns, end_ns)

    def _limit_ns(self, intent: Intent, start_ns: int) -> int:
        patience_ns = int(self._rules.deadline_s * NS_PER_S)
        timeout_ns = int(self._rules.attempt_timeout_s * NS_PER_S)
        return min(start_ns + timeout_ns, intent.due_ns + patience_ns)

    def _that_failed(self, attempt: Attempt, asked: Sequence[Asked], calls: Sequence[Call]) -> str:
        for one in asked:
            if not one.served:
                return self._deepest(one, calls)
        # Each was answered: an answer was of no use to its caller, who names whose it was; or it
        # says no more than that an earlier try may still be at work.
        named = attempt.hop
        asked_of = {one.hop for one in asked}
        if named in asked_of or (named == "database" and "ledger" in asked_of):
            return str(named)
        for one in asked:
            if any(call.result not in SERVED for call in one.tries):
                return self._deepest(one, calls)
        return "gateway"

    def _that_took_long(
        self,
        served: Call | None,
        asked: Sequence[Asked],
        calls: Sequence[Call],
        start_ns: int,
        end_ns: int,
    ) -> str:
        """By time beyond what is usual: the first that took a third of it all, else the longest."""
        gateway = served.server if served else asked[0].tries[0].client if asked else ""
        arrived_ns = min(served.start_ns, end_ns) if served else start_ns
        queued_ns = min(served.queue_ns, end_ns - arrived_ns) if served else 0
        spent = [("queue", queued_ns)]
        away_ns = 0
        for one in asked:
            took_ns = one.end_ns - one.start_ns
            spent.append((one.hop, took_ns - self._occupied.usual_ns.get(one.hop, 0)))
            away_ns += took_ns
        # Risk and compliance are asked together: what is left may be less than it seems.
        spent.append(("gateway", end_ns - start_ns - queued_ns - away_ns))
        enough_ns = FIRST_SHARE * (end_ns - start_ns)
        place = next(
            (number for number, (_, ns) in enumerate(spent) if ns >= enough_ns),
            max(range(len(spent)), key=lambda number: spent[number][1]),
        )
        hop = spent[place][0]
        if hop == "queue":
            return self._occupied.holder(gateway, arrived_ns, arrived_ns + queued_ns)
        if hop == "gateway":
            return hop
        one = asked[place - 1]
        if self._occupied.was_silent(gateway, one.start_ns, one.end_ns):
            return "gateway"
        return self._deepest(one, calls)

    def _deepest(self, asked: Asked, calls: Sequence[Call]) -> str:
        """The hop asked, or the database behind it, when the ledger waited for that in vain."""
        if asked.hop != "ledger":
            return asked.hop
        ledgers = {call.server for call in asked.tries}
        wait_ns = WAITED_SHARE * (asked.end_ns - asked.start_ns)
        for call in calls:
            if (
                call.side != "client"
                or call.client not in ledgers
                or role(call.server) != "database"
            ):
                continue
            done_ns = call.done_ns if call.done_ns is not None else asked.end_ns
            if call.start_ns > asked.end_ns or done_ns < asked.start_ns:
                continue
            within_ns = min(done_ns, asked.end_ns) - max(call.start_ns, asked.start_ns)
            failed = call.result not in SERVED
            long = within_ns >= wait_ns and within_ns > self._occupied.usual_ns.get("database", 0)
            # What fails so quickly is no process that was frozen meanwhile.
            if failed and done_ns - call.start_ns < SILENT_NS:
                return "database"
            if (failed or long) and self._occupied.database_was_bad(
                call.client, call.start_ns, done_ns
            ):
                return "database"
        return asked.hop


def _within(call: Call, attempt: Attempt, start_ns: int, end_ns: int) -> bool:
    """Of this attempt? Calls carry its number, polls and a ledger's own calls none."""
    return start_ns <= call.start_ns <= end_ns + ARRIVAL_NS and call.attempt in (0, attempt.n)


def _asked(made: Iterable[Call], end_ns: int) -> list[Asked]:
    """Tries for one thing follow one another at one hop until one is answered."""
    tries: dict[str, list[Call]] = {}
    found: list[Asked] = []

    def close(hop: str) -> None:
        mine = tries.pop(hop)
        done_ns = mine[-1].done_ns
        last_ns = end_ns if done_ns is None else min(done_ns, end_ns)
        found.append(Asked(hop, tuple(mine), mine[0].start_ns, max(last_ns, mine[0].start_ns)))

    for call in made:
        hop = role(call.server)
        if call.start_ns > end_ns:
            continue
        tries.setdefault(hop, []).append(call)
        if call.result in SERVED:
            close(hop)
    for hop in list(tries):
        close(hop)
    return sorted(found, key=lambda one: one.start_ns)
