"""Which draws of a labelled drill have a label, and what the averages come to."""

from collections import Counter
from typing import Any

from benchmarks.attribution import labelled, macro, shown, summary
from benchmarks.attribution_drills import CONTROLS, PAIRS, SCENARIO, SINGLES, arguments
from harness.plan import make_plan
from harness.scenario.loader import load_scenario

RISK, BANK = "business: tightening", "network: down"
PAIR = "risk tightens, and a bank is down"


def row(drill: str, **broken: tuple[str, str]) -> dict[str, Any]:
    found = [[*why, "bank.own", "", number[1:]] for number, why in broken.items()]
    return {"drill": drill, "seed": 1, "broken": found}


def rows() -> dict[str, dict[str, Any]]:
    at_risk, at_bank = ("risk", "risk"), ("system", "bank.own")
    made = [
        row("control none", n9=at_bank),
        row(RISK, n1=at_risk, n2=at_risk, n3=at_risk, n9=at_risk),
        row(BANK, n3=at_bank, n4=("system", "gateway"), n5=("system", "machine")),
        row(PAIR, n1=at_risk, n3=at_bank, n4=at_risk, n7=at_bank),
    ]
    return {one["drill"]: one for one in made}


def test_a_label_is_put_on_what_the_control_keeps() -> None:
    found = labelled(RISK, rows())
    assert found == [("risk", "risk", "risk", "risk")] * 3  # not the 9th, which breaks anyhow
    assert labelled("control none", rows()) == []
    assert labelled(RISK, {RISK: rows()[RISK]}) == []


def test_what_broke_on_our_machine_or_before_the_bite_has_none() -> None:
    assert labelled(BANK, rows()) == [
        ("system", "bank.own", "system", "bank.own"),
        ("system", "bank.own", "system", "gateway"),
    ]
    early = rows()
    early[RISK]["broken"][0][3] = "early"
    assert len(labelled(RISK, early)) == 2


def test_of_two_faults_a_draw_belongs_to_the_one_that_breaks_it_alone() -> None:
    # Both break the 3rd, neither the 7th.
    assert labelled(PAIR, rows()) == [
        ("risk", "risk", "risk", "risk"),
        ("system", "bank.own", "risk", "risk"),
    ]


def test_each_label_weighs_as_much_as_any() -> None:
    matrix = Counter({("a", "a"): 98, ("a", "b"): 2, ("b", "b"): 1, ("b", "a"): 1})
    assert macro(matrix) == round((0.98 + 0.5) / 2, 4)
    assert macro(Counter()) is None


def test_the_summary_shows_the_matrices() -> None:
    found = summary(list(rows().values()))
    assert found["labelled"] == 7
    assert found["on_our_machine"] == 1
    assert found["macro"]["cause"] == 0.8333
    told = shown(found)
    assert "cause: label (down) by attributed (across)" in told
    assert "macro average 0.8333" in told


def test_every_labelled_drill_is_a_scenario_with_the_draws_of_its_control() -> None:
    drills: list[tuple[tuple[str, ...], str]] = [
        *(((name,), one.profile) for name, one in SINGLES.items()),
        *((pair, "none") for pair in PAIRS.values()),
    ]
    for names, profile in drills:
        assert profile in CONTROLS
        words = [word for word in arguments(names, profile, 7)[1:] if not word.startswith("--")]
        plan = make_plan(load_scenario(SCENARIO, words, None).scenario)
        assert len(plan.faults) >= len(names)
