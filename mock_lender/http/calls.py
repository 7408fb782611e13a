"""What the client of every hop keeps of a service, of a call, and of one try of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_lender.resilience.breaker import Breaker
from mock_lender.resilience.budget import RetryBudget
from mock_lender.resilience.deadline import Deadline
from mock_lender.resilience.outlier import Outliers
from mock_lender.resilience.replicas import Replicas


@dataclass(slots=True)
class Service:
    """What one caller knows of a service, or a bank: its replicas, those that are unlike the
    others, what retries it may have, and how many calls and tries there were."""

    replicas: Replicas
    outliers: Outliers | None
    budget: RetryBudget | None
    calls: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call, whatever becomes of its tries. `bounded_s`: of each try, by who calls."""

    service: str
    method: str
    path: str
    body: Mapping[str, Any] | None
    draw_key: str
    attempt: int
    deadline: Deadline | None
    bounded_s: float


@dataclass(slots=True)
class Try:
    """Who watches over one try: the outliers or the breaker, or nobody. `trial`: it is the one by
    which a replica may come back. era: the breaker's."""

    server: str
    outliers: Outliers | None = None
    breaker: Breaker | None = None
    trial: bool = False
    admitted: bool = True
    era: int = 0
    began_ns: int = field(default_factory=time.monotonic_ns)

    def forgotten(self) -> None:
        """It ended without a word on its server's health."""
        if self.outliers is not None:
            self.outliers.ended(self.server, trial=self.trial)
        if self.breaker is not None:
            self.breaker.ended(self.era)
