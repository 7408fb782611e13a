"""What a load process is told: one JSON file, in the run's work folder because of the token."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.load.repayments import RepayRules
from harness.scenario.model import Patience

# Before t = 0 a worker waits; after the last due time it stays this long at most.
COMMAND = "load-command.json"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """run: the run directory. workers: how many share the intents (intent % workers).

    late_s: how long after the end of load an unknown is still asked for. master_port: where
    Locust's master listens on loopback.
    """

    run: str
    seed: int
    workers: int
    patience: Patience
    quota_per_draw: float
    load_s: float
    late_s: float
    token: str
    master_port: int
    repay: RepayRules

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))
        path.chmod(0o600)

    @classmethod
    def read(cls, path: Path) -> "LoadPlan":
        raw: dict[str, Any] = json.loads(path.read_text())
        raw["patience"] = Patience(**raw["patience"])
        raw["repay"] = RepayRules(**raw["repay"])
        return cls(**raw)
