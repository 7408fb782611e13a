"""From one run's evidence to its verdict. Pure: the same rows give the same bytes.

1. Replay the ledger: what had each borrower been promised? (oracle)
2. How did each intent end? (intents)
3. What did each fault touch, and why did each broken intent break? (exposure, attribution)
4. The guarantee, the latency, the recovery, the amplification.
5. The audit: is the money right?
6. Was the generator well?
7. The expectations.
8. The verdict: anything missing, cut or vacuous makes it inconclusive; wrong money breaches.
"""

from dataclasses import replace

from harness.clock import NS_PER_S
from harness.judge.amplification import amplification
from harness.judge.attribution import attribute
from harness.judge.audit import audit
from harness.judge.completeness import incomplete
from harness.judge.exposure import exposure
from harness.judge.guarantee import guarantee
from harness.judge.health import bad_seconds, generator_health, judged_seconds
from harness.judge.intents import judge_intents
from harness.judge.latency import latency
from harness.judge.oracle import Oracle
from harness.judge.parts import Parts
from harness.judge.recovery import recovery
from harness.judge.repayments import repayments
from harness.judge.verdict import Verdict, conclude
from harness.judge.view import RunView


def judge(view: RunView) -> Verdict:
    """The verdict of one run."""
    return conclude(view, measure(view))


def measure(view: RunView) -> Parts:
    """Steps 1 to 6."""
    exposures = exposure(view)
    ends = attribute(view, judge_intents(view, Oracle(view)), exposures)
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
    )
    bad = bad_seconds(view) & set(judged_seconds(view))
    if not bad:
        return whole
    well = tuple(e for e in ends if (e.intent.due_ns - view.t0_ns) // NS_PER_S not in bad)
    without = replace(
        whole,
        ends=well,
        guarantee=guarantee(view, well),
        latency=latency(view, well),
        recovery=recovery(view, well, bad),
    )
    return replace(whole, without_bad=without)
