"""Every kind of fault has a valid sample; what it is made of is what the loader would read."""

from pathlib import Path

import pytest

from harness.faults.catalogue import CATALOGUE, build_fault
from harness.faults.names import NAMES
from harness.faults.page import example, page
from harness.faults.sample import LAW, LENDER, RULES, sample_spec
from harness.scenario.loader import load_scenario
from tests.drills import ROOT, SMOKE


@pytest.mark.parametrize(("family", "kind"), sorted(CATALOGUE))
def test_every_kind_has_a_sample_that_can_be_built(family: str, kind: str) -> None:
    known = CATALOGUE[family, kind]
    spec = sample_spec(family, kind, LENDER)
    params = dict(spec.params)
    fault = build_fault(spec)

    assert fault.name == spec.name
    assert fault.bites_within_s > 0
    assert fault.look_s_max > 0
    assert set(params) == {p.param for p in known.parameters}
    for parameter in known.parameters:
        if parameter.names:
            assert params[parameter.param] in NAMES[parameter.names](LENDER), parameter.key
        if parameter.example is not None:
            assert params[parameter.param] == parameter.parse(parameter.example)


@pytest.mark.parametrize(("family", "kind"), sorted(CATALOGUE))
def test_every_kind_tells_the_docs_what_it_is(family: str, kind: str) -> None:
    known = CATALOGUE[family, kind]
    for said in (known.does, known.observed, known.undone, known.cannot):
        assert said.endswith("."), f"{family}: {kind} says {said!r}"


@pytest.mark.parametrize(("family", "kind"), sorted(CATALOGUE))
def test_the_docs_example_of_every_kind_is_read_as_its_sample(
    family: str, kind: str, tmp_path: Path
) -> None:
    text, line = SMOKE.read_text(), example(family, kind)
    start, end = text.index("faults:"), text.index("expect:")
    scenario = tmp_path / "example.yaml"
    scenario.write_text(f"{text[:start]}faults:\n  {line}\n{text[end:]}")
    (tmp_path / "law.yaml").write_text(RULES)
    rules = f"lender.rules={{file: law.yaml, today: {LAW.today}}}"
    # The lender of the samples has a limit, for the fault that cuts one.
    limit = "lender.tiers.partner-a={share: 50 %, hourly: 5000 %}"
    lender = (rules, "lender.calendar={hour: 1h}", limit)
    (read,) = load_scenario(scenario, lender, None).scenario.faults
    sample = sample_spec(family, kind, LENDER, at_s=read.at_s)
    assert read == sample


def test_the_page_of_faults_is_up_to_date() -> None:
    kept = (ROOT / "docs" / "faults.md").read_text()
    assert kept == page(), "make docs"
