"""`drawproof attribute`: which arms, and planted costs found again, disjoint and together."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.attribute_faults import attribute_command
from harness.compare.costs import ALONE, COMPANY, INTERACTION, Costs, costs
from harness.compare.worth import DRAWS, MONEY
from harness.compare_runs import How, Side
from harness.errors import ScenarioError
from harness.judge.judge import judge
from harness.plan import make_plan
from harness.repeats.arms import Arm, Cell, plan_print
from harness.repeats.digest import Digest
from harness.repeats.leave_out import ALL, NONE, LeftOut, arms_of
from tests.fake_runs import SMALL, Played, figures
from tests.run_views import SMOKE, clean, scenario

KILL, SLOW = "process: kill ledger-1", "network: latency gateway->bank.partner-a"
BY = {
    ALL: (True, True),
    f"without 1: {KILL}": (False, True),
    f"without 2: {SLOW}": (True, False),
    NONE: (False, False),
}
YUAN_100 = 10_000


def two(tmp_path: Path, *changes: str) -> LeftOut:
    return arms_of(SMOKE, (*SMALL, *changes), None, tmp_path)


def test_each_arm_lacks_one_fault_and_nothing_else(tmp_path: Path) -> None:
    made = two(tmp_path)
    assert made.faults == (KILL, SLOW)
    assert [arm.label for arm in made.arms] == list(BY)
    plans = [arm.planned(7) for arm in made.arms]
    names = [tuple(spec.name for spec in arm.loaded().scenario.faults) for arm in made.arms]
    assert names == [(KILL, SLOW), (SLOW,), (KILL,), ()]
    assert len({plan_print(plan) for plan in plans}) == 1
    # What leads through the proxy in one leads through it in all.
    assert {plan.edges for plan in plans} == {("gateway->bank.partner-a",)}


def test_a_single_fault_is_left_out_once_and_a_repeated_one_as_a_whole(tmp_path: Path) -> None:
    one = two(
        tmp_path,
        "faults=[{process: kill, target: risk-1, at: fault+1s, for: 1s,"
        " repeat: {every: 2s, times: 3}}]",
    )
    assert [arm.label for arm in one.arms] == [ALL, NONE]
    assert one.faults == ("process: kill risk-1, 3 times",)
    assert one.without(0) == NONE
    assert [len(arm.loaded().scenario.faults) for arm in one.arms] == [3, 0]


def test_a_drill_without_faults_has_nothing_to_leave_out(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="0 faults"):
        two(tmp_path, "faults=[]")


def left_out(*faults: str) -> LeftOut:
    labels = [ALL, *(f"without {n}: {name}" for n, name in enumerate(faults, start=1)), NONE]
    return LeftOut(faults, tuple(Arm(label, SMOKE) for label in labels))


def outcome(broken: float, number: int, verdict: str = "breached") -> Digest:
    values = {"drill__broken": broken, "drill__broken_fen": broken * YUAN_100}
    return figures(number, verdict, **values)


def planted(
    seed: int, rounds: int, cost: tuple[float, float], interaction: float
) -> Mapping[int, Mapping[str, Digest]]:
    """Rounds of a model: 3 draws are lost anyhow, the first fault costs so many, the second so
    many, both at once the interaction besides; each drill has noise of its own, each round noise
    that all its arms share."""
    dice = random.Random(seed)
    found: dict[int, Mapping[str, Digest]] = {}
    for number in range(rounds):
        shared = dice.gauss(0, 5)
        found[number] = {
            label: outcome(
                3 + shared + a * cost[0] + b * cost[1] + a * b * interaction + dice.gauss(0, 4),
                number,
            )
            for label, (a, b) in BY.items()
        }
    return found


def truths(cost: tuple[float, float], interaction: float) -> dict[tuple[str, str], float]:
    return {
        (KILL, COMPANY): cost[0] + interaction,
        (SLOW, COMPANY): cost[1] + interaction,
        (KILL, ALONE): cost[0],
        (SLOW, ALONE): cost[1],
        (INTERACTION, ""): interaction,
    }


def missed(found: Costs, true: Mapping[tuple[str, str], float]) -> int:
    """How many of the intervals do not hold what was planted."""
    assert {(one.what, one.how) for one in found.found} == set(true)
    count = 0
    for one in found.found:
        for key, unit in ((DRAWS, 1), (MONEY, YUAN_100)):
            interval = one.values[key].interval()
            count += not interval.low <= true[one.what, one.how] * unit <= interval.high
    return count


@pytest.mark.parametrize(
    ("cost", "interaction"), [((40.0, 25.0), 0.0), ((40.0, 25.0), 30.0), ((10.0, 60.0), -10.0)]
)
def test_planted_costs_are_found_inside_their_intervals(
    cost: tuple[float, float], interaction: float
) -> None:
    # An interval of 95 % misses once in twenty: how often is the next test's question.
    found = costs(left_out(KILL, SLOW), planted(12, 8, cost, interaction))
    assert found.rounds == 8
    assert missed(found, truths(cost, interaction)) == 0
    words = {(one.what, one.how): one.word for one in found.found}
    assert words[SLOW, ALONE] == words[SLOW, COMPANY] == "costs"
    assert words[INTERACTION, ""] == ("no difference shown" if not interaction else
                                      "costs" if interaction > 0 else "saves")  # fmt: skip


def test_intervals_hold_as_often_as_they_say() -> None:
    cost, interaction, times = (40.0, 25.0), 30.0, 60
    true = truths(cost, interaction)
    wrong = sum(
        missed(costs(left_out(KILL, SLOW), planted(100 + n, 8, cost, interaction)), true)
        for n in range(times)
    )
    assert wrong / (times * 2 * len(true)) <= 0.08


def test_three_faults_have_costs_in_company_alone() -> None:
    made = left_out("a", "b", "c")
    rounds = {0: {arm.label: outcome(5, 0) for arm in made.arms}}
    assert [(one.what, one.how) for one in costs(made, rounds).found] == [
        ("a", COMPANY), ("b", COMPANY), ("c", COMPANY),
    ]  # fmt: skip


def test_a_round_with_a_drill_in_doubt_says_nothing() -> None:
    made = left_out(KILL, SLOW)
    rounds = dict(planted(11, 4, (40, 25), 0))
    rounds[1] = {**rounds[1], NONE: outcome(0, 1, "inconclusive")}
    rounds[2] = {ALL: rounds[2][ALL]}
    found = costs(made, rounds)
    assert found.rounds == 2
    assert [text.partition(":")[0] for text in found.dropped] == ["round 2", "round 3"]
    assert "was not run" in found.dropped[1]
    assert costs(made, {0: {}}).found == ()
    # What is left when most are in doubt is no fair sample.
    del rounds[3]
    few = costs(made, rounds)
    assert (few.rounds, few.found) == (0, ())
    assert "2 of 3 rounds have a drill in doubt" in few.dropped[-1]


def test_a_drill_without_faults_counts_though_there_is_nothing_to_recover_from() -> None:
    """Its `recovered within` has no data; what it lost is known. Wrong money in doubt is not."""
    scenes = scenario("faults=[]")
    calm = judge(replace(clean(), faults=(), scenario=scenes))
    assert (calm.verdict, calm.doubts) == ("inconclusive", ())
    rounds = {0: {ALL: outcome(9, 0), NONE: replace(outcome(1, 0), verdict="inconclusive")}}
    made = LeftOut((KILL,), (Arm(ALL, SMOKE), Arm(NONE, SMOKE)))
    assert costs(made, rounds).rounds == 1
    rounds[0][ALL] = replace(outcome(9, 0), doubts=("evidence is missing: calls",))
    found = costs(made, rounds)
    assert (found.rounds, found.dropped[0]) == (
        0, f"round 1: {ALL}: evidence is missing: calls",
    )  # fmt: skip


def drives(broken: Mapping[str, int], **more: Any) -> Played:
    """Every drill of an arm loses so many draws, one more a round."""

    def of(label: str) -> Any:
        return lambda cell: {"broken": broken[label] + cell.number, "verdict": "breached", **more}

    return Played({label: of(label) for label in broken})


LOST = dict(zip(BY, (60, 20, 15, 0), strict=True))


def test_the_command_measures_and_keeps_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    side, drive = Side(SMOKE, SMALL), drives(LOST)
    assert attribute_command(side, 2, How(None, (), tmp_path), drive) == 0
    (place,) = tmp_path.iterdir()
    value = json.loads((place / "attribute.json").read_text())
    assert value["rounds"] == 2
    found = {(one["what"], one["how"]): one["broken"]["estimate"] for one in value["costs"]}
    assert found == {
        (KILL, COMPANY): 40, (SLOW, COMPANY): 45, (KILL, ALONE): 15, (SLOW, ALONE): 20,
        (INTERACTION, ""): 25,
    }  # fmt: skip
    assert value["costs"][0]["broken_fen"]["estimate"] == 40 * YUAN_100
    told = capsys.readouterr().out
    assert "MEASURED (exit 0)" in told
    assert "interaction" in told
    # Two rounds prove nothing, whatever they show.
    assert {one["word"] for one in value["costs"]} == {"too few rounds"}
    assert KILL in (place / "attribute.html").read_text()
    # Every arm in every round, there and back.
    assert [label for _, label in drive.cells] == [*BY, *reversed(BY)]
    again = drives(LOST)
    assert attribute_command(side, 3, How(None, (), tmp_path, place), again) == 0
    assert {number for number, _ in again.cells} == {2}


def test_wrong_money_and_nothing_but_doubt_have_codes_of_their_own(tmp_path: Path) -> None:
    side = Side(SMOKE, SMALL)
    wrong = drives(LOST, wrong=("books-agree",))
    assert attribute_command(side, 1, How(None, (), tmp_path / "a"), wrong) == 1

    def doubtful(_: Cell) -> dict[str, Any]:
        return {"verdict": "inconclusive"}

    unsure = Played(dict.fromkeys(BY, doubtful))
    assert attribute_command(side, 1, How(None, (), tmp_path / "b"), unsure) == 3


def test_the_edges_a_scenario_wants_there_lead_through_the_proxy(tmp_path: Path) -> None:
    arm = Arm("x", SMOKE, (*SMALL, 'proxy={edges: ["gateway->bank.own", "risk-1->bank.own"]}'))
    assert make_plan(arm.loaded().scenario).edges == (
        "gateway->bank.own", "gateway->bank.partner-a", "risk-1->bank.own",
    )  # fmt: skip
    wrong = Arm("x", SMOKE, ('proxy.edges=["gateway->nowhere"]',))
    with pytest.raises(ScenarioError, match="an edge of this lender"):
        wrong.loaded()
