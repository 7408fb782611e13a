"""The guarantee by who drew and by who served: borrower group, and replica."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from harness.judge.ends import Ends, IntentEnd
from harness.judge.guarantee import COUNTED, Group, Share, share_of
from harness.judge.view import RunView
from harness.judge.ways import know_ways

# A draw's replicas are the bits of a number: of a few dozen there are few sets, and of draws many.
# Its calls are found by a 64-bit number made of its key, which is quicker: of ten million keys two
# share one in one of some hundred thousand runs.
AT_ONCE = 60
SERVERS = """
SELECT DISTINCT server FROM ways_called WHERE side = 'client'
UNION SELECT DISTINCT replica FROM attempts
WHERE kind IN ('press', 'poll', 'close') AND replica <> ''
ORDER BY ALL
"""
PASSED = """
WITH bits AS (
    SELECT unnest($servers::VARCHAR[]) AS server,
        1::BIGINT << unnest(range(len($servers::VARCHAR[])))::INT AS bit
), called AS (
    SELECT hash(c.draw_key) AS nr, bit_or(b.bit) AS bits FROM calls c JOIN bits b USING (server)
    WHERE c.side = 'client' GROUP BY nr
), asked AS (
    SELECT a.intent, bit_or(b.bit) AS bits FROM attempts a JOIN bits b ON b.server = a.replica
    WHERE a.kind IN ('press', 'poll', 'close') GROUP BY a.intent
), passing AS (
    SELECT e.* EXCLUDE (draw_key, exposed_to), coalesce(c.bits, 0) | coalesce(a.bits, 0) AS bits
    FROM ends e LEFT JOIN called c ON c.nr = hash(e.draw_key) LEFT JOIN asked a USING (intent)
)
"""


def by_group(view: RunView, ends: Sequence[IntentEnd]) -> dict[str, Share]:
    """The guarantee and access of the borrowers of each group.

    Over all scheduled draws of the group, whole drill.
    """
    groups: dict[str, list[Group]] = defaultdict(list)
    question = COUNTED.format(by='"group", ', of="ends", where="true")
    for group, *row in view.books.ask(question, ends=Ends.of(ends)):
        groups[group].append(Group(*row))
    return {group: share_of(groups[group]) for group in sorted(groups)}


def by_replica(view: RunView, ends: Sequence[IntentEnd]) -> Mapping[str, Share] | None:
    """The guarantee and access of the draws that passed each replica or bank.

    Over the scheduled draws that one of its calls belonged to, whole drill: of a gateway by what
    borrowers asked it, of others by what was called. A draw counts once at each that it passed, so
    the counts overlap; one that came to nobody counts at none. Null when attempts or calls are not
    all there.
    """
    if {"attempts", "calls"} & {*view.missing, *view.cut}:
        return None
    know_ways(view.books)
    whole = Ends.of(ends)
    servers = [name for (name,) in view.books.ask(SERVERS)]
    question = PASSED + COUNTED.format(by="bits, ", of="passing", where="bits <> 0")
    found: dict[str, list[Group]] = {name: [] for name in servers}
    for start in range(0, len(servers), AT_ONCE):
        some = servers[start : start + AT_ONCE]
        for bits, *row in view.books.ask(question, {"servers": some}, ends=whole):
            for place, name in enumerate(some):
                if bits >> place & 1:
                    found[name].append(Group(*row))
    return {name: share_of(groups) for name, groups in found.items() if groups}
