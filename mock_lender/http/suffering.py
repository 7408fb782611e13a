"""What a call suffers that has met a planted fault."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_lender.http.planted import Hit
from mock_lender.http.problems import problem

REMEMBERED_MAX = 10_000
Headers = list[tuple[bytes, bytes]]
# A request, whole; delivered once more so many seconds later.
Again = Callable[[Scope, list[Message], float], None]


@dataclass(frozen=True, slots=True)
class Said:
    """A whole answer."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Sufferer:
    """One service's way of suffering. again: delivers a request once more. told: writes down that a
    call (its draw's key) was hit by a fault (its name). old: what a stale cache remembers, by fault
    and request."""

    role: str
    again: Again
    told: Callable[[str, str], None]
    old: dict[tuple[str, str, str, bytes], Said] = field(default_factory=dict)

    def suffering(self, hit: Hit, work: ASGIApp, *, unsaid: Send, connection: Send) -> ASGIApp:
        """The same work as the fault has it. unsaid: where a lost reply goes; connection: the
        server's own `send`."""
        planted = hit.planted

        async def late(scope: Scope, receive: Receive, send: Send) -> None:
            # What was sent has arrived: a caller that hangs up meanwhile can't take it back.
            heard = await whole(receive)
            await asyncio.sleep(hit.late_s)
            await work(scope, replayed(heard, receive), send)

        async def late_reply(scope: Scope, receive: Receive, send: Send) -> None:
            async def slow(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await asyncio.sleep(hit.late_s)
                await send(message)

            await work(scope, receive, slow)

        async def lost_reply(scope: Scope, receive: Receive, _: Send) -> None:
            await work(scope, receive, unsaid)
            if planted.silent:
                await _hung_up(receive, planted.lease_s)
            # ASGI has no word for hanging up unanswered: uvicorn's `send` is a method of the object
            # that has the connection.
            cycle = getattr(connection, "__self__", None)
            if cycle is not None:
                cycle.transport.abort()

        async def error(scope: Scope, receive: Receive, send: Send) -> None:
            if planted.done:
                await work(scope, receive, nobody)
            reason = "shed" if planted.certain else "broken"
            answer = problem(
                planted.status, cause="system", hop=self.role, reason=reason,
                certain=planted.certain,
            )  # fmt: skip
            await answer(scope, receive, send)

        async def wrong(scope: Scope, receive: Receive, send: Send) -> None:
            said = await _said(work, scope, receive)
            await _say(spoilt(said, planted.how, planted.operation), send)

        async def duplicate(scope: Scope, receive: Receive, send: Send) -> None:
            heard = await whole(receive)
            self.again(scope, heard, hit.late_s)
            await work(scope, replayed(heard, receive), send)

        async def stale(scope: Scope, receive: Receive, send: Send) -> None:
            heard = await whole(receive)
            body = b"".join(message.get("body", b"") for message in heard)
            asked = (planted.name, scope["path"], hit.draw_key, body)
            said = self.old.get(asked)
            if said is not None and not hit.probe:
                self.told(hit.draw_key, planted.name)
            if said is None:
                said = await _said(work, scope, replayed(heard, receive))
                if len(self.old) < REMEMBERED_MAX and said.status < 500:
                    self.old[asked] = said
            await _say(said, send)

        return {
            "late": late, "late_reply": late_reply, "lost_reply": lost_reply, "error": error,
            "wrong": wrong, "duplicate": duplicate, "stale": stale,
        }[planted.kind]  # fmt: skip


def spoilt(said: Said, how: str, operation: str) -> Said:
    """An answer that no caller may believe: cut within its body, nothing in it, or a status that
    says the opposite of the body."""
    if how == "malformed":
        # No beginning of a JSON object is one.
        return Said(said.status, said.headers, said.body[: len(said.body) // 2] or b"{")
    if how == "empty":
        return Said(said.status, said.headers, b"{}")
    no = 403 if operation in ("decide", "check") else 409
    return Said(no if said.status < 400 else 200, said.headers, said.body)


async def whole(receive: Receive) -> list[Message]:
    """The whole request, as the server hands it over."""
    heard = [await receive()]
    while heard[-1].get("more_body"):
        heard.append(await receive())
    return heard


def replayed(heard: list[Message], then: Receive) -> Receive:
    """A `receive` that says again what was heard, and then goes on."""
    left = list(heard)

    async def receive() -> Message:
        return left.pop(0) if left else await then()

    return receive


async def nobody(_: Message) -> None:
    """A `send` that nobody hears."""


async def _said(work: ASGIApp, scope: Scope, receive: Receive) -> Said:
    """The whole answer of the work. What it raises is nobody's answer: raised again."""
    status, headers, body = 500, Headers(), bytearray()

    async def hear(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        body.extend(message.get("body", b""))

    await work(scope, receive, hear)
    return Said(status, headers, bytes(body))


async def _say(said: Said, send: Send) -> None:
    headers = [pair for pair in said.headers if pair[0] != b"content-length"]
    headers.append((b"content-length", str(len(said.body)).encode()))
    await send({"type": "http.response.start", "status": said.status, "headers": headers})
    await send({"type": "http.response.body", "body": said.body})


async def _hung_up(receive: Receive, within_s: float) -> None:
    """Until the caller has hung up, or for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while (await receive())["type"] != "http.disconnect":
                continue
