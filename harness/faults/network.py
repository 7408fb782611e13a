"""Faults of the network between two parts: their kinds and parameters, and what the docs say."""

from collections.abc import Callable, Mapping

from harness.faults.fault import Fault
from harness.faults.kind import (
    DURATION,
    FaultKind,
    Kinds,
    Parameter,
    Value,
    duration_between,
    one_of,
    text,
    wrong_together,
)
from harness.faults.network_fault import NetworkDown, NetworkFault, Toxic
from harness.faults.network_looks import (
    ANSWER_BYTES_LEAST,
    LATE_S_LEAST,
    ClosesLate,
    Cut,
    Late,
    Look,
    Paced,
    Reset,
    Silent,
    Sliced,
)
from harness.scenario.model import FaultSpec
from harness.units import (
    format_duration,
    parse_bytes,
    parse_duration_s,
    parse_rate_kb_per_s,
    parse_share,
)

Params = Mapping[str, Value]

RATE_KB_PER_S_MAX = 100
TOXICITY_LEAST = 0.05


def _bytes(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        found = parse_bytes(value)
        if not least <= found <= most:
            raise ValueError(f"from {least} B to {most} B")
        return found

    return read


def _rate(value: object) -> int:
    rate = parse_rate_kb_per_s(value)
    if not 1 <= rate <= RATE_KB_PER_S_MAX:
        raise ValueError(f"from 1 KB/s to {RATE_KB_PER_S_MAX} KB/s")
    return rate


def _toxicity(value: object) -> float:
    share = parse_share(value)
    if share < TOXICITY_LEAST:
        raise ValueError("a share from 5 % on")
    return share


def _variation(value: object) -> float:
    share = parse_share(value)
    if share > 0.9:
        raise ValueError("a share of up to 90 %")
    return share


def _checked_latency(build: Callable[[FaultSpec], Fault]) -> Callable[[FaultSpec], Fault]:
    """The shortest delay must be one that a probe can tell from a service's own."""

    def checked(spec: FaultSpec) -> Fault:
        params = dict(spec.params)
        least_s = float(params["latency_s"]) - float(params["jitter_s"])
        if least_s < LATE_S_LEAST:
            found = f"latency less jitter of {format_duration(max(least_s, 0.0))}"
            allowed = f"{format_duration(LATE_S_LEAST)} at least: less can't be told from outside"
            raise wrong_together(spec, found, allowed)
        return build(spec)

    return checked


def _ms(params: Params, key: str) -> int:
    return round(float(params[key]) * 1000)


def _toxic(
    kind: str,
    attributes: Callable[[Params], Mapping[str, int]],
    look: Callable[[Params], Look],
) -> Callable[[FaultSpec], Fault]:
    """A builder of a toxic with its attributes, and of how it is looked at."""

    def build(spec: FaultSpec) -> Fault:
        params: Params = dict(spec.params)
        stream = str(params.get("stream", "downstream"))
        given = tuple(attributes(params).items())
        toxic = Toxic(kind, stream, given, float(params["toxicity"]))
        return NetworkFault(str(params["edge"]), toxic, look(params), spec.name)

    return build


def _down(spec: FaultSpec) -> Fault:
    return NetworkDown(str(dict(spec.params)["edge"]), spec.name)


def _slicer(params: Params) -> Mapping[str, int]:
    size = int(params["size_bytes"])
    return {
        "average_size": size,
        "size_variation": min(int(size * float(params["variation"])), size - 1),
        "delay": round(float(params["delay_s"]) * 1e6),
    }


def _most(params: Params) -> int:
    sizes = _slicer(params)
    return sizes["average_size"] + sizes["size_variation"]


def _asks(params: Params) -> bool:
    return params["stream"] == "upstream"


_EDGE = Parameter("edge", "edge", text, 'an edge such as "gateway->bank.own"', names="edge")
_TOXICITY = Parameter(
    "toxicity", "toxicity", _toxicity, "a share of the connections from 5 % on", 1.0,
    required=False,
)  # fmt: skip
_STREAM = Parameter(
    "stream", "stream", one_of("downstream", "upstream"),
    "downstream (to the client: answers) or upstream (to the server: requests)", "downstream",
    required=False,
)  # fmt: skip
_REMOVED = (
    "The toxic is removed from the proxy; {0}. After a kill -9 the guardian does it from the "
    "journal, and ends the proxy."
)
_PASSES = _REMOVED.format("what it held back passes at once, in order")
_NO_PACKETS = "A TCP proxy can't lose or reorder packets: it delays what TCP has delivered."
_WHOLE = (
    "It is chosen for a connection, for as long as that is open: of a pool of few connections a "
    "toxicity hits all calls on some and none on others."
)

KINDS: Kinds = {
    ("network", "latency"): FaultKind(
        (
            _EDGE,
            Parameter("latency", "latency_s", parse_duration_s, DURATION, example="800ms"),
            Parameter("jitter", "jitter_s", parse_duration_s, DURATION, 0.0, required=False),
            _STREAM,
            _TOXICITY,
        ),
        for_key="needed",
        build=_checked_latency(
            _toxic(
                "latency",
                lambda p: {"latency": _ms(p, "latency_s"), "jitter": _ms(p, "jitter_s")},
                lambda p: Late(float(p["latency_s"]) - float(p["jitter_s"])),
            )
        ),
        does="Bytes on an edge pass `latency` later, give or take `jitter` (uniform); `latency` "
        "less `jitter` is 25 ms at least.",
        observed="A probe of our own through the edge is late, and one beside it is not.",
        undone=_PASSES,
        cannot=f"{_NO_PACKETS} {_WHOLE}",
    ),
    ("network", "bandwidth"): FaultKind(
        (
            _EDGE,
            Parameter("rate", "rate_kb_per_s", _rate, "1 KB/s to 100 KB/s", example="5 KB/s"),
            _STREAM,
            _TOXICITY,
        ),
        for_key="needed",
        build=_toxic(
            "bandwidth",
            lambda p: {"rate": int(p["rate_kb_per_s"])},
            lambda p: Paced(int(p["rate_kb_per_s"]) * 1000, _asks(p)),
        ),
        does="No more than `rate` passes on each connection of an edge (1 KB: 1000 bytes).",
        observed="Answers to many small questions of our own are paced at the rate through the "
        "edge, and come at more than twice the rate beside it.",
        undone=_PASSES,
        cannot="The rate is each connection's: they do not share one line. Rates above 100 KB/s "
        "can't be told from outside without loading the service, and are not offered.",
    ),
    ("network", "timeout"): FaultKind(
        (
            _EDGE,
            Parameter("after", "after_s", duration_between(0, 600), DURATION, 0.0, required=False),
            _STREAM,
            _TOXICITY,
        ),
        for_key="needed",
        build=_toxic(
            "timeout",
            lambda p: {"timeout": _ms(p, "after_s")},
            lambda p: Silent(may_close=float(p["after_s"]) > 0),
        ),
        does="Connections are accepted, and what is sent on them is lost. A connection is closed "
        "when nothing was sent for `after` (0s: never).",
        observed="A probe of our own is accepted and hears nothing, and one beside it is answered.",
        undone=_REMOVED.format("connections on which something was lost are closed"),
        cannot=f"{_WHOLE} A connection is still accepted; `down` refuses it.",
    ),
    ("network", "reset_peer"): FaultKind(
        (
            _EDGE,
            Parameter("after", "after_s", duration_between(0, 0.5), DURATION, 0.0, required=False),
            _STREAM,
            _TOXICITY,
        ),
        for_key="needed",
        build=_toxic(
            "reset_peer",
            lambda p: {"timeout": _ms(p, "after_s")},
            lambda p: Reset(float(p["after_s"])),
        ),
        does="A connection is reset, both ways, `after` something was sent on it; downstream, that "
        "is when the server has done its work and answers.",
        observed="A probe of our own through the edge is reset, and one beside it is answered.",
        undone=_REMOVED.format("no further connection is reset"),
        cannot=f"{_WHOLE} A connection on which nothing is sent is not reset.",
    ),
    ("network", "slow_close"): FaultKind(
        (
            _EDGE,
            Parameter("delay", "delay_s", duration_between(0.1, 600), DURATION, example="2s"),
            _TOXICITY,
        ),
        for_key="needed",
        build=_toxic(
            "slow_close",
            lambda p: {"delay": _ms(p, "delay_s")},
            lambda p: ClosesLate(float(p["delay_s"])),
        ),
        does="The server's end of a connection reaches the client `delay` late.",
        observed="A probe of our own is answered in time and sees the close late, and one beside "
        "the edge sees it at once.",
        undone=_PASSES,
        cannot="What a client does with a connection that should be closed is its own affair.",
    ),
    ("network", "slicer"): FaultKind(
        (
            _EDGE,
            Parameter("size", "size_bytes", _bytes(1, ANSWER_BYTES_LEAST // 2), "1 B to 30 B",
                      20, required=False),
            Parameter("variation", "variation", _variation, "a share up to 90 %", 0.0,
                      required=False),
            Parameter("delay", "delay_s", duration_between(0.001, 0.1), DURATION, 0.01,
                      required=False),
            _TOXICITY,
        ),
        for_key="needed",
        build=_toxic(
            "slicer",
            _slicer,
            lambda p: Sliced(_most(p), float(p["delay_s"])),
        ),
        does="Answers come in pieces of about `size`, give or take `variation` of it, `delay` "
        "apart.",
        observed="The pieces that a probe of our own reads through the edge are that small, and "
        "beside it they are not.",
        undone=_PASSES,
        cannot="The kernel may join pieces for a reader that is late.",
    ),
    ("network", "limit_data"): FaultKind(
        (
            _EDGE,
            Parameter("limit", "limit_bytes", _bytes(0, 20_000), "0 B to 20 KB", example="1 KB"),
            _STREAM,
            _TOXICITY,
        ),
        for_key="needed",
        build=_toxic(
            "limit_data",
            lambda p: {"bytes": int(p["limit_bytes"])},
            lambda p: Cut(int(p["limit_bytes"]), _asks(p)),
        ),
        does="A connection is closed after `limit` bytes: in the middle of an answer, say, to work "
        "that has been done.",
        observed="A probe of our own that asks for more is cut off there, and one beside the edge "
        "is not.",
        undone=_REMOVED.format("no further connection is cut"),
        cannot=f"{_WHOLE} Bytes are counted on a connection from when the fault begins.",
    ),
    ("network", "down"): FaultKind(
        (_EDGE,),
        for_key="needed",
        build=_down,
        does="Connections on an edge are refused, and those that are open are closed.",
        observed="A probe of our own through the edge is refused, and one beside it is answered.",
        undone="The proxy listens again on its port, which it has kept.",
        cannot="The server itself is up: whoever reaches it on another edge is served.",
    ),
    ("network", "stall"): FaultKind(
        (_EDGE, _STREAM, _TOXICITY),
        for_key="needed",
        build=_toxic("stall", lambda _: {"duration": 0}, lambda _: Silent(may_close=False)),
        does="Nothing passes in one direction of an edge, and nothing is lost: what was held back "
        "arrives when it ends. As in a cut network that comes back. Toxiproxy has no such toxic.",
        observed="A probe of our own is accepted and hears nothing, and one beside it is answered.",
        undone=_PASSES,
        cannot=f"{_WHOLE} That the other direction passes can't be seen by a question and its "
        "answer.",
    ),
}  # fmt: skip
