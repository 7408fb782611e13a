"""From one run's evidence to its verdict. Pure: the same rows give the same bytes.

1. Replay the ledger: what had each borrower been promised? (oracle)
2. How did each intent end? (intents)
3. What did each fault touch, and why did each broken intent break? (exposure, attribution)
   Was there money for it? (funding)
4. The guarantee, the latency, the recovery, the amplification; harm, breakers, alerts.
   What had borrowers been told, against the books? (truth) Was the baseline steady? (drift)
5. The audit: is the money right?
6. Was the generator well?
7. The expectations.
8. The verdict: anything missing, cut or vacuous makes it inconclusive; wrong money breaches.
"""

from dataclasses import replace

from harness.clock import NS_PER_S
from harness.judge.alerts import detection
from harness.judge.amplification import amplification
from harness.judge.attribution import attribute
from harness.judge.audit import audit
from harness.judge.breakers import breakers
from harness.judge.by_whom import by_group, by_replica
from harness.judge.completeness import incomplete
from harness.judge.drift import drift
from harness.judge.ends import Ends
from harness.judge.exposure import exposure
from harness.judge.funding import with_funding
from harness.judge.guarantee import guarantee
from harness.judge.harm import harm
from harness.judge.health import bad_seconds, busy_seconds, generator_health
from harness.judge.intents import judge_intents
from harness.judge.latency import latency
from harness.judge.oracle import Oracle
from harness.judge.parts import Parts
from harness.judge.recovery import recovery
from harness.judge.repayments import repayments
from harness.judge.stranded import stranded
from harness.judge.truth import truth
from harness.judge.verdict import Verdict, conclude
from harness.judge.view import RunView
from harness.judge.warnings import warnings


def judge(view: RunView) -> Verdict:
    """The verdict of one run."""
    return conclude(view, measure(view))


def measure(view: RunView) -> Parts:
    """Steps 1 to 6."""
    exposures = exposure(view)
    # Nothing keeps the ends of before: of a million attempts each is a hundred megabytes.
    ends = with_funding(
        view, Ends.of(attribute(view, judge_intents(view, Oracle(view)), exposures))
    )
    whole = Parts(
        ends=ends,
        guarantee=guarantee(view, ends),
        latency=latency(view, ends),
        recovery=recovery(view, ends),
        exposure=exposures,
        amplification=amplification(view),
        audit=audit(view, ends),
        health=generator_health(view),
        repaid=repayments(view),
        incomplete=tuple(incomplete(view)),
        harm=harm(view, ends),
        by_group=by_group(view, ends),
        by_replica=by_replica(view, ends),
        truth=truth(view),
        stranded=stranded(view),
        breakers=breakers(view),
        detection=detection(view),
        warnings=warnings(view),
        drift=drift(view, ends),
    )
    # Those of warmup and watch too: what is expected of the whole drill counts them.
    bad, busy = bad_seconds(view), busy_seconds(view)
    if not (bad or busy):
        return whole
    if not bad:
        eased = replace(whole, recovery=recovery(view, ends, busy=busy))
        return replace(whole, without_bad=eased)
    well = ends.only([(at - view.t0_ns) // NS_PER_S not in bad for at in ends.column("due_ns")])
    without = replace(
        whole,
        ends=well,
        guarantee=guarantee(view, well),
        latency=latency(view, well),
        recovery=recovery(view, well, bad, busy),
        harm=harm(view, well),
    )
    return replace(whole, without_bad=without)
