"""Who the borrowers are: groups, limits, and the few who may not borrow. Pure."""

from harness.evidence.rows import Borrower
from harness.scenario.model import Scenario
from harness.seeds import stream

# group: (share of the borrowers, limit from, limit to), yuan. Every limit is at least ten times
# the largest draw planned (AMOUNT_YUAN), so that a drill about systems is not one about quota.
GROUPS = {
    "new": (0.3, 50_000, 80_000),
    "regular": (0.5, 80_000, 150_000),
    "prime": (0.2, 150_000, 300_000),
}
AMOUNT_YUAN = (100, 5_000)
DELINQUENT_SHARE = 0.02


def plan_population(scenario: Scenario) -> tuple[Borrower, ...]:
    """Every borrower of the scenario, numbered from 1."""
    dice = stream(scenario.seed, "population")
    names = list(GROUPS)
    shares = [GROUPS[name][0] for name in names]
    people = []
    for number in range(1, scenario.load.borrowers + 1):
        group = dice.choices(names, shares)[0]
        _, low, high = GROUPS[group]
        limit_fen = dice.randrange(low, high + 1, 1000) * 100
        delinquent = dice.random() < DELINQUENT_SHARE
        people.append(Borrower(number, group, limit_fen, barred=False, delinquent=delinquent))
    return tuple(people)
