"""What is believed of a lender's word on when borrowers were told: no more than was seen.

A notice is believed to be no older than the last look from outside that came before the first which
was shown it. One that nobody was ever shown, though somebody looked while it should have been
there, told nobody. Looks that no gateway answered count like those that were shown nothing: who
can't reach a notice has not been told of it, and a lender gains nothing by keeping its door shut.
Nor by keeping a look waiting: one that took longer than it may is taken for a later one.

Nor does it tell anybody any longer than it is shown: from the first look that was answered and not
shown it any more, who draws has not been told, whatever the lender's book says.

It is decided by these moments and not by a doubt, since a run that is inconclusive would be the
better end for a lender whose word is untrue.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.clock import NS_PER_S
from harness.evidence.rows import NoticeLook, Policy, Published
from harness.judge.view import RunView

NOTICE = "notice"
# A second each to connect, until the answer begins and until it ends; what takes longer came in
# drops, each of them in time.
LOOK_NS = 3 * NS_PER_S


def believed(
    published: Sequence[Published], policies: Iterable[Policy], looks: Sequence[NoticeLook]
) -> tuple[Published, ...]:
    """Rows of `published` as far as they are borne out, in their order; all of them as they are
    where nobody looked."""
    if not looks:
        return tuple(published)
    about = {one.policy: one for one in policies if one.replica is None}
    return tuple(_borne_out(published, about, looks))


def _borne_out(
    published: Iterable[Published], about: Mapping[int, Policy], looks: Sequence[NoticeLook]
) -> Iterator[Published]:
    for row in published:
        # What a lender began with is no news, and in no notice.
        if row.kind != NOTICE:
            yield row
            continue
        mine = [one for one in looks if row.borrower in (None, one.borrower)]
        told_ns = _told_ns(row, about.get(row.policy), mine)
        if told_ns is not None:
            yield row._replace(published_ns=told_ns)


def _told_ns(row: Published, policy: Policy | None, looks: Sequence[NoticeLook]) -> int | None:
    """When it may have been there at the earliest; None: nobody was told."""
    shown = [one for one in looks if _is_of(one, row, policy)]
    if shown:
        first = min(shown, key=_asked_ns)
        first_ns = _asked_ns(first)
        # Whoever was not shown it was answered after asking: by then it was not there.
        before_ns = [at_ns for at_ns in map(_asked_ns, looks) if at_ns < first_ns]
        kept_waiting = [first_ns] if first_ns > first.sent_ns else []
        return max([row.published_ns, *before_ns, *kept_waiting])
    over_ns = None if policy is None else policy.ended_ns
    looked_for = any(
        _asked_ns(one) >= row.published_ns and (over_ns is None or one.done_ns <= over_ns)
        for one in looks
    )
    return None if looked_for else row.published_ns


def hidden_ns(view: RunView) -> Mapping[int, int]:
    """By policy that all had been told of: from when on its notice was shown to nobody any more."""
    about = {one.policy: one for one in view.policies if one.replica is None}
    answered = [one for one in view.notice_looks if one.status == 200]
    found: dict[int, int] = {}
    for row in view.published:
        if row.kind != NOTICE or row.borrower is not None:
            continue
        policy = about.get(row.policy)
        last_ns = max((o.sent_ns for o in answered if _is_of(o, row, policy)), default=None)
        gone_ns = [o.done_ns for o in answered if last_ns is not None and o.sent_ns > last_ns]
        if gone_ns:
            found[row.policy] = min(gone_ns)
    return found


def _asked_ns(look: NoticeLook) -> int:
    return max(look.sent_ns, look.done_ns - LOOK_NS)


def _is_of(look: NoticeLook, row: Published, policy: Policy | None) -> bool:
    """Was it that very notice? A number alone could be anything that is filled in later."""
    if look.policy != row.policy:
        return False
    return policy is None or (look.kind, look.rule) == (policy.kind, policy.rule)
