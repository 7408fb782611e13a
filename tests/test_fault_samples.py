"""Every kind of fault has a valid sample; what it is made of is what the loader would read."""

import pytest

from harness.faults.catalogue import CATALOGUE, build_fault
from harness.faults.names import NAMES
from harness.faults.sample import sample_spec
from harness.lender_up import SPEC


@pytest.mark.parametrize(("family", "kind"), sorted(CATALOGUE))
def test_every_kind_has_a_sample_that_can_be_built(family: str, kind: str) -> None:
    known = CATALOGUE[family, kind]
    spec = sample_spec(family, kind, SPEC)
    params = dict(spec.params)
    fault = build_fault(spec)

    assert fault.name == spec.name
    assert fault.bites_within_s > 0
    assert fault.look_s_max > 0
    assert set(params) == {p.param for p in known.parameters}
    for parameter in known.parameters:
        if parameter.names:
            assert params[parameter.param] in NAMES[parameter.names](SPEC), parameter.key
        if parameter.example is not None:
            assert params[parameter.param] == parameter.parse(parameter.example)


@pytest.mark.parametrize(("family", "kind"), sorted(CATALOGUE))
def test_every_kind_tells_the_docs_what_it_is(family: str, kind: str) -> None:
    known = CATALOGUE[family, kind]
    for said in (known.does, known.observed, known.undone, known.cannot):
        assert said.endswith("."), f"{family}: {kind} says {said!r}"
