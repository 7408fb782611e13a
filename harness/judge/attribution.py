"""Why each broken intent broke: one cause, and the hop where it first went wrong.

By what the evidence shows. The lender's own words are taken only where its record of calls bears
them out: a failure that is sold as a decision is found by looking for the decision.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.clock import NS_PER_S
from harness.evidence.rows import DRAWING, MACHINE, Attempt, Call
from harness.judge.ends import Ends, IntentEnd
from harness.judge.exposure import Exposure
from harness.judge.health import bad_seconds
from harness.judge.view import RunView

SLOW_NS = NS_PER_S // 2
DECIDERS = ("risk", "compliance")


def attribute(view: RunView, ends: Sequence[IntentEnd], exposures: Mapping[str, Exposure]) -> Ends:
    """The same ends, the broken ones with cause, hop and the faults that touched them."""
    judged = Ends.of(ends)
    broken_ends = tuple(judged.broken)
    broken = [end.intent for end in broken_ends]
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in view.attempts.where(kind=DRAWING, intent=[one.intent for one in broken]):
        attempts[attempt.intent].append(attempt)
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in view.calls.where(side="client", draw_key=[one.draw_key for one in broken]):
        calls[call.draw_key].append(call)
    bad = bad_seconds(view)
    found = []
    for end in broken_ends:
        number = end.intent.intent
        second = (end.intent.due_ns - view.t0_ns) // NS_PER_S
        ours = not attempts[number] or any(
            a.outcome == "dropped" or (a.hop == MACHINE and not a.status) for a in attempts[number]
        )
        if second in bad or ours:
            cause, hop = "system", MACHINE
        else:
            mine = sorted(attempts[number], key=lambda a: a.sent_ns or a.scheduled_ns)
            cause, hop = _why(mine, calls[end.intent.draw_key])
        touched = tuple(name for name, one in exposures.items() if number in one.intents)
        found.append(replace(end, cause=cause, hop=hop, avoidable=end.lawful, exposed_to=touched))
    return judged.but_for(found)


def _why(attempts: Sequence[Attempt], calls: Sequence[Call]) -> tuple[str, str]:
    """Cause and hop, by the first attempt that was not granted."""
    for attempt in attempts:
        if attempt.outcome == "granted" or attempt.kind != "press":
            continue
        if attempt.outcome == "refused" and attempt.hop in DECIDERS:
            decided = any(role(c.server) == attempt.hop and c.result == "refused" for c in calls)
            if decided:
                return str(attempt.hop), str(attempt.hop)
        if attempt.outcome == "refused" and attempt.cause == "liquidity":
            return "liquidity", str(attempt.hop or "ledger")
        return "system", _hop(attempt, calls)
    return "system", "gateway"


def _hop(attempt: Attempt, calls: Sequence[Call]) -> str:
    """Where this attempt first went wrong: the first call of its time that failed, was slow, or
    had not come back when the borrower gave up. Without one it never got past the gateway."""
    start_ns = attempt.sent_ns or attempt.scheduled_ns
    end_ns = attempt.done_ns or start_ns
    wrong = [
        call for call in calls if start_ns <= call.start_ns <= end_ns and _went_wrong(call, end_ns)
    ]
    if not wrong:
        return "gateway"
    return role(min(wrong, key=lambda call: call.start_ns).server)


def _went_wrong(call: Call, end_ns: int) -> bool:
    if call.result not in ("ok", "refused"):
        return True
    return call.done_ns is None or call.done_ns > end_ns or call.done_ns - call.start_ns > SLOW_NS


def role(server: str) -> str:
    """`ledger-1` is the hop `ledger`; a bank is a hop of its own, and so is `database`, which a
    ledger that knows of no primary writes."""
    return server if server.startswith("bank.") else server.rpartition("-")[0] or server
