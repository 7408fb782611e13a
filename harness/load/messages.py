"""What master and workers say to each other, over Locust's channel or within one process.

    hello    worker → master   name, host, wants: give me a share; again until it has one
    share    master → worker   the share, its intents, and what is needed to walk them
    refuse   master → worker   there is no share for you (it was started already, by somebody else)
    clock    worker → master   t1; answered by `time` with t1, t2, t3
    chunk    worker → master   one piece of evidence
    beat     worker → master   ready or not, counts so far, and the closing once all is over
    orders   master → worker   everything ordered so far, and what has arrived

Each may be lost, doubled or late: all of them say how things are, not what has changed.
"""

from typing import Any, NamedTuple

NAMES = ("hello", "share", "refuse", "clock", "time", "chunk", "beat", "orders")
PREFIX = "drawproof."
# The host of a worker that runs under the same kernel as its master; others go by their own name.
HERE = "this machine"


class Message(NamedTuple):
    """`node`: the worker that sent it, or that it is for. at_ns: when it came, by the own clock."""

    kind: str
    node: str
    data: dict[str, Any]
    at_ns: int = 0


def leaving(message: Message, now_ns: int) -> Message:
    """The answer to a clock says when it leaves, by the master's clock; others are as they are."""
    if message.kind != "time":
        return message
    return message._replace(data={**message.data, "t3_ns": now_ns})
