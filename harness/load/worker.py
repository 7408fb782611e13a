"""A worker's share of the intents: offered when due, each walked by a greenlet of a warm pool.

Greenlets are made before the load starts. Making one at each arrival was 34 ms late at p99 at
3,000 a second; a warm pool was 1.6 ms.
"""

import gc
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path

import gevent
from gevent.queue import SimpleQueue

from harness.clock import NS_PER_S
from harness.evidence.recorder import StreamWriter
from harness.evidence.rows import Intent
from harness.load.borrower import Act, Acts, Came, journey, patience, repaying
from harness.load.health import Health
from harness.load.outcome import Answer
from harness.load.plan import LoadPlan
from harness.load.repayments import repayment_of
from harness.load.sender import Sender, Sent
from harness.seeds import stream

WARM, MOST = 256, 4096
BEAT_S = 0.01
FLUSH_S = 0.5
LOOK_S = 0.5
LOOK_LEAD_S = 0.6
Note = Callable[[str, float, Exception | None], None]


class Worker:
    """One worker's load. `progress` may be asked at any time; `run` returns when all ended."""

    def __init__(self, plan: LoadPlan, name: str, intents: Sequence[Intent], note: Note) -> None:
        self._plan = plan
        self._name = name
        self._note = note
        self._mine = intents
        self._due = [intent.due_ns for intent in intents]
        run = Path(plan.run)
        self._attempts = StreamWriter(run / f"attempts.{name}.arrows", "attempts")
        self._seconds = StreamWriter(run / f"generator.{name}.arrows", "generator")
        self._health = Health(name)
        self._work: SimpleQueue = SimpleQueue()
        self._idle = 0
        self._made = 0
        self._t0_ns = 0
        self._senders: list[tuple[str, Sender]] = []
        self._stopped = False
        self._given_up = False
        self._offered = 0
        self._attempted = 0
        self._ended: dict[int, str] = {}
        self._owing: set[int] = set()  # draws that have ended, their repayment not yet
        self.failure: str | None = None

    def warm_up(self) -> None:
        """Make the greenlets, and keep what exists out of garbage collection."""
        for _ in range(WARM):
            self._grow()
        gc.collect()
        gc.freeze()

    def _grow(self) -> None:
        self._made += 1
        gevent.spawn(self._walk_all).link_exception(self._died)

    def _died(self, greenlet: gevent.Greenlet) -> None:
        self.failure = self.failure or f"{type(greenlet.exception).__name__}: {greenlet.exception}"

    def run(self, t0_ns: int, urls: dict[str, str]) -> None:
        """Offer everything when due; returns when each intent has ended and all is on the disk."""
        self._t0_ns = t0_ns
        self._senders = [(name, Sender(url, self._plan.token)) for name, url in urls.items()]
        beats = [gevent.spawn(self._beat), gevent.spawn(self._count_seconds)]
        for beat in beats:
            beat.link_exception(self._died)
        self._offer()
        while (len(self._ended) < self._offered or self._owing) and self.failure is None:
            gevent.sleep(0.02)
        gevent.killall(beats)
        self._close_second()
        self._attempts.close()
        self._seconds.close()

    def stop_early(self) -> None:
        """Offer nothing more; what is under way ends by itself."""
        self._stopped = True

    def give_up(self) -> None:
        """Ask for no unknown any more."""
        self._given_up = True

    def _offer(self) -> None:
        for intent in self._mine:
            due_ns = self._t0_ns + intent.due_ns
            self._sleep_until(due_ns - int(LOOK_LEAD_S * NS_PER_S))
            if self._stopped or self.failure is not None:
                return
            self._offered += 1
            if self._idle == 0 and self._made >= MOST:
                self._health.dropped()
                self._ended[intent.intent] = "dropped"
                continue
            if self._idle < 8 and self._made < MOST:
                self._grow()
            self._work.put(intent)

    def _sleep_until(self, at_ns: int) -> None:
        left_ns = at_ns - time.monotonic_ns()
        while left_ns > 0 and not self._stopped:
            gevent.sleep(min(left_ns / NS_PER_S, 0.5))
            left_ns = at_ns - time.monotonic_ns()

    def _walk_all(self) -> None:
        while True:
            self._idle += 1
            intent = self._work.get()
            self._idle -= 1
            end = "failed"
            try:
                end = self._walk(intent)
            finally:
                self._ended[intent.intent] = end
                self._owing.discard(intent.intent)

    def _walk(self, intent: Intent) -> str:
        """One intent from its look to its end; what its last answer was."""
        dice = stream(self._plan.seed, f"borrower/{intent.intent}")
        due_ns = self._t0_ns + intent.due_ns
        rules = self._plan.patience
        if dice.random() < self._plan.quota_per_draw:
            self._look(intent)
        give_up_ns = self._t0_ns + int((self._plan.load_s + self._plan.late_s) * NS_PER_S)

        def give_up() -> bool:
            return self._given_up or time.monotonic_ns() >= give_up_ns

        load_end_ns = self._t0_ns + int(self._plan.load_s * NS_PER_S)
        draw = patience(due_ns, rules, dice, give_up)
        acts = journey(draw, self._repay(intent, give_up), load_end_ns)
        act = next(acts)
        while True:
            if act.kind == "repay" and act.n == 1:
                self._owing.add(intent.intent)
                self._ended[intent.intent] = "granted"
                self._sleep_until(act.at_ns)
                if self._stopped:
                    return "granted"
            self._sleep_until_due(act.at_ns)
            sent, replica = self._act(intent, act)
            self._record(intent, act.kind, act.n, act.at_ns, sent, replica)
            try:
                act = acts.send(Came(sent.answer, sent.done_ns))
            except StopIteration as over:
                last: Answer = over.value
                return last.outcome

    def _repay(self, intent: Intent, give_up: Callable[[], bool]) -> Callable[[int], Acts] | None:
        """The repayment that is planned for a draw, once it is granted; not after the load."""
        owed = repayment_of(self._plan.seed, intent, self._plan.repay)
        if owed is None:
            return None
        dice = stream(self._plan.seed, f"repaying/{intent.intent}")
        due_ns = self._t0_ns + owed.due_ns
        rules = self._plan.patience
        return lambda granted_ns: repaying(owed, max(due_ns, granted_ns), rules, dice, give_up)

    def _sleep_until_due(self, at_ns: int) -> None:
        left_ns = at_ns - time.monotonic_ns()
        if left_ns > 0:
            gevent.sleep(left_ns / NS_PER_S)

    def _look(self, intent: Intent) -> None:
        """See one's quota before drawing; whatever comes of it, the draw is made when due."""
        name, sender = self._gateway(intent.intent, 0)
        asked_ns = time.monotonic_ns()
        path = f"/v1/borrowers/{intent.borrower}/quota"
        sent = sender.attempt("GET", path, None, {"X-Deadline-Ms": str(int(LOOK_S * 1000))}, LOOK_S)
        if sent.status == 200:
            answer = Answer("granted", over=True)
            sent = Sent(sent.sent_ns, sent.first_byte_ns, sent.done_ns, 200, answer)
        self._record(intent, "look", 1, asked_ns, sent, name)

    def _act(self, intent: Intent, act: Act) -> tuple[Sent, str]:
        name, sender = self._gateway(intent.intent, act.n)
        if act.owed is not None:
            owed = {"borrower": act.owed.borrower, "amount_fen": act.owed.amount_fen}
            headers = {
                "Idempotency-Key": act.owed.repay_key,
                "X-Deadline-Ms": str(act.deadline_ms),
            }
            return sender.attempt("POST", "/v1/repayments", owed, headers, act.timeout_s), name
        headers = {
            "Idempotency-Key": intent.draw_key,
            "X-Attempt": str(act.n),
            "X-Deadline-Ms": str(act.deadline_ms),
        }
        if act.kind == "poll":
            path = f"/v1/draws/{intent.draw_key}"
            return sender.attempt("GET", path, None, headers, act.timeout_s), name
        body = {
            "borrower": intent.borrower,
            "amount_fen": intent.amount_fen,
            "purpose": intent.purpose,
        }
        return sender.attempt("POST", "/v1/draws", body, headers, act.timeout_s), name

    def _gateway(self, intent: int, n: int) -> tuple[str, Sender]:
        return self._senders[(intent + n) % len(self._senders)]

    def _record(
        self, intent: Intent, kind: str, n: int, scheduled_ns: int, sent: Sent, replica: str
    ) -> None:
        answer = sent.answer
        self._attempted += 1
        self._health.sent(scheduled_ns, sent.sent_ns)
        self._attempts.append(
            (
                intent.intent, kind, n, scheduled_ns, sent.sent_ns, sent.first_byte_ns,
                sent.done_ns, sent.status, answer.outcome, answer.cause, answer.hop,
                answer.reason, replica, self._name,
            )
        )  # fmt: skip
        trouble = None if sent.status else ConnectionError(answer.reason)
        self._note(kind, (sent.done_ns - sent.sent_ns) / 1e6, trouble)

    def _beat(self) -> None:
        """A greenlet that oversleeps tells how late everything else was served too."""
        while True:
            before_ns = time.monotonic_ns()
            gevent.sleep(BEAT_S)
            self._health.lag(time.monotonic_ns() - before_ns - int(BEAT_S * NS_PER_S))

    def _count_seconds(self) -> None:
        while True:
            second = (time.monotonic_ns() - self._t0_ns) // NS_PER_S
            end_ns = self._t0_ns + (second + 1) * NS_PER_S
            while (left_ns := end_ns - time.monotonic_ns()) > 0:
                gevent.sleep(min(FLUSH_S, left_ns / NS_PER_S))
                self._attempts.flush()
            self._seconds.append(self._health.close_second(second))
            self._seconds.flush()

    def _close_second(self) -> None:
        second = (time.monotonic_ns() - self._t0_ns) // NS_PER_S
        self._seconds.append(self._health.close_second(second))

    def progress(self) -> dict[str, int]:
        """Counts so far. `matured`: draws due more than one attempt_timeout ago; `matured_*`:
        how many of them ended granted or refused."""
        if not self._t0_ns:
            return {}
        at_ns = time.monotonic_ns() - self._t0_ns
        ripe_ns = at_ns - int(self._plan.patience.attempt_timeout_s * NS_PER_S)
        ripe = [self._ended.get(i.intent) for i in self._mine[: bisect_right(self._due, ripe_ns)]]
        counts = {"granted": 0, "refused": 0, "failed": 0, "unknown": 0}
        for end in list(self._ended.values()):
            counts[end] = counts.get(end, 0) + 1
        return {
            "due": bisect_right(self._due, at_ns),
            "matured": len(ripe),
            "matured_granted": ripe.count("granted"),
            "matured_refused": ripe.count("refused"),
            "done": len(self._ended),
            "attempted": self._attempted,
            "in_flight": self._offered - len(self._ended),
            **counts,
        }
