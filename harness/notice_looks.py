"""What borrowers are shown of notices, seen from outside while a drill runs.

When borrowers were told of a policy, a rule or a shortage is the lender's own word, and the earlier
it was the less has been promised. So somebody looks as a borrower does, now and then, and writes
down by the controller's clock what was there and what was not.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.beside import Beside
from harness.errors import HarnessError
from harness.evidence.recorder import StreamWriter
from harness.evidence.rows import Intent, NoticeLook
from harness.faults.probes import answer
from harness.judge.names import ONLOOKER

# A notice may be dated so much too early before that is seen; what a look takes is nothing to a
# lender, and the next one waits until it has ended.
LOOK_S = 0.25
# Of one gateway; who is not answered asks the next.
WITHIN_S = 1.0
FLUSH_LOOKS = 4
# As many of one answer are written down: nobody fills our disk.
NOTICES_MAX = 100
NUMBER_MAX = 2**31


class NoticeLooks(Beside):
    """A thread of the controller that writes table `notice_looks`. gateways: URLs by name. intents:
    those planned, in due order; began: t = 0, ns, and 0 before it is known."""

    def __init__(
        self,
        stream: Path,
        gateways: Mapping[str, str],
        intents: Sequence[Intent],
        token: str,
        began: Callable[[], int],
    ) -> None:
        super().__init__("notice-looks")
        self._stream = stream
        self._doors = [(name, _address(url)) for name, url in sorted(gateways.items())]
        self._intents = intents
        self._headers = {
            "X-Client": f"{ONLOOKER}-1", "X-Drill": "1", "X-Drill-Token": token,
            "X-Deadline-Ms": str(round(WITHIN_S * 1000)),
        }  # fmt: skip
        self._began = began

    def _run(self) -> None:
        try:
            self._look_on(StreamWriter(self._stream, "notice_looks"))
        except HarnessError:  # the disk refuses: the table is missing or cut
            return

    def _look_on(self, writer: StreamWriter) -> None:
        looks = 0
        while True:
            for row in self._look(looks):
                writer.append(row)
            looks += 1
            if looks % FLUSH_LOOKS == 0:
                writer.flush()
            if self._over.wait(LOOK_S):
                writer.close()
                return

    def _look(self, number: int) -> Iterator[NoticeLook]:
        """For the borrower who draws next, at one gateway after the other until one answers: as
        long as any of them does, a replica that is gone hides nothing."""
        borrower = self._next_to_draw()
        for turn in range(len(self._doors)):
            gateway, address = self._doors[(number + turn) % len(self._doors)]
            sent_ns = time.monotonic_ns()
            path = f"/v1/notices/{borrower}"
            said = answer(address, "GET", path, None, WITHIN_S, self._headers)
            status, found = (0, None) if said is None else shown(*said)
            if found is not None:
                break
        seen = NoticeLook(borrower, gateway, sent_ns, time.monotonic_ns(), status)
        if not found:
            yield seen
            return
        for policy, kind, rule in found:
            yield seen._replace(policy=policy, kind=kind, rule=rule)

    def _next_to_draw(self) -> int:
        """Whom it concerns most."""
        t0_ns = self._began()
        after_ns = time.monotonic_ns() - t0_ns if t0_ns else 0
        place = bisect_left(self._intents, after_ns, key=lambda intent: intent.due_ns)
        return self._intents[min(place, len(self._intents) - 1)].borrower


Shown = list[tuple[int, str | None, str | None]]


def shown(status: int, body: Mapping[str, Any]) -> tuple[int, Shown | None]:
    """(status, number, kind and rule of each notice); None, and status 0 where it was 200, if the
    answer is none. What in it is no notice is left out: nobody could read it."""
    notices = body.get("notices")
    if status != 200 or not isinstance(notices, list):
        return (0 if status == 200 else status), None
    found: Shown = [
        (one["number"], _word(one.get("kind")), _word(one.get("rule")))
        for one in notices[:NOTICES_MAX]
        if isinstance(one, dict)
        and type(one.get("number")) is int
        and 0 <= one["number"] < NUMBER_MAX
    ]
    return status, found


def _word(said: object) -> str | None:
    """A word of the lender's, if it can be written down."""
    return said if isinstance(said, str) and said.isprintable() and len(said) <= 200 else None


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80
