"""The draws that a plan calls promised are those that the judge will call so."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.clock import NS_PER_S
from harness.errors import ScenarioError
from harness.evidence.rows import Borrower, Draw, Intent, Policy, Published, RepayIntent
from harness.judge.guarantee import guarantee
from harness.judge.intents import judge_intents
from harness.judge.oracle import Oracle
from harness.load.foreseen import Notice, foresee
from harness.plan import Plan, make_plan, notices_of
from harness.scenario.loader import load_scenario
from tests.drills import SMOKE, command
from tests.run_views import changed, clean

# Long in sum: a slow module, so that every run fits its ten minutes.
pytestmark = pytest.mark.slow

BARRED = Policy("compliance", 1, "securities", 0, 0, None)
PHASES = ("baseline", "fault", "watch")


def planned(*overrides: str) -> Plan:
    return make_plan(load_scenario(SMOKE, overrides, None).scenario)


def judged(plan: Plan) -> dict[str, tuple[int, int]]:
    """(promised, withheld) by phase, as the judge counts them in the books of a lender that paid
    what the plan says it had promised, and nothing else."""
    policies, published = [BARRED], [Published(None, "policy", 1, 0)]
    warned = plan.scenario.lender.has("early_warning")
    notices = notices_of(plan.population, plan.faults, warned=warned)
    for number, notice in enumerate(notices, 2):
        kind = "risk" if notice.forbids is None else "compliance"
        policies.append(
            Policy(kind, number, notice.forbids, notice.from_ns if notice.law else None,
                   notice.from_ns, None, notice.above_fen, notice.score_below, notice.until_ns,
                   notice.stress_bp, notice.keep_bp)
        )  # fmt: skip
        published.append(Published(None, "notice", number, notice.from_ns))
    view = changed(
        clean(1), scenario=plan.scenario, t0_ns=0, intents=plan.intents, attempts=(),
        draws=tuple(
            paid(intent)
            for intent, fate in zip(plan.intents, plan.fates, strict=True) if fate == "promised"
        ),
        versions=(), policies=tuple(policies), published=tuple(published), faults=(),
        population=plan.population,
    )  # fmt: skip
    found = guarantee(view, judge_intents(view, Oracle(view)))
    shares = {**found.by_phase, "drill": found.total}
    return {phase: (share.promised, share.withheld) for phase, share in shares.items()}


def paid(intent: Intent) -> Draw:
    return Draw(intent.draw_key, intent.borrower, intent.amount_fen, intent.purpose, "paid", 1,
                "own", intent.due_ns, intent.due_ns, intent.due_ns, None, None, None, 1,
                intent.due_ns, 1, intent.due_ns)  # fmt: skip


NOTICE = "announced: on, at: fault+2s, for: 6s}]"


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("load.journey.hot=0.5",),
        ("cause=risk", "load.population={zipf: 0.9}", "load.borrowers=5000"),
        ("cause=risk", "faults=[{business: tightening, above: 900 yuan, " + NOTICE),
        (
            "cause=risk",
            "load.population={amounts: {median: 30000 yuan, sigma: 0.5,"
            " range: 5000 yuan..50000 yuan}}",
            "faults=[{business: tightening, cut: 50 %, share: 30 %, lead: 1s, at: fault+1s}]",
        ),
        ("cause=risk", "faults=[{business: stress, level: 60 %, " + NOTICE),
        ("cause=compliance", "faults=[{business: rule_in_force, target: education, " + NOTICE),
        ("cause=compliance", "faults=[{business: rule_adopted, target: education, " + NOTICE),
        ("faults=[{process: kill, target: ledger-1, at: watch}]",),
        ("faults=[{process: kill, target: ledger-1, at: baseline}]",),
        ("load.journey.must_refuse=0.5", "load.patience.attempt_timeout=5s"),
    ],
)
def test_a_plan_counts_as_the_judge_does(overrides: tuple[str, ...]) -> None:
    plan = planned(*overrides)
    counts = {p: (plan.counts[p].promised, plan.counts[p].withheld) for p in (*PHASES, "drill")}
    assert counts == judged(plan)
    assert counts["drill"][0] > 900
    words = ("tightening", "stress", "rule_adopted")
    told = any(word in text for text in overrides for word in words)
    assert (counts["drill"][1] > 0) == told


def test_a_trace_names_borrowers_to_whom_nothing_is_promised(tmp_path: Path) -> None:
    """Borrowers in arrears, and amounts beyond any limit: left out, as the judge leaves them."""
    late = [one.borrower for one in planned().population if one.delinquent][:10]
    rows = [(n / 20, n + 1, 10**10 if n % 7 == 0 else 50_000) for n in range(600)]
    rows += [(31 + n, number, 50_000) for n, number in enumerate(late)]
    text = "".join(f"{due_s},{borrower},{fen}\n" for due_s, borrower, fen in rows)
    (tmp_path / "t.csv").write_text(f"due_s,borrower,amount_fen\n{text}")
    shape = "{kind: steady, rate: 30/s, steps: [{at: fault+0s, rate: 55/s}]}"
    scenario = SMOKE.read_text().replace(shape, "{kind: trace, file: t.csv}")
    (tmp_path / "s.yaml").write_text(scenario.replace("must_refuse: 0.03", "must_refuse: 0"))
    loaded = load_scenario(tmp_path / "s.yaml", (), None)
    plan = make_plan(loaded.scenario)
    count = plan.counts["drill"]
    first = {one.borrower for one in plan.population if one.delinquent and one.borrower <= 600}
    never = {n + 1 for n in range(0, 600, 7)} | first
    assert count.refused == len(never) + len(late)
    assert (count.promised, count.withheld) == judged(plan)["drill"]
    assert count.promised_fen == count.promised * 50_000


def intent(number: int, fen: int, due_s: int, purpose: str = "education") -> Intent:
    return Intent(number, f"k{number}", 1, "new", fen, purpose, due_s * NS_PER_S, "fault",
                  straddling=False)  # fmt: skip


def fates(intents: tuple[Intent, ...], *repaid: tuple[int, int], notice: Notice) -> list[str]:
    """Of one borrower with a limit of 100; repaid: (the draw's number, when in seconds)."""
    owed = [RepayIntent(n, f"r{n}", 1, 100, due_s * NS_PER_S) for n, due_s in repaid]
    who = (Borrower(1, "new", 100, barred=False, delinquent=False),)
    return list(foresee(who, intents, owed, (notice,), baseline_ns=NS_PER_S))


def test_what_is_repaid_is_promised_again_and_what_is_told_is_not() -> None:
    silent = Notice(0, 0)
    draws = (intent(0, 100, 2), intent(1, 100, 4), intent(2, 100, 6))
    assert fates(draws, notice=silent) == ["promised", "refused", "refused"]
    assert fates(draws, (0, 3), notice=silent) == ["promised", "promised", "refused"]
    assert fates(draws, (0, 3), (1, 6), notice=silent) == ["promised"] * 3
    # A draw that was never granted is never repaid.
    assert fates(draws, (1, 5), notice=silent) == ["promised", "refused", "refused"]
    small = tuple(intent(n, 10, 2 * n + 2) for n in range(3))
    told = Notice(3 * NS_PER_S, 5 * NS_PER_S, forbids="education")
    assert fates(small, notice=told) == ["promised", "withheld", "promised"]
    assert fates(small, notice=replace(told, law=True)) == ["promised", "refused", "promised"]
    assert fates(small, notice=replace(told, from_ns=0)) == ["refused", "refused", "promised"]
    assert fates(small, notice=replace(told, forbids=None, above_fen=10)) == ["promised"] * 3


def test_without_any_draw_there_is_no_drill() -> None:
    with pytest.raises(ScenarioError, match=r"load\.shape: found no draw at all"):
        planned("load.shape={kind: steady, rate: 0/s}")


@pytest.mark.parametrize("word", [("validate",), ("plan",), ("run", "--dry-run")])
def test_all_commands_say_the_same_of_too_few_draws(word: tuple[str, ...]) -> None:
    quiet = "load.shape={kind: spike, rate: 0/s, spikes: [{at: fault, for: 5s, rate: 60/s}]}"
    ran = command(*word, str(SMOKE), "--set", quiet)
    assert ran.exit == 0
    said = [line for line in ran.err.splitlines() if line.startswith("warning: ")]
    none = "no promised draw is planned in this phase: whatever the run does, "
    assert said == [
        f"warning: expect.baseline: {none}it is inconclusive",
        f"warning: expect.watch: {none}nothing expected of it can be judged",
    ]
    if word[0] == "validate":
        assert "sound, 2 warnings." in ran.out
