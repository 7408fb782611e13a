"""Toxics as Toxiproxy's JSON has them, read and written."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from harness.proxy.toxics import (
    Bandwidth,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Stall,
    Timeout,
    Toxic,
)

STREAMS = ("upstream", "downstream")
# Of each type: its class and, in the order of the class's fields, the attributes' names in JSON.
TYPES: Mapping[str, tuple[type[Toxic], tuple[str, ...]]] = {
    "noop": (Toxic, ()),
    "latency": (Latency, ("latency", "jitter")),
    "bandwidth": (Bandwidth, ("rate",)),
    "slow_close": (SlowClose, ("delay",)),
    "timeout": (Timeout, ("timeout",)),
    "reset_peer": (ResetPeer, ("timeout",)),
    "slicer": (Slicer, ("average_size", "size_variation", "delay")),
    "limit_data": (LimitData, ("bytes",)),
    "stall": (Stall, ("duration",)),
}
WHOLE_MAX = 2**53


class Bad(ValueError):
    """What was asked for can't be; says why, in Toxiproxy's words where it has some."""


class Unknown(LookupError):
    """No such proxy, or no such toxic: in Toxiproxy's words."""


class Taken(ValueError):
    """There is one of that name already: in Toxiproxy's words."""


@dataclass(frozen=True, slots=True)
class Described:
    """One toxic of a proxy. toxicity: the share of the connections that it acts on."""

    name: str
    type: str
    stream: str
    toxicity: float
    toxic: Toxic

    @property
    def at_its_end(self) -> bool:
        """Is it felt when a connection ends, and not before?"""
        return self.type in ("limit_data", "slow_close")

    @property
    def picks(self) -> bool:
        """Is it felt by some of the calls on its edge, and maybe by none?"""
        return self.toxicity < 1 or self.at_its_end

    def json(self) -> dict[str, object]:
        """As Toxiproxy describes one."""
        names = TYPES[self.type][1]
        values = [getattr(self.toxic, one.name) for one in fields(self.toxic)]
        return {
            "attributes": dict(zip(names, values, strict=True)),
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
        }


def read_toxic(given: Any) -> Described:
    """A new toxic. Raises Bad."""
    asked = read_object(given, "the body")
    kind = read_text(asked, "type", "")
    stream = read_text(asked, "stream", "downstream")
    if stream not in STREAMS:
        raise Bad("stream was invalid, can be either upstream or downstream")
    if kind not in TYPES:
        raise Bad("invalid toxic type")
    name = read_text(asked, "name", "") or f"{kind}_{stream}"
    toxic = _attributes(TYPES[kind][0](), kind, asked)
    return Described(name, kind, stream, _toxicity(asked, 1.0), toxic)


def changed_toxic(old: Described, given: Any) -> Described:
    """With other attributes or another toxicity; what is not given stays. Raises Bad."""
    asked = read_object(given, "the body")
    toxic = _attributes(old.toxic, old.type, asked)
    return replace(old, toxic=toxic, toxicity=_toxicity(asked, old.toxicity))


def _attributes(toxic: Toxic, kind: str, asked: Mapping[str, Any]) -> Toxic:
    """Attributes that a type has not are passed over, as Toxiproxy does."""
    given = read_object(asked.get("attributes"), "attributes")
    changes: dict[str, Any] = {}
    for name, one in zip(TYPES[kind][1], fields(toxic), strict=True):
        value = given.get(name)
        if value is None:
            continue
        if type(value) is not int or not 0 <= value <= WHOLE_MAX:
            raise Bad(f"bad request body: attributes.{name} must be a whole number from 0")
        changes[one.name] = value
    made = replace(toxic, **changes)
    if isinstance(made, Slicer):
        _check_slicer(made)
    return made


def _check_slicer(slicer: Slicer) -> None:
    """A piece must have a byte at least."""
    if slicer.average_bytes < 1:
        raise Bad("bad request body: attributes.average_size must be 1 or more")
    if slicer.variation_bytes >= slicer.average_bytes:
        raise Bad("bad request body: attributes.size_variation must be below average_size")


def read_object(value: Any, what: str) -> Mapping[str, Any]:
    """null is an empty one, as in Toxiproxy. Raises Bad."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Bad(f"bad request body: {what} must be an object")
    return value


def read_text(asked: Mapping[str, Any], key: str, default: str) -> str:
    """Raises Bad."""
    value = asked.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise Bad(f"bad request body: {key} must be a string")
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise Bad(f"bad request body: {key} must be text") from exc
    return value


def _toxicity(asked: Mapping[str, Any], default: float) -> float:
    value = asked.get("toxicity")
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Bad("bad request body: toxicity must be a number from 0 to 1")
    return float(value)
