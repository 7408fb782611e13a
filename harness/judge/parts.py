"""Everything that is measured of one run: what expectations, verdict and report are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.judge.amplification import Amplification
from harness.judge.ends import Ends, Finding
from harness.judge.exposure import Exposure
from harness.judge.guarantee import Guarantee
from harness.judge.health import GeneratorHealth
from harness.judge.latency import LatencySummary
from harness.judge.recovery import Recovery
from harness.judge.repayments import Repaid


@dataclass(frozen=True, slots=True)
class Parts:
    """The measured parts of one run."""

    ends: Ends
    guarantee: Guarantee
    latency: Mapping[str, LatencySummary]
    recovery: Recovery
    exposure: Mapping[str, Exposure]
    amplification: Amplification
    audit: tuple[Finding, ...]
    health: GeneratorHealth
    repaid: Repaid
    # What is missing of the load's evidence, in words; nothing when it is whole.
    incomplete: tuple[str, ...]
    # Of the intents that fell due in seconds in which the generator was well; None: it always was.
    without_bad: "Parts | None" = None
