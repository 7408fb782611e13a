"""The master's part: hands out the shares, keeps the evidence, knows who is gone.

No sockets and no clock in here: messages go in with `hear`, come out of `turn`. A share whose
worker died, or was not heard for LOST_AFTER_S, is lost: it is not started again, since its draws
may have been made, and what is missing of it is written down. The others then stop, because nothing
can be concluded any more.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S
from harness.evidence.chunks import encode
from harness.evidence.columns import SCHEMA_VERSION
from harness.evidence.fingerprint import fingerprint
from harness.evidence.inbox import Inbox
from harness.evidence.manifest import Closing, Manifest, ShareEvidence, whom
from harness.evidence.outbox import Chunk
from harness.evidence.rows import Intent
from harness.load.clocks import kernel
from harness.load.messages import HERE, Message
from harness.load.plan import ASKED_WITHIN_S, LOST_AFTER_S, ORDERED, LoadPlan
from harness.load.shares import Deal, of_share

BEAT_NS = NS_PER_S // 2


class Part:
    """One share, as the master sees it."""

    def __init__(self, share: int, intents: Sequence[Intent], inbox: Inbox) -> None:
        self.share = share
        self.intents = intents
        self.inbox = inbox
        self.node = self.worker = self.host = ""
        self.ready = self.closed = False
        self.lost: str | None = None
        self.closing: Closing | None = None
        self.counts: dict[str, int] = {}
        self.heard_ns = self.told_ns = 0
        self.news = False

    @property
    def over(self) -> bool:
        """Closed, or lost for good."""
        return self.closed or self.lost is not None

    def evidence(self, seconds: int) -> ShareEvidence:
        """What is there of it; `seconds` of load were planned."""
        closing, known = self.closing, self.inbox.seconds
        missing = self.lost or ("" if self.closed else "it was not closed")
        missing_s: Sequence[int] = ()
        if closing is not None and self.closed:
            missing = self.inbox.missing(closing) or _wrong_plan(self.intents, closing)
            missing_s = closing.lost_s if missing else ()
        elif self.worker:
            missing_s = [known[1] + 1 if known else 0, max(seconds - 1, known[1] if known else 0)]
        else:
            missing_s = [0, seconds - 1]
        return ShareEvidence(
            share=self.share,
            worker=self.worker,
            host=self.host,
            intents=len(self.intents),
            offered=closing.offered if closing else None,
            stopped=closing.stopped if closing else None,
            sha256=fingerprint(self.intents),
            chunks=self.inbox.next_seq,
            rows=dict(self.inbox.rows),
            first_s=known[0] if known else None,
            last_s=known[1] if known else None,
            missing=missing,
            missing_s=missing_s,
        )


def _wrong_plan(planned: Sequence[Intent], closing: Closing) -> str:
    """Did the worker offer what had been planned, as far as it came?"""
    if fingerprint(planned[: closing.offered]) != closing.sha256:
        return "what was offered is not what had been planned"
    if closing.offered < len(planned) and closing.stopped != ORDERED:
        why = f": {closing.stopped}" if closing.stopped else ""
        return f"{closing.offered} of {len(planned)} planned draws were offered{why}"
    return ""


class Master:
    """One load, from the first hello to the manifest. `failure`: of ours; `lost`: of a worker."""

    def __init__(self, plan: LoadPlan, intents: Sequence[Intent], run: Path) -> None:
        self._plan = plan
        self._run = run
        self._kernel = kernel()
        self._deal = Deal(plan.workers)
        self._began_ns: int | None = None
        self._orders: dict[str, Any] = {}
        self._answers: list[Message] = []
        self._parts = [
            Part(share, of_share(intents, share, plan.workers), Inbox(run, share))
            for share in range(plan.workers)
        ]
        self.failure: str | None = None
        self.lost: str | None = None
        self._write(ended=False)

    @property
    def ready(self) -> bool:
        """Does every share have a worker that waits for t = 0?"""
        return all(part.ready for part in self._parts)

    @property
    def over(self) -> bool:
        """Is every share closed or lost, and the last word said?"""
        stopped = "stop" in self._orders
        return all(
            (part.over and not part.news) or (stopped and not part.node) for part in self._parts
        )

    def order(self, name: str, value: Any) -> None:
        """`fire` with t0_ns and urls, `stop`, `give_up`: once given, it stands."""
        if name not in self._orders:
            self._orders[name] = value
            for part in self._parts:
                part.news = True

    def gone(self, worker: str, how: str) -> None:
        """Its process has ended, whoever saw that."""
        for part in self._parts:
            if part.worker == worker and not part.over:
                self._lose(part, how)

    def counts(self) -> dict[str, int]:
        """Of all shares together, as last reported."""
        total: dict[str, int] = {}
        for part in self._parts:
            for name, count in part.counts.items():
                total[name] = total.get(name, 0) + count
        return total

    def hear(self, message: Message) -> None:
        """One message of a worker."""
        if message.kind == "hello":
            self._hello(message)
            return
        part = next((one for one in self._parts if one.node == message.node), None)
        if part is None:
            return  # of an earlier load, or of one that was refused
        part.heard_ns = message.at_ns
        data = message.data
        if message.kind == "clock":
            told = {"t1_ns": data["t1_ns"], "t2_ns": message.at_ns}
            self._answers.append(Message("time", message.node, told))
        elif message.kind == "chunk":
            part.inbox.take(Chunk(**data))
            part.news = True
        elif message.kind == "beat":
            part.ready = part.ready or bool(data["ready"])
            part.counts = data["counts"] or part.counts
            if data["closing"] is not None and part.closing is None:
                part.closing = Closing(**data["closing"])
            self._close(part)

    def _hello(self, message: Message) -> None:
        data = message.data
        current = data["schema"] == SCHEMA_VERSION
        share = self._deal.give(message.node, data["wants"]) if current else None
        if share is None:
            why = "every share has been started" if current else "another version of drawproof"
            self._answers.append(Message("refuse", message.node, {"why": why}))
            return
        part = self._parts[share]
        part.node = message.node
        part.host = HERE if data["kernel"] == self._kernel != "" else str(data["host"])
        part.worker = str(data["name"] or f"worker-{share + 1}")
        part.heard_ns = message.at_ns
        told = {
            "share": share,
            "worker": part.worker,
            "plan": self._plan.facts(),
            "intents": encode("intents", part.intents) if part.intents else b"",
            "host": part.host,
        }
        self._answers.append(Message("share", message.node, told))

    def _close(self, part: Part) -> None:
        """When all that its worker has seen is here, or was lost over there."""
        if part.closing is None or part.closed:
            return
        if part.closing.failure and self.failure is None:
            self.failure = f"{part.worker}: {part.closing.failure}"
        if part.inbox.next_seq >= part.closing.chunks:
            part.closed = part.news = True
            part.inbox.close(whole=not part.inbox.missing(part.closing))

    def _lose(self, part: Part, how: str) -> None:
        part.lost = how
        part.news = False
        whose = whom(part.evidence(int(self._plan.load_s)), len(self._parts))
        self.lost = self.lost or f"{whose} {how}"
        self.order("stop", "a share was lost")

    def turn(self, now_ns: int) -> list[Message]:
        """What to send now: answers, and to each worker what it should know, twice a second."""
        if self._began_ns is None:
            self._began_ns = now_ns
        for part in self._parts:
            silent_ns = now_ns - part.heard_ns
            if part.over:
                continue
            if part.node and silent_ns > LOST_AFTER_S * NS_PER_S:
                self._lose(part, f"was not heard for {LOST_AFTER_S:.0f} s")
            elif not part.node and now_ns - self._began_ns > ASKED_WITHIN_S * NS_PER_S:
                self._lose(part, f"asked for it within {ASKED_WITHIN_S:.0f} s")
        found, self._answers = self._answers, []
        for part in self._parts:
            if part.node and (part.news or now_ns - part.told_ns >= BEAT_NS):
                part.news, part.told_ns = False, now_ns
                told = {**self._orders, "next_seq": part.inbox.next_seq, "closed": part.closed}
                found.append(Message("orders", part.node, told))
        return found

    def finish(self) -> Manifest:
        """Close what is open and write the manifest. Raises HarnessError, OSError."""
        for part in self._parts:
            if not part.closed:
                part.inbox.close(whole=False)
        return self._write(ended=True)

    def _write(self, *, ended: bool) -> Manifest:
        seconds = int(self._plan.load_s)
        manifest = Manifest(ended, tuple(part.evidence(seconds) for part in self._parts))
        manifest.write(self._run)
        return manifest
