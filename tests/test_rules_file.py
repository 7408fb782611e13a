"""Rules files: what a scenario may say of the law, and that both who read it read the same."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ScenarioError
from harness.evidence.rows import Borrower, Intent
from harness.load.intents import BARRED_PURPOSE
from harness.load.population import GROUPS
from harness.plan import make_plan
from harness.scenario import rules_section
from harness.scenario.law import LawSpec, barred_tiers, bars_draw
from harness.scenario.loader import Loaded, load_scenario
from mock_lender import law as lenders
from mock_lender.cluster.config import LawConfig, TierConfig
from tests.drills import ROOT, SMOKE

SHIPPED = ROOT / "scenarios" / "compliance" / "rules.yml"
COSTS = {"new": 28, "regular": 20, "prime": 12}
RULE = """
rules:
  - id: draw_max
    says: a single draw is at most 40,000 yuan
    effective_from: 2024-07-01
    scope: draws
    bars: {draw_above: 40000 yuan}
    source: a product's rule
"""


def loaded(folder: Path, text: str = RULE, *more: str, today: str = "2024-06-30") -> Loaded:
    """The smoke drill under a rules file with this text, and without its faults."""
    (folder / "law.yaml").write_text(text)
    (folder / "s.yaml").write_text(SMOKE.read_text())
    rules = f"lender.rules={{file: law.yaml, today: {today}, all_in_cost: {{new: 28 %}}}}"
    return load_scenario(folder / "s.yaml", (rules, "faults=[]", *more), None)


def said(folder: Path, text: str = RULE, *more: str, today: str = "2024-06-30") -> str:
    with pytest.raises(ScenarioError) as caught:
        loaded(folder, text, *more, today=today)
    return str(caught.value)


def test_a_rule_is_read_with_its_units(tmp_path: Path) -> None:
    law = loaded(tmp_path).scenario.lender.law
    (rule,) = law.rules
    assert (rule.name, rule.limit, rule.bound) == ("draw_max", "draw_above", 40_000_00)
    assert (rule.effective_from, law.today, law.dates) == (
        "2024-07-01", "2024-06-30", ("2024-07-01",),
    )  # fmt: skip
    assert (law.all_in_cost_bp, law.adoption_s) == ((("new", 2800),), 0.0)
    assert loaded(tmp_path, today="2024-07-01").scenario.lender.law.dates == ()


def test_the_run_directory_has_a_copy_that_loads_as_the_same(tmp_path: Path) -> None:
    first = loaded(tmp_path)
    (kept, data), = first.files.items()  # fmt: skip
    run = tmp_path / "run"
    run.mkdir()
    (run / kept).write_bytes(data)
    (run / "scenario.yaml").write_text(first.text)
    assert load_scenario(run / "scenario.yaml", (), None).scenario == first.scenario


@pytest.mark.parametrize(
    ("change", "where", "found", "mend"),
    [
        (("40000 yuan", "40000"), "rules.0.bars.draw_above", "'40000'", "such as 700 yuan"),
        (("draw_above", "draws_above"), "rules.0.bars.draws_above", "unknown", "draw_above?"),
        (("{draw_above: 40000 yuan}", "all"), "rules.0.bars", "'all'", "every draw, no draw"),
        (("{draw_above: 40000 yuan}", "{}"), "rules.0.bars", "0 limits", "or one of"),
        (("2024-07-01", "July"), "rules.0.effective_from", "'July'", "such as 2025-10-01"),
        (("scope: draws", "scope: {purposes: [cars]}"), "rules.0.scope.purposes.0", "'cars'",
         "one of consumption"),
        (("scope: draws", "scope: {purposes: []}"), "rules.0.scope.purposes", "an empty list",
         "some purposes; without the key"),
        (("scope: draws", "scope: {borrowers: pupils}"), "rules.0.scope.borrowers", "'pupils'",
         "one of students, unverified"),
        (("scope: draws", "scope: {tiers: [partner-z]}"), "rules.0.scope.tiers.0", "'partner-z'",
         "one of own"),
        (("scope: draws", "scope: {tiers: [own]}"), "rules.0", "tiers together", "alone"),
        (("scope: draws", "scope: collection calls"), "rules.0.bars", "a mapping",
         "quiet hours, bars calls alone"),
        (("    source: a product's rule\n", ""), "rules.0.source", "nothing", "is needed"),
        (("source: a product's rule", "source: ''"), "rules.0.source", "''", "binds nobody"),
        (("id: draw_max", "id: Draw"), "rules.0.id", "'Draw'", "small letters"),
        (("rules:\n", "laws:\n"), "laws", "unknown", "rules"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_key_and_mend(
    tmp_path: Path, change: tuple[str, str], where: str, found: str, mend: str
) -> None:
    assert change[0] in RULE
    text = said(tmp_path, RULE.replace(*change))
    for part in ("law.yaml", where, found, mend):
        assert part in text


def test_an_id_is_given_once(tmp_path: Path) -> None:
    assert "each id once" in said(tmp_path, RULE + RULE.partition("rules:\n")[2])


@pytest.mark.parametrize(
    ("more", "mend"),
    [
        ("lender.rules={file: none.yaml, today: 2024-06-30}", "a file that exists"),
        ("lender.rules={file: law.csv, today: 2024-06-30}", "ends in .yaml or .yml"),
        ("lender.rules={file: law.yaml}", "`today` is needed"),
        ("lender.rules={file: law.yaml, today: soon}", "a date such as"),
        ("faults=[{business: rule_date, target: 2024-06-01, at: fault}]", "one of 2024-07-01"),
        ("lender.reserve=5", "an amount with its unit"),
    ],
)
def test_what_the_scenario_says_of_it_is_checked(tmp_path: Path, more: str, mend: str) -> None:
    assert mend in said(tmp_path, RULE, more)


def test_without_a_rules_file_no_date_can_begin() -> None:
    line = "faults=[{business: rule_date, target: 2024-07-01, at: fault}]"
    with pytest.raises(ScenarioError, match=r"after lender\.rules\.today; this lender has none"):
        load_scenario(SMOKE, (line,), None)


def test_a_date_is_planned_as_a_notice_where_borrowers_are_told_ahead(tmp_path: Path) -> None:
    rule = RULE.replace("40000", "1000")
    line = "faults=[{business: rule_date, target: 2024-07-01, at: fault+2s}]"
    told = make_plan(loaded(tmp_path, rule, line).scenario)
    off = ("lender.protections={compliance_first: off, early_warning: off}",)
    untold = make_plan(loaded(tmp_path, rule, line, *off).scenario)
    before = make_plan(loaded(tmp_path, rule, today="2024-07-01").scenario)
    counts = [plan.counts["drill"].promised for plan in (before, told, untold)]
    assert counts[0] < counts[1] < counts[2]


def test_rules_speak_of_the_groups_and_purposes_that_people_have() -> None:
    assert set(rules_section.GROUPS) == set(GROUPS)
    assert rules_section.BARRED == BARRED_PURPOSE


def test_quiet_hours_bar_no_draw(tmp_path: Path) -> None:
    shipped = _shipped(tmp_path)
    (quiet,) = [rule for rule in shipped.rules if rule.name == "quiet_hours"]
    assert quiet.limit == "no draw"


def _shipped(folder: Path) -> LawSpec:
    return loaded(folder, SHIPPED.read_text(), today="2020-01-01").scenario.lender.law


PEOPLE = st.builds(
    Borrower, st.just(1), st.sampled_from(["new", "regular", "prime"]),
    st.integers(100_000_00, 300_000_00), st.just(value=False), st.just(value=False),
    student=st.booleans(), unverified=st.booleans(),
)  # fmt: skip
DRAWS = st.builds(
    Intent, st.just(1), st.just("k"), st.just(1), st.just("new"), st.integers(1, 80_000_00),
    st.sampled_from(["education", "securities", "medical"]), st.just(0), st.just("fault"),
    st.just(value=False),
)  # fmt: skip


OWN_BP = (0, 3000, 7000, 8000)


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> tuple[LawSpec, dict[int, lenders.Law]]:
    """The shipped rules as the judge reads them, and as a lender does, by its own part of joint
    lending."""
    judges = _shipped(tmp_path_factory.mktemp("shipped"))
    config = LawConfig(str(SHIPPED), "", "", 0.0, dict(judges.all_in_cost_bp))
    own = TierConfig("own", "bank.own", 0.5, 1)
    return judges, {
        own_bp: lenders.Law(config, (own, TierConfig("partner-a", "b", 0.5, 1, own_bp)))
        for own_bp in OWN_BP
    }


@given(PEOPLE, DRAWS, st.sampled_from(OWN_BP))
def test_lender_and_judge_read_the_same_rules_alike(
    readings: tuple[LawSpec, dict[int, lenders.Law]], person: Borrower, draw: Intent, own_bp: int
) -> None:
    judges, lender = readings[0], readings[1][own_bp]
    flags = {"students": person.student, "unverified": person.unverified}
    known = lenders.Person(
        person.group, person.limit_fen, frozenset(name for name, on in flags.items() if on)
    )
    assert lender.dated() == {rule.name: rule.effective_from for rule in judges.rules}
    for rule in judges.rules:
        assert lender.bars(rule.name, known, draw.amount_fen, draw.purpose) == bars_draw(
            judges, rule, draw, person
        ), rule.name
        assert lender.tiers(rule.name) == barred_tiers(rule, {"own": 0, "partner-a": own_bp})


@pytest.mark.parametrize(("said", "is_"), [("200000 yuan", 20_000_000), ("24 %", 2400), (0.3, 3000),
                                           ("0.5 yuan", 50)])  # fmt: skip
def test_the_lender_reads_units_by_itself(said: object, is_: int) -> None:
    assert lenders.fen_or_bp(said) == is_
