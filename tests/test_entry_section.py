"""The keys that make a scenario a drill of the catalogue: all or none, each with its mistakes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ScenarioError
from harness.scenario.entry_section import NEEDED, parse_differ
from harness.scenario.loader import load_scenario
from harness.scenario.measures import DRILL_ONLY, MEASURES
from harness.scenario.model import Scenario
from tests.drills import NAIVE, ROOT, SMOKE

DOCS = (ROOT / "docs" / "suite.md").read_text()


def loaded(*changes: str, path: Path = SMOKE) -> Scenario:
    return load_scenario(path, changes, None).scenario


def mistake(*changes: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        loaded(*changes)
    return str(caught.value)


def test_a_drill_is_read_whole() -> None:
    entry = loaded().entry
    assert entry is not None
    assert entry.kind == "system"
    assert entry.off.profile == "naive"
    assert entry.off.breaches == ("fault: guarantee >= 97 %",)
    assert (entry.differ.measure, entry.differ.kind, entry.differ.bound) == (
        "fault.guarantee", "by", 0.2,
    )  # fmt: skip
    (mutation,) = entry.mutations
    assert mutation.changes == ("lender.protections.breaker=off",)
    assert entry.belongs_to("full")
    assert "  " not in entry.story
    assert "\n" not in entry.story


def test_a_scenario_without_the_keys_is_no_drill_and_runs_all_the_same() -> None:
    assert loaded(path=NAIVE).entry is None


@pytest.mark.parametrize("key", NEEDED)
def test_all_keys_or_none(key: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"{NAIVE.read_text()}\ntitle: Only a title and nothing else\n")
    if key == "title":
        path.write_text(f"{NAIVE.read_text()}\nclass: system\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path, (), None)
    assert f": {key}: found nothing; allowed: a value: a drill of the catalogue has" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["title=short"], "title: found 'short'; allowed: 10 to 90 letters of text"),
        (["class=sistem"], "class: found 'sistem'; allowed: system? one of control, risk"),
        (["covers=[]"], "covers: found an empty list; allowed: at least one of"),
        (["covers=[systems-fial]"], "found 'systems-fial'; allowed: systems-fail? one of"),
        (["covers=[promise, promise]"], "covers: found a name twice; allowed: each once"),
        (["sets=[full]"], "found 'full'; allowed: one of ci, release, peak"),
        (["sets=ci"], "sets: found 'ci'; allowed: a list of some of ci, release, peak"),
        (["arms={}"], "arms: arms.off: found nothing; allowed: a value: `off` is needed"),
        (["arms.off.profile=ful"], "found 'ful'; allowed: full? one of none, naive, full"),
        (["arms.off={breaches: [\"audit: one-payout\"], differ: fault.p95 by 1 s}"],
         "arms.off: found the drill as it is; allowed: a `profile`, or a `set`"),
        (["arms.off.breaches=[]"], "found no line; allowed: at least one line that breaks in it"),
        (["arms.off.breaches=[guarantee]"], "found 'guarantee'; allowed: a line as `fault:"),
        (["arms.off.differ=fault.guarantee within 1 point"], "allowed: `by`: the arms of a drill"),
        (["class=control"], "allowed: `within`: the arms of a control are the same"),
        (["arms.off.differ=fault.guarantee by 20 %"], "`phase.measure by number unit`"),
        (["arms.off.differ=fault.guarantee by 20 s"], "a difference of shares in points"),
        (["arms.off.differ=falt.guarantee by 2 points"], "fault? phases: baseline, fault"),
        (["arms.off.differ=fault.garantee by 2 points"], "guarantee? measures: "),
        (["arms.off.differ=fault.guarantee by 0 points"], "a difference above 0"),
        (["arms.off.differ=fault.recover_s by 2 s"], "`drill.recover_s`: it is known for the wh"),
        (["mutations=[{set: {}, breaches: [\"audit: x-y\"]}]"], "mutations.0.set: found 0 changes"),
        (["mutations=[{set: {a: 1}, breaches: []}]"], "the lines that break by it, and no others"),
        (["mutations=[]"], "mutations: found nothing; allowed: a mutation: one protection off"),
    ],
)  # fmt: skip
def test_every_mistake_says_what_is_right(changes: list[str], told: str) -> None:
    assert told in mistake(*changes)


def test_the_second_arm_of_one_switch_is_the_mutation() -> None:
    one = loaded(
        "mutations=[]",
        'arms.off={set: {faults: []}, breaches: ["audit: one-payout"], differ: fault.p95 by 9 ms}',
    ).entry
    assert one is not None
    assert one.exact == (one.off,)
    assert one.off.changes == ("faults=[]",)


def test_a_control_has_no_mutation() -> None:
    control = loaded(
        "class=control", "mutations=[]", "arms.off.differ=drill.guarantee within 0.5 points"
    ).entry
    assert control is not None
    assert control.exact == ()
    assert control.differ.bound == 0.005


@given(
    st.sampled_from(sorted(MEASURES)), st.sampled_from(["by", "within"]), st.integers(1, 99)
)  # fmt: skip
def test_a_difference_is_read_in_the_measures_own_terms(
    measure: str, kind: str, number: int
) -> None:
    unit = {"share": " points", "ms": " ms", "s": " s"}.get(MEASURES[measure], "")
    factor = 0.01 if MEASURES[measure] == "share" else 1
    phase = "drill" if measure in DRILL_ONLY else "fault"
    found = parse_differ(f"{phase}.{measure} {kind} {number}{unit}")
    assert (found.measure, found.kind) == (f"{phase}.{measure}", kind)
    assert found.bound == pytest.approx(number * factor)


@pytest.mark.parametrize(
    ("differ", "breaches", "more"),
    [
        ("fault.guarantee by 2 points", "audit: one-payout", False),
        ("drill.told_share by 2 points", "audit: one-payout", False),
        ("drill.blast_radius by 2 points", "audit: one-payout", True),
        ("fault.p50 by 9 ms", "audit: one-payout", True),
        ("fault.p50 by 9 ms", "fault: p50 < 80 ms", True),
        ("fault.p50 by 9 ms", "fault: p50 >= 2 x baseline", False),
        ("fault.p50 by 9 ms", "watch: p50 >= 80 ms", True),
        ("drill.wrongly_approved by 9", "drill: wrongly_approved = 0", True),
        ("drill.recover_s by 9 s", "drill: recovered within 6 s", True),
        ("drill.audit_breaches by 1", "drill: audit clean", True),
        ("drill.warning_lead_s by 9 s", "drill: warning_lead_s >= 5s", False),
    ],
)
def test_which_way_arms_differ_follows_from_what_breaks(
    differ: str, breaches: str, more: bool
) -> None:
    off = f'{{profile: naive, breaches: ["{breaches}"], differ: {differ}}}'
    entry = loaded(f"arms.off={off}").entry
    assert entry is not None
    assert entry.differ.off_is_more is more


@given(st.text(max_size=40))
def test_any_other_text_is_refused_with_words(text: str) -> None:
    with pytest.raises(ValueError, match="`phase"):
        parse_differ(text)


def test_every_key_is_in_the_docs() -> None:
    for key in (*NEEDED[:-1], "arms.off.profile", "arms.off.set", "arms.off.breaches",
                "arms.off.differ", "mutations", "also"):  # fmt: skip
        assert f"`{key}`" in DOCS, key
