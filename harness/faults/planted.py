"""Faults that a service keeps for us, as leases: what all of them do alike.

The service has a place for them (`/control/faults/NAME`, the run's token), and ends them by itself
after their lease, should nobody come back.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from harness.faults.asking import Unreachable, ask
from harness.faults.fault import LEASE_MARGIN_S, Surroundings


class Planted:
    """A replica or bank `target` has the fault `name` for `for_s`; what it is, `planted` says."""

    __slots__ = ()
    target: str
    for_s: float
    name: str

    @property
    def edge_or_replica(self) -> str:
        return self.target

    def planted(self) -> Mapping[str, object]:
        """The fault as the service takes it."""
        raise NotImplementedError

    @property
    def _path(self) -> str:
        return f"/control/faults/{quote(self.name, safe='')}"

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        base_url, _ = around.service_api(self.target)
        return {"kind": "http", "method": "DELETE", "url": base_url + self._path}

    def inject(self, around: Surroundings) -> None:
        body = {**self.planted(), "lease_s": self.for_s + LEASE_MARGIN_S}
        ask(around.service_api(self.target), "PUT", self._path, body)

    def heal(self, around: Surroundings) -> None:
        """A service that is gone has no fault any more, and one that does not answer ends it by
        itself with its lease; whether it did is for the next look to say."""
        try:
            ask(around.service_api(self.target), "DELETE", self._path)
        except Unreachable:
            return
