"""A mock lender of its own for tests: started by its supervisor, stopped and checked at the end."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.target.cache import cache_dir
from mock_lender.cluster.config import CapacityConfig, LenderConfig, TierConfig
from mock_lender.cluster.topology import Service, Topology
from mock_lender.cluster.witness import Witness
from mock_lender.resilience.profile import PROFILES
from tests.drills import ROOT

TOKEN = "token-of-a-test"  # noqa: S105  a test's
BORROWERS = 400
LIMIT_FEN = 1_000_000


def until(what: Callable[[], object], within_s: float = 10.0) -> Any:
    """Wait for something true, bounded; returns it."""
    give_up_s = time.monotonic() + within_s
    wait = threading.Event()
    while not (found := what()):
        assert time.monotonic() < give_up_s, "not in time"
        wait.wait(0.02)
    return found


class Lender:
    """A running lender. `draw` and `get` speak to a gateway as borrowers do."""

    def __init__(self, folder: Path, profile: str, **changes: Any) -> None:
        self.folder = folder
        self.work, self.records = folder / "work", folder / "records"
        self.work.mkdir()
        self.records.mkdir()
        people = [f"{n},new,{LIMIT_FEN},{int(n == 2)},{int(n == 3)}" for n in range(1, BORROWERS)]
        population = self.work / "population.csv"
        population.write_text(
            "borrower,group,limit_fen,barred,delinquent\n" + "\n".join(people) + "\n"
        )
        features = self.work / "features.csv"
        features.write_text(
            "borrower,tenure_months,utilisation_bp,past_due_days,income_band\n"
            + "".join(
                f"{n},{n % 60},{n * 97 % 9500},{30 * (n == 3)},{1 + n % 5}\n"
                for n in range(1, BORROWERS)
            )
        )
        tiers = tuple(TierConfig(t, f"bank.{t}", 0.5, 10**12) for t in ("own", "partner-a"))
        config: dict[str, Any] = {
            "work_dir": str(self.work),
            "telemetry_dir": str(self.records),
            "topology_json": str(folder / "topology.json"),
            "population_csv": str(population),
            "cache_dir": str(cache_dir(folder)),
            "token": TOKEN,
            "protections": PROFILES[profile],
            "replicas": dict.fromkeys(("gateway", "risk", "compliance", "ledger"), 2),
            "capacity": CapacityConfig(16, 8, 40, 0.02),
            "tiers": tiers,
            "barred_purposes": ("securities",),
            "features_csv": str(features),
        } | changes
        LenderConfig(**config).write(self.work / "lender.json")
        argv = [
            sys.executable,
            "-m",
            "mock_lender.cluster.supervisor",
            str(self.work / "lender.json"),
        ]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(argv, cwd=ROOT, stderr=log)
        until((folder / "topology.json").exists, 20)

    @property
    def topology(self) -> Topology:
        return Topology.read(self.folder / "topology.json")

    def databases(self) -> Witness:
        """Which database is the primary."""
        return Witness.read(Path(self.topology.witness))

    def service(self, name: str) -> Service:
        return self.topology.service(name)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        gateway: str = "gateway-1",
        raw: bytes | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """One request to a service; (status, JSON)."""
        service = self.service(gateway)
        connection = http.client.HTTPConnection(service.host, service.port, timeout=15)
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        sent = {"Content-Type": "application/json"} if data is not None else {}
        try:
            connection.request(method, path, data, {**sent, **(headers or {})})
            response = connection.getresponse()
            found = response.read()
        finally:
            connection.close()
        answer: dict[str, Any] = json.loads(found) if found.startswith(b"{") else {}
        return response.status, answer

    def draw(
        self,
        key: str,
        borrower: int = 10,
        amount_fen: int = 100,
        purpose: str = "education",
        gateway: str = "gateway-1",
        **headers: str,
    ) -> tuple[int, dict[str, Any]]:
        """Press once."""
        body = {"borrower": borrower, "amount_fen": amount_fen, "purpose": purpose}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", "/v1/draws", body, {"Idempotency-Key": key, **named}, gateway)

    def close(
        self, key: str, borrower: int = 10, amount_fen: int = 100, gateway: str = "gateway-1"
    ) -> tuple[int, dict[str, Any]]:
        """Give a draw up."""
        body = {"borrower": borrower, "amount_fen": amount_fen, "purpose": "education"}
        return self.ask("POST", f"/v1/draws/{key}/close", body, gateway=gateway)

    def control(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        """Ask the supervisor."""
        host, _, port = self.topology.control.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=15)
        try:
            connection.request(method, path, headers={"X-Token": TOKEN})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def books(self) -> Path:
        """Export the books (this ends the services); the folder they are in."""
        folder = self.folder / "books"
        folder.mkdir()
        assert self.control("POST", f"/export?dir={folder}")[0] == 200
        return folder

    def stop(self) -> float:
        """Stop; how long it took, s."""
        began_s = time.monotonic()
        self.process.terminate()
        assert self.process.wait(10) == 0, (self.folder / "log").read_text()
        return time.monotonic() - began_s


@contextmanager
def lender(folder: Path, profile: str = "full", **changes: Any) -> Iterator[Lender]:
    """A lender for the length of a block."""
    folder.mkdir(exist_ok=True)
    made = Lender(folder, profile, **changes)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.stop()
