"""Faults of the network between two parts, by the proxy that the edge leads through.

They act on whole connections, those that are open in a pool too, whose bytes TCP has already put in
order. What each looks like from outside is in network_looks.py.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.faults.fault import Healer, Sighting, Surroundings
from harness.faults.network_looks import Look, Refused
from harness.faults.network_probes import AT_ONCE, Seen, ask, ask_often
from harness.faults.shares import believed
from harness.proxy.client import ProxyClient

PROBES_LEAST = 50
PROBES_MAX = 150
# So many hits are expected of a share: none of them is then seen by chance once in a thousand.
HITS_WANTED = 7


@dataclass(frozen=True, slots=True)
class Toxic:
    """What is put on the edge. attributes are Toxiproxy's, in its units. toxicity: the share of
    the connections that it acts on, each for as long as it is open."""

    kind: str
    stream: str
    attributes: tuple[tuple[str, int], ...]
    toxicity: float = 1.0


@dataclass(frozen=True, slots=True)
class NetworkFault:
    """A toxic on an edge. It is called as the fault is, so that several may be on one edge."""

    edge: str
    toxic: Toxic
    look: Look
    name: str
    healer: Healer = "nemesis"

    @property
    def edge_or_replica(self) -> str:
        return self.edge

    @property
    def bites_within_s(self) -> float:
        """A look that falls into a pause of the server's is made again."""
        return 1.0 + 2 * self.look_s_max

    @property
    def look_s_max(self) -> float:
        """One question beside the edge, and as many turns through it as its share needs."""
        turns = math.ceil(self._probes / AT_ONCE)
        return (1 + turns) * self.look.question.patience_s + 0.1

    @property
    def _probes(self) -> int:
        toxicity = self.toxic.toxicity
        if toxicity >= 1:
            return 1
        return min(PROBES_MAX, max(PROBES_LEAST, math.ceil(HITS_WANTED / toxicity)))

    def _client(self, around: Surroundings) -> ProxyClient:
        return ProxyClient(*around.proxy_api())

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return self._client(around).undo("DELETE", self.edge, self.name)

    def inject(self, around: Surroundings) -> None:
        self._client(around).add_toxic(
            self.edge,
            {
                "name": self.name,
                "type": self.toxic.kind,
                "stream": self.toxic.stream,
                "toxicity": self.toxic.toxicity,
                "attributes": dict(self.toxic.attributes),
            },
        )

    def heal(self, around: Surroundings) -> None:
        self._client(around).remove_toxic(self.edge, self.name)

    def observe(self, around: Surroundings) -> Sighting:
        return observed(around, self.edge, self.look, self._probes, self.toxic.toxicity)


@dataclass(frozen=True, slots=True)
class NetworkDown:
    """Connections on an edge are refused, and those that were open are closed."""

    edge: str
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 2.0
    look_s_max: float = 0.6

    @property
    def edge_or_replica(self) -> str:
        return self.edge

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        client = ProxyClient(*around.proxy_api())
        return client.undo("POST", self.edge, body={"enabled": True})

    def inject(self, around: Surroundings) -> None:
        ProxyClient(*around.proxy_api()).set_enabled(self.edge, False)

    def heal(self, around: Surroundings) -> None:
        ProxyClient(*around.proxy_api()).set_enabled(self.edge, True)

    def observe(self, around: Surroundings) -> Sighting:
        return observed(around, self.edge, Refused(), 1, 1.0)


def observed(around: Surroundings, edge: str, look: Look, probes: int, toxicity: float) -> Sighting:
    """The server beside the edge first; then through it, once, or often for a share.

    A share is believed within its binomial interval of the calls that tell anything, which must be
    most of them, and gone when nothing was hit.
    """
    beside = ask(around.replica_address(edge.partition("->")[2]), look.question)
    at_ns = time.monotonic_ns()
    if not look.well(beside):
        words = f"beside the edge: {told(beside)}"
        return Sighting(at_ns, None, f"the server itself is not well enough to tell; {words}")
    address = around.proxied_address(edge)
    if probes == 1:
        seen = ask(address, look.question)
        return Sighting(at_ns, look.hit(seen, beside), f"{told(seen)}; beside: {told(beside)}")
    hits = [look.hit(seen, beside) for seen in ask_often(address, look.question, probes)]
    hit = hits.count(True)
    detail = f"{hit} of {probes} connections of our own were hit, {hits.count(None)} unclear"
    if hits.count(False) == probes:
        return Sighting(at_ns, False, detail)
    known = probes - hits.count(None)
    sure = known > probes / 2 and believed(hit, known, toxicity)
    return Sighting(at_ns, True if sure else None, detail)


def told(seen: Seen) -> str:
    """For the record of the fault."""
    pieces = f"{seen.data_bytes} bytes in {len(seen.pieces)} reads"
    return f"{seen.end} after {seen.took_s:.3f} s, {seen.answers} answers, {pieces}"
