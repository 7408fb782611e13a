"""What breakers did to calls, and what calls should have told them, by the record of calls."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from harness.clock import NS_PER_S
from harness.evidence.columnar import Columns
from harness.evidence.derived import arrow_table
from harness.judge.view import RunView
from harness.judge.ways import know_ways
from harness.judge.weather import Pair, Span

# So many calls in a row that all failed or were slow: any breaker must have opened by then. (One
# that opens at half of twenty calls, at least ten, has opened long before.)
BAD_IN_A_ROW = 20
SLOW_NS = NS_PER_S // 2
Spans = Mapping[Pair, Iterable[Span]]

# Calls are asked for by who made them to whom; `ways` is a table of that.
WAYS: Mapping[str, str] = {
    "client": "string", "server": "string", "from_ns": "int64", "to_ns": "int64",
}  # fmt: skip
PAIRS = "SELECT DISTINCT client, server FROM ways_called WHERE side = 'client'"
UNSENT = "SELECT count(*) FROM ways_called WHERE side = 'client' AND result = 'not_sent'"
REFUSED = """
SELECT client, server, start_ns FROM calls c JOIN ways w USING (client, server)
WHERE side = 'client' AND result = 'not_sent' AND start_ns BETWEEN from_ns AND to_ns
"""
SERVED = """
WITH unsent AS MATERIALIZED (
    SELECT draw_key, client, server, start_ns AS from_ns, coalesce(done_ns, start_ns) AS to_ns
    FROM calls WHERE side = 'client' AND result = 'not_sent'
)
SELECT count(*) FROM (
    SELECT DISTINCT s.draw_key, s.client, s.server, s.start_ns
    FROM calls s JOIN unsent u USING (draw_key, client, server)
    WHERE s.side = 'server' AND s.start_ns BETWEEN u.from_ns AND u.to_ns
)
"""
# Those that were sent and ended while a fault was on them. A refusal for a reason of business is an
# answer.
MET = f"""
SELECT client, server, done_ns, start_ns,
    done_ns - start_ns > {SLOW_NS} OR result NOT IN ('ok', 'refused') AS bad
FROM calls JOIN ways USING (client, server)
WHERE side = 'client' AND sent AND done_ns IS NOT NULL AND start_ns BETWEEN from_ns AND to_ns
"""
FAILED = f"SELECT client, server, count(*) FROM ({MET}) WHERE bad GROUP BY client, server"
# How many of them in a row were bad, in the order in which they ended.
IN_A_ROW = f"""
WITH islands AS (
    SELECT client, server, bad, count(*) FILTER (NOT bad)
        OVER (PARTITION BY client, server ORDER BY done_ns, start_ns, bad) AS island
    FROM ({MET})
)
SELECT client, server FROM islands WHERE bad
GROUP BY client, server, island HAVING count(*) >= {BAD_IN_A_ROW}
"""
# Calls of a caller since a moment: any, and those to the target that went well.
SINCE = f"""
SELECT count(*), count(*) FILTER (
    server = $target AND sent AND done_ns - start_ns <= {SLOW_NS} AND result IN ('ok', 'refused')
) FROM calls
WHERE side = 'client' AND client = $caller AND start_ns BETWEEN $since_ns AND $end_ns
"""

ASKED = """
SELECT count(*) FROM calls
WHERE side = 'client' AND client = $caller AND server = $target AND start_ns < $before_ns
"""


def callers(view: RunView) -> list[Pair]:
    """Who called whom."""
    know_ways(view.books)
    return [(client, server) for client, server in view.books.ask(PAIRS)]


def refused(view: RunView, spans: Spans) -> Mapping[Pair, list[int]]:
    """When each called and was not let out, within these spans, ns."""
    found: dict[Pair, list[int]] = defaultdict(list)
    for client, server, start_ns in view.books.ask(REFUSED, ways=_ways(spans)):
        found[client, server].append(start_ns)
    return found


def failed(view: RunView, spans: Spans) -> Mapping[Pair, int]:
    """How many of each one's calls were sent within these spans and failed, or were slow."""
    rows = view.books.ask(FAILED, ways=_ways(spans))
    return {(client, server): count for client, server, count in rows}


def failed_in_a_row(view: RunView, spans: Spans) -> frozenset[Pair]:
    """Those of whom BAD_IN_A_ROW did, one after the other."""
    if not spans:
        return frozenset()
    rows = view.books.ask(IN_A_ROW, ways=_ways(spans))
    return frozenset((client, server) for client, server in rows)


def served_unsent(view: RunView) -> int:
    """Calls that were written down as never sent, and that their server has answered."""
    (unsent,) = view.books.one(UNSENT)
    return int(view.books.one(SERVED)[0]) if unsent else 0


def well_since(view: RunView, pair: Pair, since_ns: int, end_ns: int) -> tuple[int, int]:
    """How many calls the caller made in this time; and how many of them to the target went well."""
    at = {"caller": pair[0], "target": pair[1], "since_ns": since_ns, "end_ns": end_ns}
    made, well = view.books.one(SINCE, at)
    return made, well


def asked_before(view: RunView, pair: Pair, before_ns: int) -> bool:
    """Did the caller call the target at all before this moment?"""
    at = {"caller": pair[0], "target": pair[1], "before_ns": before_ns}
    (asked,) = view.books.one(ASKED, at)
    return bool(asked)


def _ways(spans: Spans) -> Columns[Any]:
    """The table `ways`."""
    rows = [(*pair, *span) for pair, mine in sorted(spans.items()) for span in mine]
    return Columns[Any](arrow_table(rows, WAYS))
