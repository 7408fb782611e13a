"""Who noticed a cut site though nothing of theirs was cut. Pure: sums over the judged intents."""

from collections.abc import Sequence

from harness.clock import NS_PER_S
from harness.faults.site import SITE, site_of
from harness.judge.ends import OF_PHASE, Ends, IntentEnd
from harness.judge.view import RunView

LATE_NS = 1 * NS_PER_S
NOTICED = """
WITH own AS (
    SELECT intent, due_ns FROM ends
    WHERE {fault} AND list_contains($doors, (borrower - 1) % $gateways)
)
SELECT count(*), count(*) FILTER (first.outcome IS NULL
    OR first.outcome NOT IN ('granted', 'refused') OR first.done_ns - own.due_ns > $late_ns)
FROM own LEFT JOIN (
    SELECT intent, outcome, done_ns FROM attempts WHERE kind = 'press' AND n = 1
) first USING (intent)
"""


def spillover(view: RunView, ends: Sequence[IntentEnd]) -> float | None:
    """Draws that noticed a cut site, of borrowers whose own gateway is at the other site ÷ all of
    theirs. To notice is: the first press was not answered with a grant or a refusal, or more than a
    second after the draw was due.

    Over the draws of the fault phase. A borrower's own gateway goes by its number, whether or not
    the lender has cells. Null without a site that was seen to be cut off, with both of them cut,
    or when nobody of the other site drew.
    """
    cut = {one.edge_or_replica for one in view.faults if one.observed_ns is not None}
    cut &= {f"{SITE}a", f"{SITE}b"}
    if len(cut) != 1 or {"attempts", "intents"} & {*view.missing, *view.cut}:
        return None
    gateways = dict(view.scenario.lender.replicas)["gateway"]
    # Gateway 1 is the first door of borrower 1, and so on (harness/load/doors.py).
    doors = [n for n in range(gateways) if f"{SITE}{site_of(f'gateway-{n + 1}')}" not in cut]
    at = {"doors": doors, "gateways": gateways, "late_ns": LATE_NS}
    due, noticed = view.books.one(NOTICED.format(fault=OF_PHASE["fault"]), at, ends=Ends.of(ends))
    return noticed / due if due else None
