"""What a proxied stream may suffer: small values that say when bytes may pass. Pure.

One method a toxic; "no toxic" is a value too. Settings are the toxic's, state is the link's.
"""

import random
from dataclasses import dataclass
from typing import Protocol


class Toxic(Protocol):
    """`delay_s` of one chunk of bytes; order is kept by the link, whatever it says."""

    def delay_s(self, dice: random.Random) -> float: ...


@dataclass(frozen=True, slots=True)
class NoToxic:
    """The identity."""

    def delay_s(self, dice: random.Random) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Every chunk passes `latency_ms` ± `jitter_ms` (uniform) after it came."""

    latency_ms: int
    jitter_ms: int = 0

    def delay_s(self, dice: random.Random) -> float:
        jitter_ms = dice.uniform(-self.jitter_ms, self.jitter_ms) if self.jitter_ms else 0.0
        return max(0.0, self.latency_ms + jitter_ms) / 1000


class BadToxic(ValueError):
    """The attributes of a toxic are not right; says what is."""


def make_toxic(kind: object, attributes: object) -> Toxic:
    """A toxic from Toxiproxy's JSON. Raises BadToxic."""
    if kind != "latency":
        raise BadToxic("type: latency")
    known = {"latency": 0, "jitter": 0}
    if not isinstance(attributes, dict) or set(attributes) - set(known):
        raise BadToxic("attributes: latency and jitter, whole milliseconds")
    values = {**known, **attributes}
    for value in values.values():
        if type(value) is not int or not 0 <= value <= 600_000:
            raise BadToxic("latency and jitter: 0 to 600000 whole milliseconds")
    return Latency(values["latency"], values["jitter"])
