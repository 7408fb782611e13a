"""The guarantee by who drew and by who served: borrower group, and replica."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from harness.evidence.rows import DRAWING
from harness.judge.ends import IntentEnd
from harness.judge.guarantee import Share, share_of
from harness.judge.view import RunView


def by_group(ends: Sequence[IntentEnd]) -> dict[str, Share]:
    """The guarantee and access of the borrowers of each group.

    Over all scheduled draws of the group, whole drill.
    """
    groups: dict[str, list[IntentEnd]] = defaultdict(list)
    for end in ends:
        groups[end.intent.group].append(end)
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
    passed: dict[str, set[int]] = defaultdict(set)
    asked = view.attempts.where(kind=DRAWING)
    for replica, intent in set(asked.columns("replica", "intent")):
        if replica:
            passed[replica].add(intent)
    numbers = dict(view.intents.columns("draw_key", "intent"))
    made = view.calls.where(side="client")
    for server, key in set(made.columns("server", "draw_key")):
        if key in numbers:
            passed[server].add(numbers[key])
    known = {end.intent.intent: end for end in ends}
    return {
        server: share_of(known[intent] for intent in passed[server] if intent in known)
        for server in sorted(passed)
    }
