"""What the drills are about: each claim of the background story, in our words, and what shows it.

The story has two halves: four causes for which borrowers who see a quota can't draw, and a remedy
for each. A drill says in `covers` which claims it puts to the test; docs/coverage.md is made of it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. part: which half, and of which cause. mechanism: what in the lender, or in how it
    is judged, makes it happen here. measure: `phase.measure` as a run's figures have it, the one
    that tells most of the claim, whatever a drill's arms differ in."""

    id: str
    part: str
    text: str
    mechanism: str
    measure: str


GUARANTEE, FAULT, ACCESS = "drill.guarantee", "fault.guarantee", "fault.access"

CLAIMS = (
    Claim(
        "shown-but-refused", "problem",
        "People look, see that they have quota left, press, and get no money.",
        "Quota is shown by one request and the draw is judged by another; the oracle replays from "
        "the ledger's versions what a borrower could count on when the draw fell due.",
        GUARANTEE,
    ),
    Claim(
        "risk-decides", "cause: risk",
        "A model weighs many signals about a person, and decides both the limit and whether it may "
        "be used.",
        "Risk is a service of its own, asked for every draw: its answer can be no while the limit "
        "stands, and it can be slow or gone.",
        FAULT,
    ),
    Claim(
        "quota-is-no-standing-offer", "cause: risk",
        "The figure on the screen is neither fixed nor sure to be there later.",
        "A draw is judged anew against the policies and versions of that moment.",
        ACCESS,
    ),
    Claim(
        "limits-move", "cause: risk",
        "Limits follow the market, the policy and what the person has been doing.",
        "Policies are versions with a date in a rule book that every risk replica follows.",
        FAULT,
    ),
    Claim(
        "risk-tightens", "cause: risk",
        "When the market turns, or a rule is new, limits are tightened for a while.",
        "`business: tightening` and `business: stress` put a stricter policy in force under load.",
        ACCESS,
    ),
    Claim(
        "money-must-be-there", "cause: liquidity",
        "Lending takes money that lies ready.",
        "Every draw reserves from a tier with a balance; a tier without money refuses.",
        FAULT,
    ),
    Claim(
        "dates-drain-funds", "cause: liquidity",
        "Around the Spring Festival and at a quarter's end money is short everywhere.",
        "`business: tier_drained` and `settlement_delay` take a tier's money by postings, "
        "`limit_cut` and hourly limits what may be drawn of it; shapes of load put the demand of "
        "such days beside it.",
        "drill.stranded",
    ),
    Claim(
        "funds-miss-the-cycle", "cause: liquidity",
        "Who does not plan ahead has quota out and money in the wrong place at the wrong hour.",
        "Money lies in tiers: a draw refused by one that another could pay is counted as stranded.",
        "drill.stranded",
    ),
    Claim(
        "systems-fail", "cause: system",
        "Systems break down, and that stops draws as well as any refusal does.",
        "Real processes and databases are killed, frozen, slowed and cut off by a nemesis; each "
        "fault is seen from outside.",
        "drill.recover_s",
    ),
    Claim(
        "peaks-clog", "cause: system",
        "At the busiest hours everybody comes at once and everything backs up.",
        "Gateway slots, connections and bank slots are bounded, with queues in turn; arrivals are "
        "open, and latency counts from when a draw was due.",
        "fault.p95",
    ),
    Claim(
        "upgrades-break", "cause: system",
        "A version that was not tested enough goes out and does wrong.",
        "The lender rolls versions out a replica at a time; `deploy` faults bring a bad one.",
        "drill.blast_radius",
    ),
    Claim(
        "trust-suffers", "cause: system",
        "Each failure costs time and trust: people press again, or leave.",
        "Borrowers press again with the same key, poll, and at their deadline give up and close. A"
        " lender that says no at once is pressed more often than one that lets them wait.",
        "drill.amplification",
    ),
    Claim(
        "peaks-magnify", "cause: system",
        "On repayment days and in promotions a small slip grows large.",
        "The same fault meets the load of a peak; what is slow holds slots that all draws need. How"
        " much worse six faults are: [capacity.md](capacity.md#what-a-peak-makes-of-a-fault).",
        "drill.blast_radius",
    ),
    Claim(
        "rules-pile-up", "cause: compliance",
        "Rule after rule comes out, each stricter than the last.",
        "Compliance is a service with a file of dated rules, asked for every draw.",
        ACCESS,
    ),
    Claim(
        "rules-not-followed", "cause: compliance",
        "A platform that has not caught up with a rule, or breaks it, may not lend.",
        "`in force` and `adopted` are two dates; what is approved between them is wrong.",
        "drill.wrongly_approved",
    ),
    Claim(
        "rules-spread", "cause: compliance",
        "A policy hits the whole trade at once, and few see it come.",
        "One rule takes away a purpose, or a source of money, from every borrower in one moment.",
        "drill.blast_radius",
    ),
    Claim(
        "remedy-early-warning", "remedy: risk",
        "Watch the market and the rules, adjust in time, and tell people before they try.",
        "A notice dated before the draw withdraws the promise: guarantee and access are shown side "
        "by side, so that it can't look better than it is.",
        ACCESS,
    ),
    Claim(
        "remedy-plan-funds", "remedy: liquidity",
        "Plan the money before festivals and quarter ends.",
        "`funding_plan`: each hour's shares follow from a forecast. The oracle says which broken "
        "draws some lawful split of the tiers would have covered.",
        "drill.avoidable",
    ),
    Claim(
        "remedy-fine-allocation", "remedy: liquidity",
        "Move money in fine portions to where it is wanted.",
        "`fine_allocation`: tiers lie in slices that serve any draw and are gathered at need; a "
        "hold that is not used is released at once.",
        "drill.stranded",
    ),
    Claim(
        "remedy-many-sources", "remedy: liquidity",
        "Have several sources, so that one of them may swing.",
        "`tier_fallthrough`: a tier that can't pay hands the draw to the next.",
        FAULT,
    ),
    Claim(
        "remedy-tests-and-backups", "remedy: system",
        "Test harder before peaks and upgrades, and keep a backup.",
        "The drills are that test; the standby, the canary and the sweeper are the backups.",
        "drill.recover_s",
    ),
    Claim(
        "remedy-distribution", "remedy: system",
        "Distribute and keep a second site, so that a local fault stays local.",
        "Replicas, outlier ejection, breakers, cells, a second site that looks over its own route, "
        "and a synchronous standby; sites can be cut off.",
        "drill.blast_radius",
    ),
    Claim(
        "remedy-compliance-first", "remedy: compliance",
        "Follow the rules ahead of their date.",
        "A rule adopted by the moment it is in force approves nothing wrongly.",
        "drill.wrongly_approved",
    ),
    Claim(
        "remedy-disclosure", "remedy: compliance",
        "Let product, model and what borrowers are told fit the rules from the start.",
        "What a rule forbids is published to borrowers; the oracle knows what each had been told.",
        ACCESS,
    ),
    Claim(
        "promise", "promise",
        "Who has quota can draw.",
        "Kept ÷ promised, by count and by money, with each broken draw's one cause.",
        "drill.guarantee_money",
    ),
)  # fmt: skip
CLAIM_IDS = tuple(claim.id for claim in CLAIMS)
# Claims that no drill puts to the test yet. Each leaves this list with its first drill.
NOT_YET: tuple[str, ...] = ()
