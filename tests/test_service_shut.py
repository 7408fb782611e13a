"""What is shut off in a service is seen by what the service does, not by its word alone."""

from collections.abc import Iterator

import pytest

from harness.faults import service_shut
from harness.faults.service_shut import Shut

COLD = Shut("gateway-1", "cold", "quota_cache_cold", "1", 3.0, "cold", "quota_cache_hits_total")


class Somewhere:
    """As much of what is around a fault as a look needs."""

    def replica_address(self, _: str) -> tuple[str, int]:
        return "127.0.0.1", 1


def seen(monkeypatch: pytest.MonkeyPatch, *said: dict[str, str]) -> bool | None:
    told: Iterator[dict[str, str]] = iter(said)
    monkeypatch.setattr(service_shut, "refuses", lambda _: False)
    monkeypatch.setattr(service_shut, "metrics_of", lambda _: next(told))
    monkeypatch.setattr(service_shut, "MEANWHILE_S", 0.0)
    return COLD.observe(Somewhere()).bites  # type: ignore[arg-type]  # as much as it needs


def test_a_cache_that_says_cold_and_goes_on_answering_is_not_cold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cache(cold: str, hits: str) -> dict[str, str]:
        return {"quota_cache_cold": cold, "quota_cache_hits_total": hits}

    assert seen(monkeypatch, cache("1", "7"), cache("1", "7")) is True
    assert seen(monkeypatch, cache("1", "7"), cache("1", "8")) is False
    assert seen(monkeypatch, cache("1", "7"), {}) is None
    assert seen(monkeypatch, cache("0", "7")) is False
    assert seen(monkeypatch, {}) is None
