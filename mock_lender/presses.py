"""What a gateway remembers of presses: the same press delivered twice is worked on once.

A press that has failed for certain leaves nothing in the ledger, on purpose: the same key runs
again when the borrower presses again. Its own second delivery, by whatever stands in between, would
run again too, and pay out a draw of which the borrower has been told that nothing has happened.
A second delivery to another replica is not known there: nothing in a drill makes one.
"""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from mock_lender.http.problems import problem

# Far more than are pressed in the time that a network may keep a copy.
REMEMBERED_MAX = 5_000
# What is asked, its key and body, and which press it is.
Press = tuple[str, str, str, int]


class Presses:
    """Those of one gateway replica, the newest REMEMBERED_MAX."""

    def __init__(self) -> None:
        self._answers: dict[Press, asyncio.Future[Response]] = {}

    @property
    def remembered(self) -> int:
        """How many."""
        return len(self._answers)

    async def once(self, press: Press | None, work: Callable[[], Awaitable[Response]]) -> Response:
        """The answer to a press: of `work` the first time, and then the same one again. None: it
        has no number, so that nobody can tell a second delivery from a second press."""
        if press is None:
            return await work()
        known = self._answers.get(press)
        if known is not None:
            return await asyncio.shield(known)
        if len(self._answers) >= REMEMBERED_MAX:
            del self._answers[next(iter(self._answers))]
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._answers[press] = answer
        try:
            answer.set_result(await work())
        finally:
            if not answer.done():
                # It broke on the way: nobody knows how far it had come, nor goes there again.
                answer.set_result(problem(500, cause="system", hop="gateway", reason="broken"))
        return answer.result()
