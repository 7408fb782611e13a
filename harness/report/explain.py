"""One draw's story, hop by hop: what was promised and why, what was asked and answered, what became
of the money. Pure: from the view and its verdict to plain text.

Times are seconds from the due time, unless they say otherwise. Whatever a target has written is
escaped.
"""

from collections.abc import Iterable, Iterator, Sequence

from harness.clock import NS_PER_MS, NS_PER_S
from harness.evidence.rows import DRAWING, Attempt, Call
from harness.judge.disagreements import disagreements
from harness.judge.doubts import evidence_wrong
from harness.judge.ends import IntentEnd
from harness.judge.exposure import window_ns
from harness.judge.oracle import Oracle, lasts
from harness.judge.verdict import Verdict
from harness.judge.view import RunView
from harness.terminal import plain
from harness.units import format_yuan

AVOIDABLE = {
    True: "avoidable", False: "unavoidable", None: "whether it was avoidable is not known",
}  # fmt: skip
OF_LEDGER = ("draws", "tries", "versions", "postings")
# The lender's answer to who asks again while it is at work: 202, which accuses nobody.
UNDER_WAY_STATUS, UNDER_WAY = 202, "still being worked on"
END_WORDS = {
    "kept": "KEPT",
    "broken": "BROKEN",
    "rightly_refused": "RIGHTLY REFUSED",
    "wrongly_approved": "WRONGLY APPROVED",
    "withheld": "WITHHELD",
    "granted_anyway": "WITHHELD, and granted anyway",
}


def explain(view: RunView, verdict: Verdict, end: IntentEnd) -> str:
    """The story of one draw. Where the evidence is not all there, what it has of the draw, and
    nothing of what was computed from it."""
    return "\n".join(map(plain, _Story(view, verdict, end).lines()))


class _Story:
    """Of one draw."""

    def __init__(self, view: RunView, verdict: Verdict, end: IntentEnd) -> None:
        self._view = view
        self._verdict = verdict
        self._end = end
        self._intent = end.intent
        self._wrong = evidence_wrong(view, verdict.parts)

    def lines(self) -> Iterator[str]:
        """The whole story."""
        intent, view = self._intent, self._view
        yield from untold(self._wrong)
        due_s = (intent.due_ns - view.t0_ns) / NS_PER_S
        straddling = ", straddling the first fault" if intent.straddling else ""
        yield (
            f"draw {intent.draw_key} (intent {intent.intent}): borrower {intent.borrower} "
            f"({intent.group}) wants {format_yuan(intent.amount_fen)} for {intent.purpose}"
        )
        yield f"due {due_s:.3f} s after t = 0, in phase {intent.phase}{straddling}"
        if not self._wrong:
            yield self._ending()
        yield ""
        if not self._wrong:
            yield from _part("promised", self._promise())
        yield from self._record("attempts, as the borrower saw them", self._attempts(), "attempts")
        yield from self._record(
            "calls between the lender's parts, by both sides", self._calls(), "calls"
        )
        yield from self._record("the ledger", self._ledger(), *OF_LEDGER)
        yield from self._record("the banks", self._banks(), "payouts", "tombstones")
        if not self._wrong:
            yield from _part("faults that touched it", self._faults())
            yield from _part("how it ended", self._outcome())

    def _record(self, title: str, lines: Iterable[str], *tables: str) -> Iterator[str]:
        """What some tables have of the draw; of those that are not all there, that they are not."""
        spoilt = {"not there": self._view.missing, "cut short or changed": self._view.cut}
        known = [
            f"not known: {', '.join(gone)}: {what}"
            for what, names in spoilt.items()
            if (gone := [name for name in tables if name in names])
        ]
        yield from _part(title, [*known, *lines])

    def _ending(self) -> str:
        end = self._end
        text = self._late() if end.end == "broken_late" else END_WORDS[end.end]
        if end.broken:
            text += f": {end.cause} at {end.hop}, {AVOIDABLE[end.avoidable]}"
        return text

    def _late(self) -> str:
        """Which of the ways to come too late it was."""
        end = self._end
        if end.granted_ns is not None:
            after_s = (end.granted_ns - self._deadline_ns()) / NS_PER_S
            return f"BROKEN, granted too late, {after_s:.2f} s after the borrower's deadline"
        if end.paid_ns is not None:
            return "BROKEN, paid, and the borrower never learned of it"
        return "BROKEN, not known in time: nobody knows how it ended"

    def _deadline_ns(self) -> int:
        return self._intent.due_ns + int(self._view.scenario.load.patience.deadline_s * NS_PER_S)

    def _at(self, at_ns: int | None) -> str:
        """Seconds from the due time, or that it never was."""
        if at_ns is None:
            return "   never"
        return f"{(at_ns - self._intent.due_ns) / NS_PER_S:+.3f} s"

    def _promise(self) -> Iterator[str]:
        intent, view, oracle = self._intent, self._view, Oracle(self._view)
        person = next(iter(view.population.where(borrower=intent.borrower)), None)
        yield "yes" if self._end.promised else "no"
        if person is None:
            yield "nobody knows this borrower"
            return
        oracle.know([intent.borrower])
        available_fen = oracle.available_fen(intent)
        word = "covers" if intent.amount_fen <= available_fen else "does not cover"
        yield (
            f"limit {format_yuan(person.limit_fen)}, truly available as it fell due "
            f"{format_yuan(available_fen)}: {word} {format_yuan(intent.amount_fen)}"
        )
        if person.barred:
            yield "the borrower is barred"
        if person.delinquent:
            yield "the borrower is in arrears"
        known = {
            row.policy: row
            for row in view.published
            if row.published_ns <= intent.due_ns and row.borrower in (None, intent.borrower)
        }
        against = {
            policy.policy: policy
            for policy in view.policies
            if lasts(policy, intent.due_ns)
            and (
                oracle.says_no(policy, intent)
                or (policy.rule and oracle.law.against(policy.rule, intent, person))
            )
        }
        for number, policy in sorted(against.items()):
            told = "told of in time" if number in known else "not told of by then"
            rule = f", the rule {policy.rule}," if policy.rule else ""
            yield f"{policy.kind} {number}{rule} is against it, {told}"
        if not against:
            yield "no policy or rule was against it"
        if not oracle.permitted(intent):
            yield "a policy of risk in force at the decision says no"
        yield "lawful" if self._end.lawful else "unlawful: a rule in force forbids it"

    def _attempts(self) -> Iterator[str]:
        number = self._intent.intent
        rows = list(self._view.attempts.where(intent=number))
        for one in sorted(rows, key=lambda a: (a.sent_ns or a.scheduled_ns, a.n)):
            yield self._attempt(one)

    def _attempt(self, one: Attempt) -> str:
        if one.sent_ns is None:
            return f"{self._at(one.scheduled_ns)} {one.kind} {one.n}: never sent, {one.outcome}"
        status = f"HTTP {one.status}" if one.status else "no answer"
        words = f", {one.cause} at {one.hop}" if one.cause and one.hop else ""
        # An answer that says no more than that it is being worked on names neither.
        told = UNDER_WAY if one.status == UNDER_WAY_STATUS and not one.hop else one.reason
        reason = f" ({told})" if told and told != str(one.status) else ""
        late_ns = one.sent_ns - one.scheduled_ns
        late = f", sent {late_ns / NS_PER_MS:.0f} ms late" if late_ns > 5 * NS_PER_MS else ""
        label = "" if one.kind in DRAWING else " (goes with the draw)"
        return (
            f"{self._at(one.sent_ns)} to {self._at(one.done_ns)} {one.kind} {one.n}{label} at "
            f"{one.replica or '?'}: {one.outcome}, {status}{words}{reason}{late}"
        )

    def _calls(self) -> Iterator[str]:
        calls = list(self._view.calls.where(draw_key=self._intent.draw_key))
        for one in sorted(calls, key=lambda c: (c.start_ns, c.side, c.edge)):
            yield self._call(one)

    def _call(self, one: Call) -> str:
        took = "never ended" if one.done_ns is None else f"{_ms(one.done_ns - one.start_ns)}"
        attempt = f" for attempt {one.attempt}" if one.attempt else ""
        queue = (
            f", {_ms(one.queue_ns)} of it waiting for a slot" if one.queue_ns > NS_PER_MS else ""
        )
        sent = "" if one.sent else ", nothing sent"
        return (
            f"{self._at(one.start_ns)} {one.edge} ({one.client} to {one.server}), {one.side} side"
            f"{attempt}: {one.result}, {took}{queue}{sent}"
        )

    def _ledger(self) -> Iterator[str]:
        key = self._intent.draw_key
        # In order of time; what has none, such as the state, comes last.
        dated = [*self._draw_and_tries(key), *self._movements(key)]
        for at_ns, text in sorted(dated, key=lambda one: one[0]):
            yield f"{self._at(at_ns)} {text}"
        for draw in self._view.draws.where(draw_key=key):
            why = f", {draw.cause} at {draw.hop} ({draw.reason})" if draw.cause else ""
            yield f"state {draw.state}{why}"

    def _draw_and_tries(self, key: str) -> Iterator[tuple[int, str]]:
        for draw in self._view.draws.where(draw_key=key):
            yield draw.requested_ns, "requested"
            if draw.decided_ns is not None:
                yield (
                    draw.decided_ns,
                    f"decided: risk policy {draw.risk_policy} at {self._at(draw.risk_ns)}, "
                    f"compliance rules {draw.compliance_rules} at {self._at(draw.compliance_ns)}",
                )
            if draw.ended_ns is not None:
                yield draw.ended_ns, "ended"
        for one in self._view.tries.where(draw_key=key):
            yield (
                one.opened_ns,
                f"try {one.try_} opened: tier {one.tier}, payout key {one.payout_key}",
            )
            if one.ended_ns is not None:
                yield one.ended_ns, f"try {one.try_} {one.state}, by {one.ended_by or 'nobody'}"

    def _movements(self, key: str) -> Iterator[tuple[int, str]]:
        for version in self._view.versions.where(draw_key=key):
            sides = (
                ("held", version.held_fen), ("outstanding", version.outstanding_fen),
                ("available", version.balance_fen),
            )  # fmt: skip
            has = ", ".join(f"{name} {format_yuan(fen)}" for name, fen in sides if fen is not None)
            yield (
                version.locked_ns,
                f"{version.event} of try {version.try_}: {version.account} "
                f"version {version.version}: {has}",
            )
        for row in self._view.postings.where(draw_key=key):
            yield (
                row.locked_ns,
                f"{row.event} of try {row.try_}: {row.account} {format_yuan(row.amount_fen)}",
            )

    def _banks(self) -> Iterator[str]:
        key = self._intent.draw_key
        for payout in self._view.payouts.where(draw_key=key):
            yield (
                f"{self._at(payout.paid_ns)} {payout.bank} paid "
                f"{format_yuan(payout.amount_fen)} for {payout.payout_key}"
            )
        mine = list(self._view.tries.where(draw_key=key).column("payout_key"))
        for stone in self._view.tombstones.where(payout_key=mine):
            yield f"{self._at(stone.closed_ns)} {stone.bank} closed {stone.payout_key} for ever"

    def _faults(self) -> Iterator[str]:
        for fault in self._view.faults:
            if self._intent.intent not in self._verdict.parts.exposure[fault.name].intents:
                continue
            window = window_ns(self._view, fault)
            seen = (
                "" if window is None else f", seen {self._at(window[0])} to {self._at(window[1])}"
            )
            yield f"{fault.name} (at {fault.edge_or_replica or 'no place'}){seen}"

    def _outcome(self) -> Iterator[str]:
        end = self._end
        yield f"the borrower waits until {self._at(self._deadline_ns())}"
        yield f"told of a grant: {self._at(end.granted_ns).strip()}"
        yield f"paid in the ledger: {self._at(end.paid_ns).strip()}"
        if end.unresolved:
            yield "unresolved: nobody knows how it ended"
        yield self._ending()
        if not end.broken:
            return
        for one in disagreements(self._view, self._verdict.parts.ends):
            if one.draw_key == end.intent.draw_key:
                yield f"no fault accounts for that: {one.why}"


def untold(wrong: Sequence[str]) -> Iterator[str]:
    """That nothing computed from the evidence can be told, and what is wrong with it."""
    if wrong:
        yield "NOTHING CAN BE TOLD of broken draws, causes and hops: the evidence is not all there"
        yield from (f"in doubt    {one}" for one in wrong)
        yield ""


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield title
    found = [f"  {line}" for line in lines]
    yield from found or ["  nothing"]


def _ms(ns: int) -> str:
    return f"{ns / NS_PER_MS:.1f} ms"
