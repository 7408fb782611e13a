"""Where a replica is, and which other replicas are near it. Pure.

There are two sites, each of which is a cell too: replicas with odd numbers are at site `a`, with
even numbers at `b`, the first database at `a`, the second at `b`; banks and borrowers at neither.
"""

from collections.abc import Collection, Sequence

from mock_lender.cluster.config import LenderConfig

SITES = ("a", "b")


def site_of(name: str) -> str | None:
    """None: it is at neither."""
    number = name.rpartition("-")[2]
    return SITES[(int(number) + 1) % 2] if number.isdigit() else None


def at_home(caller: str, names: Sequence[str], protections: Collection[str]) -> frozenset[str]:
    """Those that this caller asks before it asks others: with cells, those of its own. Empty: none
    before others."""
    if "cells" not in protections:
        return frozenset()
    return frozenset(name for name in names if site_of(name) == site_of(caller))


def round_trip_s(caller: str, server: str, config: LenderConfig) -> float:
    """How much longer a call takes for the distance between two sites."""
    here, there = site_of(caller), site_of(server)
    apart = here is not None and there is not None and here != there
    return config.site_round_trip_s if apart else 0.0
