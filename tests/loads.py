"""A load of master and workers as a test starts it: each a process, here or in a namespace."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.clock import NS_PER_S
from harness.evidence import tables
from harness.evidence.manifest import Manifest, read_manifest
from harness.evidence.recorder import StreamWriter
from harness.evidence.rows import Attempt, ClockRow, Intent, Second
from harness.load.plan import COMMAND, LoadPlan
from harness.scenario.model import Patience
from harness.seeds import draw_key
from tests.drills import ROOT

SEED = 11
PATIENCE = Patience(2.0, 0.4, 0, 0.1, 0.1, 0.2)


def until(what: Callable[[], bool], within_s: float, where: Path | None = None) -> None:
    """Wait for it; what the processes have said is shown when it does not come."""
    give_up_s = time.monotonic() + within_s
    wait = threading.Event()
    while not what():
        said = "" if where is None else "\n".join(
            f"{log.name}: {log.read_text()[-1500:]}" for log in sorted(where.glob("*.log"))
        )  # fmt: skip
        assert time.monotonic() < give_up_s, f"not within {within_s} s\n{said}"
        wait.wait(0.02)


def even_intents(count: int, rate_per_s: float, kind: int = 0) -> list[Intent]:
    """Evenly spaced; `kind` is what the fake gateway answers."""
    return [
        Intent(n, draw_key(SEED, n), n, "new", 100_000 + kind * 100, "education",
               int(n / rate_per_s * NS_PER_S), "baseline", False)
        for n in range(count)
    ]  # fmt: skip


@dataclass
class Load:
    """One load. Leave the context and every process of it is gone."""

    run: Path
    intents: Sequence[Intent]
    load_s: float
    workers: int = 2
    host: str = "127.0.0.1"
    in_flight: int = 4096
    made: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    t0_ns: int = 0
    orders: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.run / "work").mkdir(parents=True)
        writer = StreamWriter(self.run / "intents.0.arrows", "intents")
        for intent in self.intents:
            writer.append(tuple(intent))
        writer.close()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        plan = LoadPlan(str(self.run), SEED, self.workers, PATIENCE, 0.0, self.load_s, 2.0, "t",
                        self.port, self.host, self.in_flight)  # fmt: skip
        plan.write(self.run / "work" / "load-plan.json")

    def __enter__(self) -> "Load":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for process in self.made.values():
            process.kill()
            process.wait()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        with (self.run / f"{name}.log").open("wb") as log:
            self.made[name] = subprocess.Popen(
                [*prefix, sys.executable, *argv], stdout=log, stderr=log, cwd=ROOT,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip

    def start_gateway(self, prefix: Sequence[str] = (), *kind: str) -> str:
        """The fake one; its URL."""
        host = self.host
        self.start("gateway", [str(ROOT / "tests" / "fake_gateway.py"), host, *kind], prefix)
        log = self.run / "gateway.log"
        until(lambda: log.read_text().endswith("\n"), 10, self.run)
        return f"http://{host}:{int(log.read_text())}"

    def start_master(self, prefix: Sequence[str] = ()) -> None:
        plan_json = str(self.run / "work" / "load-plan.json")
        self.start("master", ["-m", "harness.load.locustfile", plan_json, "master"], prefix)

    def start_worker(
        self, number: int, prefix: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        """It is given the master's address, and no run directory."""
        name, where = f"worker-{number}", f"{self.host}:{self.port}"
        self.start(name, ["-m", "harness.load.locustfile", where, name], prefix, environment)

    def said(self) -> list[dict[str, Any]]:
        """The master's lines."""
        lines = (self.run / "master.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def fire(self, url: str) -> None:
        until(lambda: any("ready" in line for line in self.said()), 40, self.run)
        self.t0_ns = time.monotonic_ns() + NS_PER_S // 2
        self.order(fire={"t0_ns": self.t0_ns, "urls": {"gateway-1": url}})

    def order(self, **order: Any) -> None:
        self.orders |= order
        partial = self.run / "work" / "partial"
        partial.write_text(json.dumps(self.orders))
        partial.replace(self.run / "work" / COMMAND)

    def at(self, seconds: float) -> None:
        """Wait for this moment of the load."""
        at_ns = self.t0_ns + int(seconds * NS_PER_S)
        until(lambda: time.monotonic_ns() >= at_ns, seconds + 10)

    def kill(self, name: str) -> None:
        self.made[name].send_signal(signal.SIGKILL)

    def end(self, within_s: float) -> Manifest:
        """The master has come to its own end by then."""
        until(lambda: self.made["master"].poll() is not None, within_s, self.run)
        found = read_manifest(self.run)
        assert found is not None
        return found

    def attempts(self) -> list[Attempt]:
        return self._rows("attempts")

    def clocks(self) -> list[ClockRow]:
        return self._rows("clocks")

    def seconds(self) -> list[Second]:
        return self._rows("generator")

    def _rows(self, table: str) -> list[Any]:
        rows, missing, _ = tables.read_rows(self.run, table)
        assert not missing
        return list(rows)
