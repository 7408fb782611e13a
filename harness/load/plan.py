"""What a load is told: one JSON file, in the run's work folder because of the token.

The master reads the file. A worker is sent what it needs of it, so that it may run on a machine
that has no run directory.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.load.repayments import NOBODY_REPAYS, RepayRules
from harness.scenario.model import Patience

COMMAND = "load-command.json"
# A worker that the master has not heard for so long is lost, and one that has not heard the master
# for so long offers nothing more; it still tries to hand over what it has seen for GONE_S.
LOST_AFTER_S = 30.0
GONE_S = 60.0
# A share that nobody has asked for by then is lost as well.
ASKED_WITHIN_S = 60.0
# Why a worker offered less than was planned, when that is in order.
ORDERED = "it was told to stop"
# In flight at once at one worker, at most; beyond it a draw is dropped, and the run inconclusive.
IN_FLIGHT = 4096


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """run: the run directory. workers: how many shares the intents are divided into.

    late_s: how long after the end of load an unknown is still asked for. master_host, master_port:
    where Locust's master listens. windows_ms: over which the live estimates are made. cells: the
    lender's cells are by borrower, so that everybody knocks at a gateway of one's own first.
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
    master_host: str = "127.0.0.1"
    in_flight: int = IN_FLIGHT
    repay: RepayRules = NOBODY_REPAYS
    windows_ms: tuple[int, ...] = ()
    cells: bool = False

    def write(self, path: Path) -> None:
        """Readable by its owner alone."""
        path.write_text(json.dumps(self.facts()))
        path.chmod(0o600)

    def facts(self) -> dict[str, Any]:
        """As JSON or a message carries it."""
        return asdict(self)

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "LoadPlan":
        """The reverse of `facts`."""
        made = {
            "patience": Patience(**facts["patience"]),
            "repay": RepayRules(**facts["repay"]),
        }
        return cls(**{**facts, **made})

    @classmethod
    def read(cls, path: Path) -> "LoadPlan":
        """Raises OSError, ValueError, TypeError for what is no plan."""
        return cls.of(json.loads(path.read_text()))
