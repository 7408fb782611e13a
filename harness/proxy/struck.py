"""Which requests have met a toxic that does not meet all, for the evidence: of a toxicity below 1 a
row as bytes of a client come in on a connection that it has chosen; of `limit_data` one when it has
closed a connection, which may never carry as much; of `slow_close` one when a server ends one.

Of a pool of few connections a share may choose none, while probes, each on a connection of its own,
see it act. They come from an address of their own, by which they are told from the lender's calls.
"""

import time
from pathlib import Path
from typing import TextIO

PROBES_FROM = "127.0.0.2"
# As the lender's replicas write their states: who, what kind, of what, and which.
HEADER = "replica,kind,subject,state,at_ns\n"
NAME = "states.proxy.csv"


class Struck:
    """The record of one proxy process. Rows of kind `toxicity` say that a toxic began to choose,
    those of kind `toxic` that a request met it; subject is the edge, state the toxic's name."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", buffering=1)
        self._file.write(HEADER)

    def begun(self, edge: str, toxic: str) -> None:
        """From now on it chooses among the edge's connections."""
        self._write("toxicity", edge, toxic)

    def met(self, edge: str, toxic: str) -> None:
        """A request has come on a connection that it has chosen, or one has ended under it."""
        self._write("toxic", edge, toxic)

    def _write(self, kind: str, edge: str, toxic: str) -> None:
        if not self._file.closed:
            try:
                self._file.write(f"proxy,{kind},{edge},{toxic},{time.monotonic_ns()}\n")
            except OSError:  # a full disk: what is not written was not met, and makes no drill held
                self._file.close()
