"""Faults of the network between two parts, by the embedded proxy."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import DURATION, FaultKind, Kinds, Parameter, Value, text
from harness.faults.probes import probe_s
from harness.proxy.client import ProxyClient
from harness.scenario.model import FaultSpec
from harness.units import parse_duration_s

LOOK_S_MAX = 0.5
QUICK_S = 0.1


@dataclass(frozen=True, slots=True)
class NetworkLatency:
    """Answers on an edge come `latency_s` ± `jitter_s` late."""

    edge: str
    latency_s: float
    jitter_s: float
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 2.0
    look_s_max: float = LOOK_S_MAX + 0.1  # beside is answered in milliseconds

    @property
    def edge_or_replica(self) -> str:
        return self.edge

    @property
    def _toxic(self) -> str:
        return "latency_downstream"

    def _client(self, around: Surroundings) -> ProxyClient:
        return ProxyClient(*around.proxy_api())

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        url = self._client(around).toxic_url(self.edge, self._toxic)
        return {"kind": "http", "method": "DELETE", "url": url}

    def inject(self, around: Surroundings) -> None:
        self._client(around).add_toxic(
            self.edge,
            {
                "name": self._toxic,
                "type": "latency",
                "stream": "downstream",
                "attributes": {
                    "latency": round(self.latency_s * 1000),
                    "jitter": round(self.jitter_s * 1000),
                },
            },
        )

    def heal(self, around: Surroundings) -> None:
        self._client(around).remove_toxic(self.edge, self._toxic)

    def observe(self, around: Surroundings) -> Sighting:
        """A probe of our own through the edge and one beside it: only the first may be slow.

        The wait is bounded: what is still silent after most of the latency is late enough.
        """
        patience_s = min(LOOK_S_MAX, 0.6 * max(self.latency_s - self.jitter_s, 0.0) + 0.01)
        beside_s = probe_s(around.replica_address(self.edge.partition("->")[2]), patience_s)
        at_ns = time.monotonic_ns()
        through_s = probe_s(around.proxied_address(self.edge), max(patience_s, QUICK_S))
        if beside_s is None or beside_s > patience_s / 2:
            return Sighting(at_ns, None, "the server itself is slow, so the edge can't be judged")
        if through_s is None or through_s >= beside_s + patience_s:
            return Sighting(at_ns, True, f"silent for {patience_s:.2f} s; beside: {beside_s:.3f} s")
        late = through_s > beside_s + min(QUICK_S, patience_s / 2)
        return Sighting(
            at_ns, None if late else False, f"{through_s:.3f} s; beside: {beside_s:.3f} s"
        )


def _latency(spec: FaultSpec) -> Fault:
    params: Mapping[str, Value] = dict(spec.params)
    return NetworkLatency(
        edge=str(params["edge"]),
        latency_s=float(params["latency_s"]),
        jitter_s=float(params["jitter_s"]),
        name=spec.name,
    )


KINDS: Kinds = {
    ("network", "latency"): FaultKind(
        (
            Parameter("edge", "edge", text, 'an edge such as "gateway->bank.own"', names="edge"),
            Parameter("latency", "latency_s", parse_duration_s, DURATION, example="800ms"),
            Parameter("jitter", "jitter_s", parse_duration_s, DURATION, 0.0, required=False),
        ),
        for_key="needed",
        build=_latency,
        does="Answers on an edge come `latency` later, give or take `jitter` (uniform).",
        observed="A probe of our own through the edge is late, and one beside it is not.",
        undone="The toxic is removed from the proxy; what it held back passes at once, in order.",
        cannot="A TCP proxy can't lose or reorder packets: it delays what TCP has delivered.",
    ),
}
