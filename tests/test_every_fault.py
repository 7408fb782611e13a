"""The table over every fault, on one real lender; a new kind in the catalogue comes by itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pytest

from benchmarks.faults import Bench, bench, every_fault, try_one
from harness.faults.catalogue import CATALOGUE
from harness.faults.fault import Fault, Healer, Sighting, Surroundings


def missing(family: str, kind: str) -> str:
    """The module that a kind needs and that is not installed, or nothing."""
    needs = CATALOGUE[family, kind].needs
    return needs if needs and find_spec(needs) is None else ""


EVERY = [
    pytest.param(*key, marks=pytest.mark.skipif(bool(missing(*key)), reason=f"no {missing(*key)}"))
    for key in every_fault()
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("every")) as made:
        yield made


@dataclass(frozen=True)
class Harmless:
    """A fault whose injector claims to work and does nothing."""

    inner: Fault
    name: str
    edge_or_replica: str
    bites_within_s: float
    look_s_max: float
    healer: Healer

    @classmethod
    def of(cls, inner: Fault) -> Fault:
        return cls(
            inner,
            inner.name,
            inner.edge_or_replica,
            inner.bites_within_s,
            inner.look_s_max,
            inner.healer,
        )

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        return self.inner.undo(around)

    def inject(self, around: Surroundings) -> None:
        return None

    def heal(self, around: Surroundings) -> None:
        return None

    def observe(self, around: Surroundings) -> Sighting:
        return self.inner.observe(around)


# First, while the lender is as it came up: what is not injected must not be seen.
@pytest.mark.parametrize(("family", "kind"), EVERY)
def test_an_injector_that_does_nothing_fails(on: Bench, family: str, kind: str) -> None:
    row = try_one(on, family, kind, Harmless.of, short=True)
    assert not row.ok
    assert row.observed_s is None
    assert "never observed" in str(row.trouble)


@pytest.mark.parametrize(("family", "kind"), EVERY)
def test_injected_seen_healed_seen_gone_and_the_lender_whole(
    on: Bench, family: str, kind: str
) -> None:
    on.steady_s()
    row = try_one(on, family, kind, lambda fault: fault, short=False)
    assert row.ok, row
    assert row.observed_s is not None
    assert row.observed_s <= row.bites_within_s
    assert row.gone_s is not None
    assert row.steady_s is not None
