"""What each fault of an edge looks like from outside, beside how the server itself does. Pure.

A look says what is asked, when the server is well enough to tell the edge from it, and whether an
answer bears the fault: yes, no, or not to be told.
"""

from dataclasses import dataclass
from typing import Protocol

from harness.faults.network_probes import Question, Seen

# How long silence must last; the lender's services answer a health check in milliseconds.
SILENT_S = 0.25
QUICK_S = 0.1
LOOK_S_MAX = 0.5
# The least delay that a probe can tell: its patience, 0.6 of it and 10 ms, must not be longer.
LATE_S_LEAST = 0.025
# A rate is believed within this of what it should be, and gone when it is twice as high.
RATE_SLACK = 1.3
RATE_GONE = 2.0
RATE_S = 0.25
PIECES_LOOKED_AT = 4
ANSWER_BYTES_LEAST = 60


class Look(Protocol):
    """One kind of fault, as it is seen."""

    @property
    def question(self) -> Question:
        """What is asked on each connection."""

    def well(self, beside: Seen) -> bool:
        """Can the edge be told from the server, which was asked directly?"""

    def hit(self, through: Seen, beside: Seen) -> bool | None:
        """Does what came through the edge bear the fault? None: it can't be told."""


@dataclass(frozen=True, slots=True)
class Late:
    """Answers come at least `least_s` late. What is still silent after most of it is late enough,
    so that the wait is bounded."""

    least_s: float

    @property
    def patience_s(self) -> float:
        return min(LOOK_S_MAX, 0.6 * self.least_s + 0.01)

    @property
    def question(self) -> Question:
        return Question(max(self.patience_s, QUICK_S))

    def well(self, beside: Seen) -> bool:
        return beside.answers > 0 and beside.answered_s <= self.patience_s / 2

    def hit(self, through: Seen, beside: Seen) -> bool | None:
        if through.end != "open":
            return None
        if not through.answers or through.answered_s >= beside.answered_s + self.patience_s:
            return True
        late_s = through.answered_s - beside.answered_s
        return None if late_s > min(QUICK_S, self.patience_s / 2) else False


@dataclass(frozen=True, slots=True)
class Silent:
    """The connection is accepted, and nothing comes. may_close: it may be closed in the end."""

    may_close: bool

    @property
    def question(self) -> Question:
        return Question(SILENT_S)

    def well(self, beside: Seen) -> bool:
        return beside.answers > 0 and beside.answered_s <= SILENT_S / 2

    def hit(self, through: Seen, beside: Seen) -> bool | None:
        if through.answers:
            return False
        return (
            True
            if through.end == "open" or (through.end, self.may_close) == ("closed", True)
            else None
        )


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset, no later than `after_s` after the question, and nothing comes."""

    after_s: float

    @property
    def question(self) -> Question:
        return Question(self.after_s + SILENT_S)

    def well(self, beside: Seen) -> bool:
        return beside.answers > 0 and beside.answered_s <= SILENT_S / 2

    def hit(self, through: Seen, beside: Seen) -> bool | None:
        if through.answers:
            return False
        return True if through.end == "reset" else None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody accepts."""

    @property
    def question(self) -> Question:
        return Question(SILENT_S)

    def well(self, beside: Seen) -> bool:
        return beside.answers > 0

    def hit(self, through: Seen, beside: Seen) -> bool | None:
        return True if through.end == "refused" else False if through.answers else None


@dataclass(frozen=True, slots=True)
class Paced:
    """No more than `bytes_per_s` come, or go: so much is asked for that it takes RATE_S."""

    bytes_per_s: float
    asks: bool  # the questions are held to the rate, not the answers

    @property
    def question(self) -> Question:
        each = 40 if self.asks else ANSWER_BYTES_LEAST
        return Question(2 * RATE_S, requests=max(4, round(self.bytes_per_s * RATE_S / each)))

    def well(self, beside: Seen) -> bool:
        return beside.answers == self.question.requests and (
            self._per_s(beside) > RATE_GONE * self.bytes_per_s
        )

    def hit(self, through: Seen, beside: Seen) -> bool | None:
        if through.end != "open" or not through.answers:
            return None
        rate = self._per_s(through) / self.bytes_per_s
        return True if rate <= RATE_SLACK else False if rate >= RATE_GONE else None

    def _per_s(self, seen: Seen) -> float:
        question = self.question
        asked = len(question.data) * seen.answers / question.requests
        return (asked if self.asks else seen.data_bytes) / max(seen.answered_s, 1e-6)


@dataclass(frozen=True, slots=True)
class Sliced:
    """Answers come in pieces of at most `most_bytes`, which the server does not make by itself."""

    most_bytes: int
    apart_s: float

    @property
    def question(self) -> Question:
        return Question(PIECES_LOOKED_AT * self.apart_s + SILENT_S)

    def well(self, beside: Seen) -> bool:
        return bool(beside.pieces) and beside.pieces[0] > self.most_bytes

    def hit(self, through: Seen, beside: Seen) -> bool | None:
        if not through.pieces:
            return None
        if through.pieces[0] >= beside.pieces[0]:
            return False
        # One piece may be read together with the next; not most of them.
        small = sum(size <= self.most_bytes for size in through.pieces[:PIECES_LOOKED_AT])
        return True if 2 * small > len(through.pieces[:PIECES_LOOKED_AT]) else None


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends although more was asked for: after `limit_bytes` of the answers, or
    (asks) of the questions."""

    limit_bytes: int
    asks: bool

    @property
    def question(self) -> Question:
        each = 40 if self.asks else ANSWER_BYTES_LEAST
        return Question(2 * SILENT_S, requests=self.limit_bytes // each + 3)

    def well(self, beside: Seen) -> bool:
        return beside.answers == self.question.requests and beside.data_bytes > self.limit_bytes

    def hit(self, through: Seen, beside: Seen) -> bool | None:
        if through.answers == self.question.requests:
            return False
        short = self.asks or through.data_bytes <= self.limit_bytes
        return True if short and through.end in ("closed", "reset") else None


@dataclass(frozen=True, slots=True)
class ClosesLate:
    """The answer comes, and the end that the server was asked for does not, for `least_s`."""

    least_s: float

    @property
    def patience_s(self) -> float:
        return min(SILENT_S, 0.6 * self.least_s)

    @property
    def question(self) -> Question:
        return Question(self.patience_s + QUICK_S, close=True)

    def well(self, beside: Seen) -> bool:
        return (beside.answers, beside.end) == (1, "closed") and (
            beside.took_s <= self.patience_s / 2
        )

    def hit(self, through: Seen, beside: Seen) -> bool | None:
        if not through.answers:
            return None
        waited_s = through.took_s - through.answered_s
        if through.end == "closed":
            return waited_s >= self.patience_s / 2
        return True if through.end == "open" and waited_s >= self.patience_s / 2 else None
