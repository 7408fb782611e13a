"""Everything that is measured of one run: what expectations, verdict and report are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.judge.alerts import Detection
from harness.judge.amplification import Amplification
from harness.judge.breakers import Breakers
from harness.judge.drift import Drift
from harness.judge.ends import Ends, Finding
from harness.judge.exposure import Exposure
from harness.judge.guarantee import Guarantee, Share
from harness.judge.harm import Harm
from harness.judge.health import GeneratorHealth
from harness.judge.latency import LatencySummary
from harness.judge.recovery import Recovery
from harness.judge.repayments import Repaid
from harness.judge.stranded import Stranded
from harness.judge.truth import Truth
from harness.judge.warnings import Warnings


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
    harm: Harm
    by_group: Mapping[str, Share]
    # What is None can't be told of this run: a table is missing, or the lender has no such thing.
    by_replica: Mapping[str, Share] | None
    truth: Truth | None
    stranded: Stranded | None
    breakers: Breakers | None
    detection: Detection
    warnings: Warnings
    drift: Drift
    # What is missing of the load's evidence, in words; nothing when it is whole.
    incomplete: tuple[str, ...]
    # Of the intents that fell due in seconds in which the generator was well, and recovery without
    # the p90 of seconds in which a CPU was waited for; None: it always was, and none was.
    without_bad: "Parts | None" = None
