"""A set of drills as one command: order, arms, checks, verdict, resuming, stopping, its pages."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from harness.errors import HarnessError, SafetyError, ScenarioError
from harness.repeats.arms import Cell
from harness.repeats.child import Ended
from harness.scenario.entry import Differ, Variant
from harness.suite.catalogue import find_drills
from harness.suite.checks import breaks_by, differ, whole
from harness.suite.seen import Seen
from harness.suite_run import suite_command
from tests.fake_runs import figures
from tests.small_set import FAULT, Drilled, asked, small_set


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    return small_set(tmp_path)


def read(scenarios: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((scenarios.parent / "made" / "suite.json").read_text())
    return value


def test_all_hold(scenarios: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drive = Drilled({})
    assert suite_command(asked(scenarios), drive) == 0
    assert drive.ran == ["a-one", "b-two", "c-three"]
    assert read(scenarios)["verdict"] == "held"
    assert "HELD (exit 0): of 3 drills 3 held" in capsys.readouterr().out


def test_the_same_drills_with_other_draws(
    scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = find_drills(scenarios)[0].loaded.scenario.seed
    assert suite_command(asked(scenarios, reseed=3), Drilled({})) == 0
    value = read(scenarios)
    assert (value["reseed"], {row["seed"] for row in value["drills"]}) == (3, {own + 3})
    assert "\nseeds + 3\n" in capsys.readouterr().out
    assert ", seeds + 3." in (scenarios.parent / "made" / "index.html").read_text()
    with pytest.raises(ScenarioError, match="made for other draws"):
        suite_command(asked(scenarios), Drilled({}))
    with pytest.raises(SystemExit):
        main(["suite", "full", "--reseed", "-1"])
    assert "a whole number from 0" in capsys.readouterr().err


def test_one_that_breaks_breaks_the_set_and_its_line_is_named(
    scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        suite_command(asked(scenarios, order="reversed"), drive := Drilled({"b-two": [FAULT]})) == 1
    )
    assert drive.ran == ["c-three", "b-two", "a-one"]
    value = read(scenarios)
    assert [row["drill"] for row in value["drills"]] == ["a-one", "b-two", "c-three"]
    assert value["drills"][1]["breached"] == [FAULT]
    assert f"{FAULT}" in capsys.readouterr().out


def test_a_set_has_its_own_drills_alone(scenarios: Path) -> None:
    assert suite_command(asked(scenarios, name="ci"), drive := Drilled({})) == 0
    assert drive.ran == ["a-one"]


def test_both_arms_and_the_drills_checks_of_themselves(scenarios: Path) -> None:
    off = {f"{name} off": [FAULT] for name in ("a-one", "b-two", "c-three")}
    assert suite_command(asked(scenarios, arm="both"), drive := Drilled(off)) == 0
    # A B, B A: what drifts weighs on both arms alike.
    assert drive.ran[:4] == ["a-one", "a-one off", "b-two off", "b-two"]
    checks = read(scenarios)["checks"]
    assert len(checks) == 6
    assert all(one["well"] for one in checks)


def test_a_drill_whose_arms_do_not_differ_is_broken_and_so_is_the_set(scenarios: Path) -> None:
    off = {"a-one off": [FAULT], "b-two off": [FAULT]}
    assert suite_command(asked(scenarios, arm="both"), Drilled(off)) == 3
    value = read(scenarios)
    ill = [(one["drill"], one["check"]) for one in value["checks"] if not one["well"]]
    assert ill == [
        ("c-three", "arms: fault.guarantee by 20 points"), ("c-three", f"off: {FAULT} breaks"),
    ]  # fmt: skip
    assert value["verdict"] == "inconclusive"


def test_a_second_arm_in_which_money_is_lost_besides_is_no_sound_one(scenarios: Path) -> None:
    """No profile may cost money; what a defect breaks is named."""
    off = {f"{name} off": [FAULT] for name in ("a-one", "b-two", "c-three")}
    lost = Drilled(off | {"b-two off": [FAULT, "audit: one-payout"]})
    assert suite_command(asked(scenarios, arm="both"), lost) == 3
    ill = [one for one in read(scenarios)["checks"] if not one["well"]]
    assert [(one["drill"], one["check"]) for one in ill] == [("b-two", f"off: {FAULT} breaks")]
    assert ill[0]["message"] == f"{FAULT}, audit: one-payout broke"


def test_a_mutation_must_break_its_line_and_no_other(scenarios: Path) -> None:
    with_it = "with lender.protections.breaker=off"
    broken = {
        f"a-one {with_it}": [FAULT], f"b-two {with_it}": [FAULT, "audit: one-payout"],
        f"c-three {with_it}": ["audit: one-payout"],
    }  # fmt: skip
    assert suite_command(asked(scenarios, arm="mutations"), Drilled(broken)) == 3
    assert [one["well"] for one in read(scenarios)["checks"]] == [True, False, False]


def test_it_is_gone_on_with_in_any_order_and_in_no_other_folder(scenarios: Path) -> None:
    first = Drilled({}, stop=2)
    with pytest.raises(KeyboardInterrupt):
        suite_command(asked(scenarios), first)
    value = read(scenarios)
    assert (value["verdict"], value["exit_code"]) == ("inconclusive", 3)
    assert value["not_run"] == ["c-three"]
    assert (scenarios.parent / "made" / "index.html").exists()
    rest = Drilled({})
    assert suite_command(asked(scenarios, order="5"), rest) == 0
    assert rest.ran == ["c-three"]
    again = Drilled({})
    assert suite_command(asked(scenarios, order="reversed"), again) == 0
    assert again.ran == []
    with pytest.raises(ScenarioError, match="made for other settings"):
        suite_command(asked(scenarios, arm="off"), Drilled({}))
    changed = scenarios / "a-one.yaml"
    changed.write_text(changed.read_text().replace("rate: 5/s", "rate: 6/s"))
    with pytest.raises(ScenarioError, match="made for other settings"):
        suite_command(asked(scenarios), Drilled({}))


def test_one_that_is_judged_again_counts_as_it_is_judged_now(scenarios: Path) -> None:
    assert suite_command(asked(scenarios), Drilled({})) == 0
    (path,) = (scenarios.parent / "made").glob("001-*/*/verdict.json")
    value = json.loads(path.read_text())
    value["expectations"][0]["verdict"] = "breached"
    path.write_text(json.dumps(value | {"verdict": "breached", "exit_code": 1}))
    assert suite_command(asked(scenarios), Drilled({})) == 1
    row = read(scenarios)["drills"][1]
    assert (row["drill"], row["verdict"]) == ("b-two", "breached")


def test_a_breach_wins_though_the_rest_was_not_run(
    scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suite_command(asked(scenarios), Drilled({"a-one": [FAULT]}, stop=1)) == 1
    value = read(scenarios)
    assert (value["exit_code"], value["not_run"]) == (1, ["b-two", "c-three"])
    assert "--resume" in capsys.readouterr().err

    class Fails(Drilled):
        def __call__(self, cell: Cell, place: Path) -> Ended:
            raise HarnessError("nothing works")

    assert suite_command(asked(scenarios), Fails({})) == 1
    assert "drawproof: nothing works" in capsys.readouterr().err


def test_what_ended_a_set_is_in_its_report_too(
    scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def drive(cell: Cell, place: Path) -> Ended:
        raise SafetyError("a fault is left")

    with pytest.raises(SafetyError):
        suite_command(asked(scenarios), drive)
    value = read(scenarios)
    assert (value["verdict"], value["exit_code"]) == ("inconclusive", 4)
    assert value["reason"].startswith("a fault is left; ")
    assert "(exit 4): a fault is left" in capsys.readouterr().out


def test_nothing_starts_when_a_second_arm_plans_other_draws(scenarios: Path) -> None:
    path = scenarios / "b-two.yaml"
    other = "    set: {load.shape.rate: 6/s}\n    profile: naive\n"
    path.write_text(path.read_text().replace("    profile: naive\n", other))
    drive = Drilled({})
    with pytest.raises(ScenarioError, match="other draws than in 'b-two'"):
        suite_command(asked(scenarios, arm="both"), drive)
    assert drive.ran == []


def test_the_page_is_whole_links_to_each_report_and_escapes(scenarios: Path) -> None:
    suite_command(asked(scenarios), Drilled({"b-two": [FAULT]}))
    made = scenarios.parent / "made"
    page = (made / "index.html").read_text()
    assert not re.search(r"<(script|link|img|iframe)|https?://|@import|url\(", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    links = re.findall(r'href="([^"]+)"', page)
    assert len(links) == 6
    for link in links:
        assert (made / link).parent.is_dir()
        assert link.endswith("/report.html")
    assert page.count('style="--h:') > 3 * 5
    assert 'style="--h:1.0">40.00 %' in page
    assert '<td class="n none">no data</td>' in page


def test_junit_has_a_suite_a_drill_and_one_for_the_whole(scenarios: Path) -> None:
    suite_command(asked(scenarios, arm="both"), Drilled({"b-two": [FAULT], "a-one off": [FAULT]}))
    text = (scenarios.parent / "made" / "junit.xml").read_text()
    root = ElementTree.fromstring(text)  # noqa: S314  our own
    assert [one.get("name") for one in root] == ["set full", "a-one", "b-two", "c-three"]
    by_name = {one.get("name"): one for one in root}
    assert by_name["a-one"].get("failures") == "0"  # its second arm broke, as it should
    assert by_name["b-two"].get("failures") == "1"
    assert by_name["c-three"].get("errors") == "2"
    assert root.get("tests") == str(sum(int(str(one.get("tests"))) for one in root))


def test_a_profile_goes_with_the_first_arm_alone(scenarios: Path) -> None:
    with pytest.raises(ScenarioError, match="the other arms say themselves"):
        suite_command(asked(scenarios, arm="off", profile="none"), Drilled({}))
    assert suite_command(asked(scenarios, profile="none"), Drilled({})) == 0
    assert read(scenarios)["profile"] == "none"


def test_the_command_line(scenarios: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--scenarios", str(scenarios), "--set", "ci"]) == 0
    assert "a-one" in capsys.readouterr().out
    assert main(["suite", "none-such", "--scenarios", str(scenarios)]) == 2
    assert "one of ci, release, peak, full" in capsys.readouterr().err
    assert main(["list", "--scenarios", str(scenarios / "nowhere")]) == 2


def gave(verdict: str = "held", broke: Sequence[str] = (), **values: float | None) -> Seen:
    lines = {line: "breached" for line in broke}
    found: dict[str, Any] = dict(values)
    return Seen(figures(verdict=verdict, **found), lines, {}, {})


@pytest.mark.parametrize(
    ("kind", "bound", "left", "right", "well"),
    [
        ("by", 0.2, 1.0, 0.8, True),
        ("by", 0.2, 1.0, 0.8001, False),
        ("by", 0.2, 0.5, 0.9, False),
        ("within", 0.005, 1.0, 0.995, True),
        ("within", 0.005, 0.995, 1.0, True),
        ("within", 0.005, 0.9949, 1.0, False),
        ("by", 0.0, None, 1.0, False),
        ("within", 1.0, 1.0, None, False),
    ],
)
def test_how_far_arms_are_apart(
    kind: Any, bound: float, left: float | None, right: float | None, well: bool
) -> None:
    wanted = Differ("drill.guarantee", kind, bound, "as wanted", off_is_more=False)
    on, off = gave(drill__guarantee=left), gave("breached", drill__guarantee=right)
    assert differ("d", wanted, on, off).well is well
    in_doubt = gave("inconclusive", drill__guarantee=right)
    assert not differ("d", wanted, on, in_doubt).well
    other = replace(wanted, off_is_more=True)
    if kind == "by":
        assert not (differ("d", other, on, off).well and well)
    else:
        assert differ("d", other, on, off).well is well


def test_lines_that_break() -> None:
    variant = Variant("x", None, ("a=b",), ("one", "two"))
    both, more, less = (gave("breached", broke) for broke in
                        (("one", "two"), ("one", "two", "three"), ("one",)))  # fmt: skip
    assert [breaks_by("d", variant, s, exactly=True).well for s in (both, more, less)] == [
        True, False, False,
    ]  # fmt: skip
    assert [breaks_by("d", variant, s, exactly=False).well for s in (both, more, less)] == [
        True, True, False,
    ]  # fmt: skip
    lost = gave("breached", ("one", "two", "audit: one-payout"))
    assert not breaks_by("d", variant, lost, exactly=False).well
    assert breaks_by("d", replace(variant, also=("audit: one-payout",)), lost, exactly=False).well
    rule = Variant("x", None, ("a=b",), ("audit: one-payout",))
    unclean = gave("breached", ("audit: one-payout", "drill: audit clean"))
    assert breaks_by("d", rule, unclean, exactly=True).well
    beside = replace(variant, also=("three",))
    assert breaks_by("d", beside, more, exactly=True).well
    assert not breaks_by("d", beside, less, exactly=True).well
    assert not breaks_by("d", variant, gave("inconclusive", ("one", "two")), exactly=False).well


@given(
    st.lists(st.sampled_from(["held", "breached", "inconclusive"]), max_size=6), st.integers(0, 2)
)
def test_the_whole_is_the_worst_of_its_parts(words: list[str], missing: int) -> None:
    found = whole([gave(word) for word in words], (), missing)
    if "breached" in words:
        assert (found.verdict, found.exit_code) == ("breached", 1)
    elif "inconclusive" in words or missing or not words:
        assert (found.verdict, found.exit_code) == ("inconclusive", 3)
    else:
        assert (found.verdict, found.exit_code) == ("held", 0)


def test_runs_of_two_versions_tell_of_neither() -> None:
    one, other = gave(), gave()
    other = replace(other, digest=replace(other.digest, commit="def"))
    found = whole([one, other], (), 0)
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)
    assert "runs of 2 commits: abc, def" in found.reason
    assert whole([other, gave("breached")], (), 0).exit_code == 1


def test_nothing_run_is_nothing_held() -> None:
    """As where no drill of a set has a mutation, and mutations were asked for."""
    assert whole((), (), 0).reason == "nothing was to be run"
    odd = gave("held")
    assert whole([replace(odd, digest=replace(odd.digest, exit_code=2))], (), 0).exit_code == 5
