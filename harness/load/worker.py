"""A worker's share of the intents: offered when due, each walked by a greenlet of a warm pool.

Greenlets are made before the load starts. Making one at each arrival was 34 ms late at p99 at
3,000 a second; a warm pool was 1.6 ms.
"""

import gc
from collections.abc import Callable

import gevent
from gevent.queue import SimpleQueue

from harness.clock import NS_PER_S
from harness.evidence.rows import Intent
from harness.load.alarm import Alarm, Heartbeat
from harness.load.borrower import Act, Acts, Came, journey, patience, repaying
from harness.load.courier import Courier, Share
from harness.load.doors import door
from harness.load.health import Health
from harness.load.outcome import DROPPED, Answer, of_look
from harness.load.plan import ORDERED
from harness.load.repayments import repayment_of
from harness.load.sender import Sender, Sent
from harness.load.tally import Tally
from harness.seeds import Dice

WARM = 256
SPARE = 8
GC_OBJECTS = 100_000
BEAT_NS = 5_000_000
FLUSH_S = 0.5
LOOK_S = 0.5
LOOK_LEAD_S = 0.6
LOOK_EVERY_S = 0.15
Note = Callable[[str, float, Exception | None], None]
Clock = Callable[[], int]


class Worker:
    """One share's load. `progress` may be asked at any time; `run` returns when all ended.

    All times are by `clock`, this worker's own; the courier turns them into the controller's.
    """

    def __init__(self, share: Share, courier: Courier, note: Note, clock: Clock) -> None:
        self._plan = share.plan
        self._name = share.worker
        self._mine = share.intents
        self._courier = courier
        self._note = note
        self._clock = clock
        self._alarm = Alarm(clock)
        self._health = Health(share.worker, clock)
        self._tally = Tally(share.intents)
        self._work: SimpleQueue = SimpleQueue()
        self._made = 0
        self._walking = 0
        self._resting = 0  # of those walking: wait for their repayment, with nothing in flight
        self._looking = 0  # looks that nobody waits for
        self._t0_ns = 0
        self._senders: list[tuple[str, Sender]] = []
        self._given_up = False
        self._owing: set[int] = set()  # draws that have ended, their repayment not yet
        self.stopped: str | None = None
        self.failure: str | None = None

    def warm_up(self) -> None:
        """Make the greenlets, and keep what exists out of garbage collection, which is to be rare.

        A draw leaves no cycles behind: at 2,000 a second nothing was ever collected, but looking
        for it took up to 20 ms at a time. At this threshold it is looked for when 100,000 new
        objects have stayed, so that memory is still bounded.
        """
        for _ in range(min(WARM, self._plan.in_flight)):
            self._grow()
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_OBJECTS, 10, 100)

    def _grow(self) -> None:
        self._made += 1
        gevent.spawn(self._walk_all).link_exception(self._died)

    def _died(self, greenlet: gevent.Greenlet) -> None:
        self.failure = self.failure or f"{type(greenlet.exception).__name__}: {greenlet.exception}"

    def run(self, t0_ns: int, urls: dict[str, str]) -> None:
        """Offer everything when due; returns when each intent has ended and the courier knows."""
        self._t0_ns = t0_ns
        self._senders = [
            (name, Sender(url, self._plan.token, self._clock)) for name, url in urls.items()
        ]
        heart = Heartbeat(BEAT_NS, self._health.lag)
        counting = gevent.spawn(self._count_seconds)
        counting.link_exception(self._died)
        self._offer()
        # To the end, even if its last draws are long over: each second says how this machine was.
        end_ns = t0_ns + int(self._plan.load_s * NS_PER_S)
        while self.failure is None and (
            self._busy or (self._clock() < end_ns and not self.stopped)
        ):
            gevent.sleep(0.02)
        heart.stop()
        counting.kill()
        self._close_second(self._second())

    @property
    def _busy(self) -> bool:
        return self._tally.done < self._tally.offered or bool(self._owing) or self._looking > 0

    @property
    def offered(self) -> tuple[Intent, ...]:
        """The intents that have been offered, in due order."""
        return self._mine[: self._tally.offered]

    def stop_early(self, why: str = ORDERED) -> None:
        """Offer nothing more; what is under way ends by itself."""
        self.stopped = self.stopped or why

    def give_up(self) -> None:
        """Ask for no unknown any more."""
        self._given_up = True

    def _offer(self) -> None:
        for intent in self._mine:
            due_ns = self._t0_ns + intent.due_ns
            self._sleep_until(due_ns - int(LOOK_LEAD_S * NS_PER_S))
            if self.stopped or self.failure is not None:
                return
            self._tally.offered += 1
            # Those handed out and not yet begun count too: a greenlet takes one when it next runs,
            # and hundreds may be due at one moment.
            free = self._made - self._walking - self._work.qsize()
            may_grow = self._made - self._resting < self._plan.in_flight
            if free <= 0 and not may_grow:
                self._drop(intent)
                continue
            if free < SPARE and may_grow:
                self._grow()
            self._work.put(intent)

    def _drop(self, intent: Intent) -> None:
        """As many are in flight as may be: this one is not sent, and says so."""
        due_ns = self._t0_ns + intent.due_ns
        self._health.dropped()
        self._keep(
            (
                intent.intent, "press", 1, due_ns, None, None, None, 0, DROPPED.outcome,
                DROPPED.cause, DROPPED.hop, DROPPED.reason, "", self._name,
            )
        )  # fmt: skip
        self._note("press", 0.0, ConnectionError(DROPPED.reason))
        self._tally.end(intent.intent, DROPPED.outcome)

    def _sleep_until(self, at_ns: int) -> None:
        left_ns = at_ns - self._clock()
        while left_ns > 0 and not self.stopped:
            gevent.sleep(min(left_ns / NS_PER_S, 0.5))
            left_ns = at_ns - self._clock()

    def _walk_all(self) -> None:
        while True:
            intent = self._work.get()
            self._walking += 1
            end = "failed"
            try:
                end = self._walk(intent)
            finally:
                self._walking -= 1
                if intent.intent in self._owing:
                    self._owing.discard(intent.intent)  # the draw has ended before
                else:
                    self._tally.end(intent.intent, end)

    def _walk(self, intent: Intent) -> str:
        """One intent from its look to its end; what its last answer was."""
        dice = Dice(self._plan.seed, f"borrower/{intent.intent}")
        due_ns = self._t0_ns + intent.due_ns
        rules = self._plan.patience
        self._look_around(intent, dice)
        give_up_ns = self._t0_ns + int((self._plan.load_s + self._plan.late_s) * NS_PER_S)

        def give_up() -> bool:
            return self._given_up or self._clock() >= give_up_ns

        load_end_ns = self._t0_ns + int(self._plan.load_s * NS_PER_S)
        draw = patience(due_ns, rules, dice, give_up)
        acts = journey(draw, self._repay(intent, give_up), load_end_ns)
        act = next(acts)
        while True:
            if act.kind == "repay" and act.n == 1:
                self._owing.add(intent.intent)
                self._tally.end(intent.intent, "granted")
                self._resting += 1
                self._sleep_until(act.at_ns)
                self._resting -= 1
                if self.stopped:
                    return "granted"
            self._alarm.wait_until(act.at_ns)
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
        dice = Dice(self._plan.seed, f"repaying/{intent.intent}")
        due_ns = self._t0_ns + owed.due_ns
        rules = self._plan.patience
        return lambda granted_ns: repaying(owed, max(due_ns, granted_ns), rules, dice, give_up)

    def _look_around(self, intent: Intent, dice: Dice) -> None:
        """As many looks at one's quota as the plan has for a draw, the part of one by the dice. The
        first is waited for; the others follow at their own times, whatever came of those before."""
        whole, part = divmod(self._plan.quota_per_draw, 1)
        looks = int(whole) + (dice.random() < part) if whole or part else 0
        for n in range(2, looks + 1):
            self._looking += 1
            gevent.spawn_later((n - 1) * LOOK_EVERY_S, self._look_again, intent, n).link_exception(
                self._died
            )
        if looks:
            self._look(intent, 1)

    def _look_again(self, intent: Intent, n: int) -> None:
        try:
            self._look(intent, n)
        finally:
            self._looking -= 1

    def _look(self, intent: Intent, n: int) -> None:
        """See one's quota before drawing; whatever comes of it, the draw is made when due."""
        name, sender = self._gateway(intent, 0)
        asked_ns = self._clock()
        path = f"/v1/borrowers/{intent.borrower}/quota"
        headers = {"X-Deadline-Ms": str(int(LOOK_S * 1000))}
        sent = sender.attempt("GET", path, None, headers, LOOK_S, of_look)
        self._record(intent, "look", n, asked_ns, sent, name)

    def _act(self, intent: Intent, act: Act) -> tuple[Sent, str]:
        name, sender = self._gateway(intent, act.moved)
        headers = {
            "Idempotency-Key": intent.draw_key if act.owed is None else act.owed.repay_key,
            "X-Attempt": str(act.n),
            "X-Deadline-Ms": str(act.deadline_ms),
        }
        if act.owed is not None:
            owed = {"borrower": act.owed.borrower, "amount_fen": act.owed.amount_fen}
            return sender.attempt("POST", "/v1/repayments", owed, headers, act.timeout_s), name
        if act.kind == "poll":
            path = f"/v1/draws/{intent.draw_key}"
            return sender.attempt("GET", path, None, headers, act.timeout_s), name
        body = {
            "borrower": intent.borrower,
            "amount_fen": intent.amount_fen,
            "purpose": intent.purpose,
        }
        path = f"/v1/draws/{intent.draw_key}/close" if act.kind == "close" else "/v1/draws"
        return sender.attempt("POST", path, body, headers, act.timeout_s), name

    def _gateway(self, intent: Intent, moved: int) -> tuple[str, Sender]:
        gateways, cells = len(self._senders), self._plan.cells
        return self._senders[door(gateways, intent.intent, intent.borrower, moved, cells=cells)]

    def _record(
        self, intent: Intent, kind: str, n: int, scheduled_ns: int, sent: Sent, replica: str
    ) -> None:
        answer = sent.answer
        self._tally.attempted += 1
        self._health.sent(max(0, sent.sent_ns - scheduled_ns), sent.connect_ns)
        self._keep(
            (
                intent.intent, kind, n, scheduled_ns, sent.sent_ns, sent.first_byte_ns,
                sent.done_ns, sent.status, answer.outcome, answer.cause, answer.hop,
                answer.reason, replica, self._name,
            )
        )  # fmt: skip
        trouble = None if sent.status else ConnectionError(answer.reason)
        self._note(kind, (sent.done_ns - sent.sent_ns) / 1e6, trouble)

    def _keep(self, row: tuple[object, ...]) -> None:
        self._courier.keep("attempts", row, self._second())

    def _second(self) -> int:
        """From t = 0."""
        return (self._clock() - self._t0_ns) // NS_PER_S

    def _count_seconds(self) -> None:
        while True:
            second = self._second()
            end_ns = self._t0_ns + (second + 1) * NS_PER_S
            while (left_ns := end_ns - self._clock()) > 0:
                gevent.sleep(min(FLUSH_S, left_ns / NS_PER_S))
                self._courier.flush("attempts", second)
            self._close_second(second)

    def _close_second(self, second: int) -> None:
        """Its row comes after everything that was seen in it."""
        self._courier.flush("attempts", second)
        self._courier.keep("generator", self._health.close_second(second), second)
        self._courier.flush("generator", second)

    def progress(self) -> dict[str, int]:
        """Counts so far; empty before t = 0 is known."""
        if not self._t0_ns:
            return {}
        patience_ns = int(self._plan.patience.attempt_timeout_s * NS_PER_S)
        at_ns = self._clock() - self._t0_ns
        return self._tally.counts(at_ns, patience_ns, self._plan.windows_ms)
