"""What may be ordered of the running lender by control requests, other than its books.

POST   /renew/NAME        end a replica and start it again: kill (or nothing: asked to end);
                          not_ready_s: it says for so long that it is not ready
POST   /loop/NAME         every_s, lease_s         DELETE /loop/NAME
POST   /deploy/ROLE       version (JSON), every_s, lease_s, most     DELETE /deploy/ROLE
POST   /migration/TABLE   hold_s                   DELETE /migration
"""

import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace

from mock_lender.cluster.config import ROLES, LenderConfig
from mock_lender.cluster.control import Refused
from mock_lender.cluster.operations import Operations
from mock_lender.cluster.version import Version
from mock_lender.defects import check
from mock_lender.ledger.migration import TABLES

LEASE_S_MAX = 3600.0
EVERY_S_MIN = 0.2
UNREADY = "slow start"
NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
# A migration is a process of its own: begun with (table, s), ended.
Begin = Callable[[str, float], None]
End = Callable[[], bool]


class Orders:
    """Checks what is asked for, and sees that it is done. Raises Refused."""

    def __init__(
        self, config: LenderConfig, operations: Operations, migrate: Begin, stop_migration: End
    ) -> None:
        self._config = config
        self._operations = operations
        self._migrate = migrate
        self._stop_migration = stop_migration

    def answer(self, method: str, path: str, query: Mapping[str, str]) -> dict[str, object] | None:
        """None: it is nothing for us."""
        act, _, what = path.removeprefix("/").partition("/")
        order = {
            ("POST", "renew"): self._renew,
            ("DELETE", "renew"): self._ready_now,
            ("POST", "loop"): self._loop,
            ("DELETE", "loop"): self._end_loop,
            ("POST", "deploy"): self._deploy,
            ("DELETE", "deploy"): self._roll_back,
            ("POST", "migration"): self._migration,
            ("DELETE", "migration"): self._end_migration,
        }.get((method, act))
        if order is None:
            return None
        order(what, query)
        return {"done": True}

    def _renew(self, name: str, query: Mapping[str, str]) -> None:
        version = self._operations.version_of(self._known(name))
        not_ready_s = seconds(query, "not_ready_s", 0.0, LEASE_S_MAX, "0")
        if not_ready_s:
            unready = {"name": UNREADY, "kind": "unready", "lease_s": not_ready_s}
            version = replace(version, faults=(*version.faults, unready))
        kill = query.get("kill") == "1"
        self._operations.renew(name, version, signal.SIGKILL if kill else signal.SIGTERM)

    def _ready_now(self, name: str, _: Mapping[str, str]) -> None:
        self._operations.lift(self._known(name), UNREADY)

    def _loop(self, name: str, query: Mapping[str, str]) -> None:
        every_s = seconds(query, "every_s", EVERY_S_MIN, LEASE_S_MAX)
        self._operations.loop(
            self._known(name), every_s, seconds(query, "lease_s", 0.0, LEASE_S_MAX)
        )

    def _end_loop(self, name: str, _: Mapping[str, str]) -> None:
        if not self._operations.end_loop(name):
            raise Refused(404, f"no loop of {name}")

    def _deploy(self, role: str, query: Mapping[str, str]) -> None:
        if role not in ROLES and role not in self._config.names():
            raise Refused(404, f"no role or replica {role}")
        names = [n for n in self._config.names() if n == role or n.rpartition("-")[0] == role]
        try:
            version = Version.parse(query.get("version", ""))
            check(version.defects)
            version.configured(self._config)
        except (ValueError, TypeError) as exc:
            raise Refused(422, f"version: {exc}") from exc
        if self._operations.deployed_to(names):
            raise Refused(409, f"{role} has a deployment")
        most = round(seconds(query, "most", 1, len(names), str(len(names))))
        self._operations.deploy(
            role,
            names,
            most,
            version,
            seconds(query, "every_s", 0.0, LEASE_S_MAX),
            seconds(query, "lease_s", 0.0, LEASE_S_MAX),
            canary="canary" in self._config.protections and len(names) > 1,
        )

    def _roll_back(self, role: str, _: Mapping[str, str]) -> None:
        if not self._operations.roll_back(role):
            raise Refused(404, f"nothing is deployed to {role}")

    def _migration(self, table: str, query: Mapping[str, str]) -> None:
        if table not in TABLES:
            raise Refused(404, f"one of {', '.join(TABLES)}")
        self._migrate(table, seconds(query, "hold_s", 0.0, LEASE_S_MAX))

    def _end_migration(self, _: str, __: Mapping[str, str]) -> None:
        if not self._stop_migration():
            raise Refused(404, "no migration")

    def _known(self, name: str) -> str:
        if name not in self._config.names():
            raise Refused(404, f"no service {name}")
        return name


def seconds(
    query: Mapping[str, str], key: str, least: float, most: float, fallback: str = ""
) -> float:
    """A number of the query, in a range. Raises Refused."""
    text = query.get(key, fallback)
    if not NUMBER.fullmatch(text) or not least <= float(text) <= most:
        raise Refused(400, f"{key}: a number from {least:g} to {most:g}")
    return float(text)
