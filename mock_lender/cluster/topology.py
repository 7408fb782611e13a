"""Who runs where: written by the supervisor once every service answers, and at each restart."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Service:
    """One process. start_ticks: field 22 of /proc/PID/stat, which tells a reused pid."""

    name: str
    role: str
    pid: int
    start_ticks: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Topology:
    """services: replicas and banks. witness: the file that says which databases there are. control:
    the supervisor's own `host:port` (POST /restart/NAME, /export, /checkpoint, /treasury/TIER; GET
    /pending; header `X-Token`). ready_ns: CLOCK_MONOTONIC. database: settings by SHOW."""

    services: tuple[Service, ...]
    witness: str
    control: str
    started_ns: int
    ready_ns: int
    database: dict[str, str]

    def write(self, path: Path) -> None:
        """Atomic: a reader sees the old file or the new one."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1))
        os.replace(partial, path)

    @classmethod
    def read(cls, path: Path) -> "Topology":
        raw: dict[str, Any] = json.loads(path.read_text())
        raw["services"] = tuple(Service(**service) for service in raw["services"])
        return cls(**raw)

    def service(self, name: str) -> Service:
        """Raises KeyError for an unknown name."""
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)


def start_ticks(pid: int) -> int:
    """Field 22 of /proc/PID/stat. Raises OSError when there is no such process."""
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    return int(stat[stat.rindex(b")") + 2 :].split()[19])
