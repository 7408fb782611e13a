"""Faults of a site: it is cut off from everything, or its route to the banks is broken.

The lender has two sites on paper: replicas with odd numbers are of site `a`, with even numbers of
site `b`; borrowers and banks are outside of both. What crosses the border of a site goes through
the proxy, an edge for each pair, and is held there as a cut network holds it: nothing passes,
nothing is refused, and when it comes back what was under way arrives.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import TargetError
from harness.faults.fault import Fault, Healer, Sighting, Surroundings
from harness.faults.kind import FaultKind, Kinds, Parameter, text
from harness.faults.names import calls, replicas
from harness.faults.probes import probe_s
from harness.proxy.client import ProxyClient
from harness.scenario.model import FaultSpec, LenderSpec

Cut = Literal["off", "banks"]
LOOK_S = 0.25
SITE = "site "
STREAMS = ("upstream", "downstream")


@dataclass(frozen=True, slots=True)
class SiteCut:
    """`off`: every edge over the border of a site. `banks`: those from it to the banks."""

    site: str
    cut: Cut
    name: str
    healer: Healer = "nemesis"
    bites_within_s: float = 2.0
    look_s_max: float = 3 * LOOK_S

    @property
    def edge_or_replica(self) -> str:
        return border(self.site, self.cut)

    def _toxic(self, stream: str) -> str:
        """Called by the fault: an edge may lie over the borders of two that are cut at once."""
        return f"{self.name} {stream}"

    def _edges(self, around: Surroundings) -> list[str]:
        """Raises TargetError when none of them leads through a proxy."""
        mine = [e for e in around.proxied_edges() if crosses(self.edge_or_replica, e)]
        if not mine:
            raise TargetError(f"no edge over the border of site {self.site} leads through a proxy")
        return mine

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        client = ProxyClient(*around.proxy_api())
        undos = [
            client.undo("DELETE", edge, self._toxic(stream))
            for edge in self._edges(around)
            for stream in STREAMS
        ]
        return {"kind": "all", "undos": undos}

    def inject(self, around: Surroundings) -> None:
        client = ProxyClient(*around.proxy_api())
        for edge in self._edges(around):
            for stream in STREAMS:
                toxic = {"name": self._toxic(stream), "type": "stall", "stream": stream}
                client.add_toxic(edge, {**toxic, "attributes": {"duration": 0}})

    def heal(self, around: Surroundings) -> None:
        client = ProxyClient(*around.proxy_api())
        for edge in self._edges(around):
            for stream in STREAMS:
                client.remove_toxic(edge, self._toxic(stream))

    def observe(self, around: Surroundings) -> Sighting:
        """A probe of our own over each edge, and one beside each: a server that is silent by itself
        says nothing about its edges."""
        at_ns = time.monotonic_ns()
        edges = self._edges(around)
        servers = sorted({edge.partition("->")[2] for edge in edges})
        addresses = [around.replica_address(server) for server in servers]
        addresses += [around.proxied_address(edge) for edge in edges]
        with ThreadPoolExecutor(len(addresses)) as pool:
            answered = [
                took_s is not None
                for took_s in pool.map(lambda where: probe_s(where, LOOK_S), addresses)
            ]
        well = {server for server, fine in zip(servers, answered, strict=False) if fine}
        over = dict(zip(edges, answered[len(servers) :], strict=True))
        known = [fine for edge, fine in over.items() if edge.partition("->")[2] in well]
        detail = f"{sum(known)} of {len(known)} edges over the border answer"
        if not known or any(known) != all(known):
            return Sighting(at_ns, None, detail)
        return Sighting(at_ns, not any(known), detail)


def border(site: str, cut: Cut) -> str:
    """How a border is called where edges are: `site b`, `site b->banks`."""
    return f"{SITE}{site}" + ("->banks" if cut == "banks" else "")


def crosses(called: str, edge: str) -> bool:
    """Does an edge between two replicas, banks or borrowers cross the border that is called so?"""
    whole, _, to_banks = called.removeprefix(SITE).partition("->")
    client, _, server = edge.partition("->")
    inside = site_of(client) == whole
    if to_banks:
        return inside and server.startswith("bank.")
    return inside != (site_of(server) == whole)


def site_of(name: str) -> str | None:
    """`a` or `b` for a replica; None for who is outside of both."""
    number = name.rpartition("-")[2]
    return ("b", "a")[int(number) % 2] if number.isdigit() else None


def edges_over(called: str, lender: LenderSpec) -> list[str]:
    """All edges over a border that a lender of this size has."""
    gateways = [name for name in replicas(lender) if name.startswith("gateway-")]
    pairs = [("borrower", gateway) for gateway in gateways] + calls(lender)
    edges = [f"{client}->{server}" for client, server in pairs]
    return [edge for edge in edges if crosses(called, edge)]


def _build(cut: Cut) -> Callable[[FaultSpec], Fault]:
    def build(spec: FaultSpec) -> Fault:
        return SiteCut(str(dict(spec.params)["target"]), cut, spec.name)

    return build


def _needs(cut: Cut) -> Callable[[FaultSpec, LenderSpec], Sequence[str]]:
    def edges(spec: FaultSpec, lender: LenderSpec) -> Sequence[str]:
        return edges_over(border(str(dict(spec.params)["target"]), cut), lender)

    return edges


_SITE = Parameter("target", "target", text, "a site: a or b", names="site", example="b")
_OBSERVED = "Probes of our own over every edge are silent, and those beside them are answered."
_UNDONE = "The toxics are removed from the proxy, edge by edge; what was held passes in order."
_HERE = (
    "Sites are replicas of one machine: no clock, disk or power is shared less. The way to the "
    "databases is not cut, whose monitor and witness are of no site."
)
KINDS: Kinds = {
    ("site", "cut_off"): FaultKind(
        (_SITE,),
        for_key="needed",
        build=_build("off"),
        does="Nothing passes between a site (its replicas) and the rest: other replicas, banks, "
        "and borrowers. Within the site all is well.",
        observed=_OBSERVED,
        undone=_UNDONE,
        cannot=_HERE,
        edges=_needs("off"),
    ),
    ("site", "banks_cut"): FaultKind(
        (_SITE,),
        for_key="needed",
        build=_build("banks"),
        does="The route from a site (its replicas) to every bank is broken; all else passes.",
        observed=_OBSERVED,
        undone=_UNDONE,
        cannot=_HERE,
        edges=_needs("banks"),
    ),
}
