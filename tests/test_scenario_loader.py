"""Scenario files: all problems at once, each in its place; what is loaded can be dumped."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ScenarioError
from harness.judge import expectations
from harness.judge.judge import measure as measure_parts
from harness.plan import make_plan
from harness.scenario.grammar import parse_abort, parse_expectation
from harness.scenario.loader import load_scenario
from harness.scenario.measures import DRILL_ONLY, MEASURES
from harness.scenario.model import LogNormal, PopulationSpec
from tests.drills import NAIVE, ROOT, SMOKE
from tests.run_views import clean

DOCS = (ROOT / "docs" / "scenario-format.md").read_text()


def problems(tmp_path: Path, text: str) -> str:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path, (), None)
    return str(caught.value)


def test_the_two_smoke_scenarios_differ_in_the_profile_line_alone() -> None:
    smoke = load_scenario(SMOKE, (), None).scenario
    assert smoke.entry is not None
    assert load_scenario(NAIVE, (), "full").scenario == replace(smoke, entry=None)
    assert load_scenario(NAIVE, (), None).scenario.lender.profile == smoke.entry.off.profile


def test_smoke_is_the_designs_example_at_rates_that_leave_room() -> None:
    scenario = load_scenario(SMOKE, (), None).scenario
    assert scenario.phases.load_s == 41
    assert [fault.at_s for fault in scenario.faults] == [16, 17]
    assert scenario.faults[1].for_s == 10
    assert dict(scenario.faults[1].params)["latency_s"] == 3
    plan = scenario.load.shape.stretches
    assert [(s.start_s, s.end_s, s.rate_per_s) for s in plan] == [(0, 15, 30), (15, 41, 55)]
    assert len(scenario.expect) == 6
    assert scenario.abort[0].for_s == 10


@settings(max_examples=40, deadline=None)
@given(
    rate=st.integers(1, 500),
    borrowers=st.integers(1, 10**6),
    off=st.sets(st.sampled_from(["breaker", "deadlines", "retries"])),
    profile=st.sampled_from(["none", "naive", "full"]),
)
def test_what_is_dumped_loads_as_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    rate: int,
    borrowers: int,
    off: set[str],
    profile: str,
) -> None:
    overrides = [f"load.shape.rate={rate}/s", f"load.borrowers={borrowers}"]
    overrides += [f"lender.protections.{name}=off" for name in sorted(off)]
    loaded = load_scenario(SMOKE, overrides, profile)
    again = tmp_path_factory.mktemp("dump") / "scenario.yaml"
    again.write_text(loaded.text)
    assert load_scenario(again, (), None).scenario == loaded.scenario
    assert dict(loaded.scenario.lender.protections) == dict.fromkeys(sorted(off), False)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = SMOKE.read_text()
    text = text.replace("profile: full", "profile: fool").replace("deadline: 5s", "deadline: 5")
    text = text.replace("target: ledger-1", "target: ledger-9").replace("own: 50 %", "own: 60 %")
    told = problems(tmp_path, text + "colour: red\n")
    for words in (
        "lender.profile: found 'fool'; allowed: one of none, naive, full",
        "load.patience.deadline: found '5'; allowed: a duration",
        "faults.0.target: found 'ledger-9'",
        "lender.tiers: found 110% together",
        "colour: found an unknown key",
    ):
        assert words in told
    assert all(line.partition(":")[0].endswith("s.yaml") for line in told.splitlines())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("name: partner", "name: partner\nname: x"), "the same key again"),
        (("gateway: 2,", ""), "`gateway` is needed"),
        (('edge: "gateway->bank.partner-a"', 'edge: "gateway->bank.moon"'), "one of gateway->bank"),
        (("at: fault+2s, for: 10s", "at: fault+2s, for: 100s"), "over before the load ends"),
        (("at: fault+2s, for: 10s", "at: fault+2s"), "`for` is needed"),
        (("network: latency", "network: fog"), "one of bandwidth, down, latency"),
        (("process: kill", "proces: kill"), "one family"),
        (('baseline: ["guarantee >= 99 %", "p95 < 400 ms"]', "watch: []"), "steady state"),
        (("attempt_timeout: 1500ms", "attempt_timeout: 9s"), "at most the deadline"),
        (("kind: steady", "kind: spike"), "at least one spike"),
        (("guarantee >= 97 %", "guarantie >= 97 %"), "allowed: guarantee? "),
        (("guarantee >= 97 %", "recover_s <= 6 s"), "under expect.drill"),
        (("estimate < 1 %", "estimat < 1 %"), "estimate op share"),
        (("seed: 20260211", "seed: -1"), "a whole number from 0"),
        (("retries: 2", "retries: yes"), "a whole number"),
        (("seed: 20260211", "seed: &a 1"), "plain YAML"),
        (("seed: 20260211", "seed: *a"), "an anchor or alias"),
        (("seed: 20260211", f"seed: {'[' * 20}{']' * 20}"), "at most 20 levels"),
        (("seed: 20260211", f"seed: {'[' * 19}{']' * 19}"), "seed: found"),
        (("seed: 20260211", "seed: !!python/object:os.system 1"), "seed"),
        (("must_refuse: 0.03", "must_refuse: 0.03, repay: 2"), "load.journey.repay: found '2'"),
        (("must_refuse: 0.03", "must_refuse: 0.03, repay_after: 2s..4s"), "both or none"),
        (("must_refuse: 0.03", "must_refuse: 0.03, repay: 0.1, repay_after: 4s..2s"),
         "the smaller first"),
        (("must_refuse: 0.03", "must_refuse: 0.03, repay: 0.1, repay_after: 50s..60s"),
         "due before the load ends at 41 s"),
        (("must_refuse: 0.03", "must_refuse: 0.03, repay: 0.1, repay_after: 1s..1h"),
         "up to 600 s"),
        (("borrowers: 20000", "borrowers: 20000\n  population: {zipf: 4}"), "from 0 to 3"),
        (("borrowers: 20000", "borrowers: 20000\n  population: {limits: 0.5}"), "from 1 to 100"),
        (("borrowers: 20000", "borrowers: 20000\n  population: {zip: 1}"), "zipf? one of"),
        (("borrowers: 20000", "borrowers: 20000\n  population: {amounts: {median: 700}}"),
         "an amount with its unit"),
        (("borrowers: 20000", "borrowers: 20000\n  population: {amounts: {median: 9000 yuan}}"),
         "a median within 100 yuan..5000 yuan"),
        (("borrowers: 20000", "borrowers: 20000\n  population: {amounts: {range: 9 yuan..5 yuan}}"),
         "the smaller first"),
        (("borrowers: 20000",
          "borrowers: 20000\n  population: {amounts: {range: 0.5 yuan..5000 yuan}}"),
         "whole amounts from 1 yuan"),
        (("borrowers: 20000",
          "borrowers: 20000\n  population: {amounts: {range: 2000 yuan..5000 yuan}}"),
         "load.population.amounts.median: found the usual 700 yuan"),
        (("borrowers: 20000", "borrowers: 20000\n  population: {amounts: {sigma: 0}}"),
         "from 0.01 to 3"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    text = SMOKE.read_text()
    assert change[0] in text
    assert words in problems(tmp_path, text.replace(*change, 1))


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "a: \x00", "\t", "a: *b", "!!x", "{" * 5000])
def test_what_is_no_scenario(tmp_path: Path, text: str) -> None:
    assert "s.yaml" in problems(tmp_path, text)


def test_bytes_that_are_no_text_and_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    for bad in (path, tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ScenarioError):
            load_scenario(bad, (), None)


@pytest.mark.parametrize("text", ["a", "=1", "faults.9.at=fault+1s", "name.x=1", "seed=["])
def test_overrides_that_lead_nowhere(text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(SMOKE, (text,), None)
    assert "--set" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "path", "row"),
    [
        ((("audit clean", "rto_s <= 6 s"),), "expect.drill.2", "  drill:"),
        ((("attempt_timeout: 1500ms", "attempt_timeout: 9s"),), "load.patience.attempt_timeout",
         "  patience:"),
        ((('baseline: ["guarantee >= 99 %", "p95 < 400 ms"]', "watch: []"),), "expect.baseline",
         "expect:"),
        ((("zipf: 0", "limits: 1"), ("100 yuan..5000", "5000 yuan..50000"), ("700", "9000")),
         "load.population.limits", "    limits:"),
        ((("borrowers: 20000", "borrowers: 20"),), "load.borrowers", "  borrowers:"),
    ],
)  # fmt: skip
def test_what_no_single_key_shows_is_told_where_its_key_is(
    tmp_path: Path, changes: tuple[tuple[str, str], ...], path: str, row: str
) -> None:
    """Or where the nearest key above it is, that is there."""
    text = SMOKE.read_text().replace(
        "  borrowers: 20000\n",
        "  borrowers: 20000\n  population:\n    zipf: 0\n"
        "    amounts: {median: 700 yuan, range: 100 yuan..5000 yuan}\n",
    )
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "s.yaml").write_text(text)

    def plan() -> None:
        loaded = load_scenario(tmp_path / "s.yaml", (), None)
        make_plan(loaded.scenario, loaded.where)

    with pytest.raises(ScenarioError) as caught:
        plan()
    (line,) = (n for n, text in enumerate(text.splitlines(), 1) if text.startswith(row))
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == (path, line)
    assert problem.file == str(tmp_path / "s.yaml")


def test_without_faults_there_is_nothing_to_recover_from() -> None:
    """Warned of, not refused: without its faults a drill is the control of the drill with them."""
    (told,) = load_scenario(SMOKE, ("faults=[]",), None).warnings
    line = next(n for n, row in enumerate(SMOKE.read_text().splitlines(), 1) if "drill:" in row)
    assert told.startswith(f"{SMOKE}:{line}: expect.drill.0: recovered within 6 s: no fault is")
    assert load_scenario(SMOKE, (), None).warnings == ()


def test_a_mistake_in_the_population_is_told_with_its_line(tmp_path: Path) -> None:
    """And mistakes elsewhere with it."""
    text = SMOKE.read_text()
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "borrowers: 20000" in row)
    wrong = "borrowers: 20000\n  population:\n    zipf: steep\n    amounts: {sigma: wide}"
    told = problems(
        tmp_path, text.replace("borrowers: 20000", wrong).replace("quota: 0.5", "quota: 9")
    )
    assert f"s.yaml:{line + 2}: load.population.zipf: found 'steep'" in told
    assert f"s.yaml:{line + 3}: load.population.amounts.sigma: found 'wide'" in told
    assert f"s.yaml:{line + 4}: load.journey.quota: found '9'" in told


def test_population_and_repayments_as_they_are_written(tmp_path: Path) -> None:
    overrides = (
        "load.population={zipf: 0.8, limits: 2.5, amounts: {median: 800 yuan, sigma: 0.9,"
        " range: 10 yuan..9000 yuan}}",
        "load.journey={draw: 1, quota: 0, must_refuse: 0, repay: 30 %, repay_after: 1s..4s}",
    )
    loaded = load_scenario(SMOKE, overrides, None)
    spec, journey = loaded.scenario.load.population, loaded.scenario.load.journey
    assert spec == PopulationSpec(0.8, LogNormal(800_00, 0.9, 10_00, 9_000_00), 2.5)
    assert (journey.repay, journey.repay_after_low_s, journey.repay_after_high_s) == (0.3, 1, 4)
    again = tmp_path / "scenario.yaml"
    again.write_text(loaded.text)
    assert load_scenario(again, (), None).scenario == loaded.scenario
    usual = load_scenario(SMOKE, ("load.population={amounts: {}}",), None).scenario.load
    assert usual.population.amounts == LogNormal(700_00, 1.0, 100_00, 5_000_00)
    plain = load_scenario(SMOKE, (), None).scenario.load
    assert (plain.population, plain.journey.repay) == (PopulationSpec(), 0)


def test_too_few_borrowers_says_how_many() -> None:
    scenario = load_scenario(SMOKE, ("load.borrowers=100",), None).scenario
    with pytest.raises(ScenarioError, match="at least"):
        make_plan(scenario)


def test_every_measure_has_an_extractor_and_is_in_the_docs() -> None:
    parts = measure_parts(clean())
    for measure in MEASURES:
        expectations.measured(measure, "drill" if measure in DRILL_ONLY else "fault", parts)
        assert f"`{measure}`" in DOCS, measure


def test_every_key_is_in_the_docs() -> None:
    for key in (
        "name", "cause", "seed", "lender.profile", "lender.protections", "lender.defects",
        "lender.replicas", "lender.tiers", "lender.site_round_trip", "lender.money_bound",
        "load.shape.kind", "load.shape.rate",
        "load.shape.steps", "load.shape.spikes", "load.spacing", "load.borrowers",
         "load.journey.quota",
        "load.journey.must_refuse", "load.journey.hot", "load.journey.hot_in", "load.journey.repay",
        "load.journey.repay_after", "load.population.zipf", "load.population.limits",
        "load.population.amounts", "load.patience.deadline",
        "load.patience.attempt_timeout", "load.patience.retries", "load.patience.pause",
        "load.patience.poll", "load.workers",
        "phases", "faults", "expect", "abort", "safety.max_targets", "safety.blind_after",
        "lender.capacity.gateway_slots",
        "lender.capacity.ledger_connections", "lender.capacity.bank_slots",
        "lender.capacity.bank_latency",
    ):  # fmt: skip
        assert f"`{key}`" in DOCS, key


def test_grammar() -> None:
    assert parse_expectation("p95 < 0.4 s", "baseline").bound == pytest.approx(400)
    assert parse_expectation("guarantee >= 97 %", "fault").bound == pytest.approx(0.97)
    relative = parse_expectation("p50 <= 2 x baseline", "fault")
    assert (relative.relative, relative.bound) == (True, 2)
    clean_audit = parse_expectation("audit clean", "drill")
    assert (clean_audit.measure, clean_audit.op, clean_audit.bound) == ("audit_breaches", "=", 0)
    assert parse_expectation("recovered within 6 s", "drill").bound == 6
    assert parse_abort("estimate < 20 % for 10 s").bound == pytest.approx(0.2)
    for wrong in ("p95 < 400", "guarantee >= 200 %", "broken = 3 s", "p95 << 3 s", ""):
        with pytest.raises(ValueError, match=r"."):
            parse_expectation(wrong, "fault")
