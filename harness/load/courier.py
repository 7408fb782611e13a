"""A worker's end of the channel: asks for its share, hands over what it has seen, knows the time.

No sockets and no clock in here: messages go in with `hear`, come out of `turn`, which wants to be
called some twenty times a second. Times are by the worker's own clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from harness.clock import NS_PER_S
from harness.evidence.chunks import decode, encode
from harness.evidence.columns import SCHEMA_VERSION
from harness.evidence.fingerprint import fingerprint
from harness.evidence.manifest import Closing
from harness.evidence.outbox import Outbox
from harness.evidence.rows import Intent
from harness.load.clocks import Exchange, Rounds, applied_ns, best, kernel
from harness.load.messages import HERE, Message
from harness.load.plan import LoadPlan

HELLO_NS = 2 * NS_PER_S
BEAT_NS = NS_PER_S // 2
CHUNK_ROWS = 200


class Share:
    """What a worker has been given to do. Raises ValueError, TypeError for what is no share."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.number = int(data["share"])
        self.worker = str(data["worker"])
        self.host = str(data["host"])
        self.plan = LoadPlan.of(data["plan"])
        rows = decode("intents", data["intents"]) if data["intents"] else []
        self.intents = tuple(Intent(*row) for row in rows)  # type: ignore[arg-type]  # as sent


class Courier:
    """One worker's. `name` and `wants`: as it was started, if it was; host: where it runs."""

    def __init__(self, name: str, host: str, wants: int | None) -> None:
        self._hello = {
            "name": name, "host": host, "kernel": kernel(), "wants": wants,
            "schema": SCHEMA_VERSION,
        }  # fmt: skip
        self._hello_ns: int | None = None
        self._beat_ns = 0
        self._heard_ns: int | None = None
        self._rounds = Rounds()
        self._rows: dict[str, list[Sequence[object]]] = {}
        self._outbox = Outbox(0)
        self._closing: Closing | None = None
        self.counts: Callable[[], dict[str, int]] = dict
        self.share: Share | None = None
        self.refused: str | None = None
        self.orders: dict[str, Any] = {}
        self.applied_ns: int | None = None
        self.ready = self.closed = False

    def silent_ns(self, now_ns: int) -> int:
        """How long the master has not been heard; 0 before it ever was."""
        return 0 if self._heard_ns is None else now_ns - self._heard_ns

    def hear(self, message: Message) -> None:
        """One message of the master."""
        self._heard_ns, data = message.at_ns, message.data
        if message.kind == "share" and self.share is None:
            self.share = Share(data)
            self._outbox = Outbox(self.share.number)
        elif message.kind == "refuse" and self.share is None:
            self.refused = str(data["why"])
        elif message.kind == "time":
            self._rounds.heard(Exchange(data["t1_ns"], data["t2_ns"], data["t3_ns"], message.at_ns))
        elif message.kind == "orders":
            self.orders = data
            self.closed = self.closed or bool(data["closed"])
            self._outbox.acknowledged(data["next_seq"], message.at_ns)

    def turn(self, now_ns: int) -> list[Message]:
        """What to send now."""
        if self.share is None:
            if self._hello_ns is not None and now_ns - self._hello_ns < HELLO_NS:
                return []
            self._hello_ns = now_ns
            return [self._say("hello", self._hello)]
        found = []
        if self._closing is None:
            if self._rounds.asks(now_ns):
                found.append(self._say("clock", {"t1_ns": now_ns}))
            self._compare(self.share, now_ns)
        found += [self._say("chunk", asdict(chunk)) for chunk in self._outbox.due(now_ns)]
        if now_ns - self._beat_ns >= BEAT_NS:
            self._beat_ns = now_ns
            closing = None if self._closing is None else asdict(self._closing)
            ready = self.ready and self.applied_ns is not None
            told = {"ready": ready, "counts": self.counts(), "closing": closing}
            found.append(self._say("beat", told))
        return found

    def _say(self, kind: str, data: dict[str, Any]) -> Message:
        return Message(kind, "", data)

    def _compare(self, share: Share, now_ns: int) -> None:
        """When a round of exchanges has ended: its row; and what the first one means for all."""
        exchanges = self._rounds.done(now_ns)
        if not exchanges:
            if self.applied_ns is None and self._rounds.resting:
                self._rounds.begin()  # nothing came back; there is no t = 0 without it
            return
        known = best(exchanges)
        if self.applied_ns is None:
            self.applied_ns = applied_ns(known.offset_ns, known.uncertainty_ns)
        row = (
            share.worker, share.host, known.t4_ns, known.offset_ns, known.uncertainty_ns,
            self.applied_ns, share.host == HERE, len(exchanges),
        )  # fmt: skip
        self.keep("clocks", row, 0)
        self.flush("clocks", 0)

    def compare_again(self) -> None:
        """Compare the clocks once more, now: `comparing` says until when."""
        self._rounds.begin()

    @property
    def comparing(self) -> bool:
        """Is a round of exchanges under way?"""
        return not self._rounds.resting

    def keep(self, table: str, row: Sequence[object], second: int) -> None:
        """One row, in the order of its table's columns. `second`: where it belongs, from t = 0."""
        rows = self._rows.setdefault(table, [])
        rows.append(row)
        if len(rows) >= CHUNK_ROWS:
            self.flush(table, second)

    def flush(self, table: str, second: int) -> None:
        """What is there of a table becomes a chunk; its last row is of `second`."""
        rows = self._rows.pop(table, None)
        if rows:
            data = encode(table, rows, self.applied_ns or 0)
            self._outbox.put(table, len(rows), second, data)

    def close(self, offered: Sequence[Intent], stopped: str | None, failure: str | None) -> None:
        """Nothing comes after this. `closed` becomes true when the master has it all."""
        box = self._outbox
        self._closing = Closing(
            box.chunks, dict(box.rows), dict(box.lost), box.lost_s, len(offered),
            fingerprint(offered), stopped, failure,
        )  # fmt: skip
        self._beat_ns = 0
