"""Each drill with one protection switched off: exactly the named line breaks. Real drills."""

from pathlib import Path

import pytest

from harness.repeats.digest import digest
from harness.scenario.entry import Variant
from harness.suite.catalogue import Drill
from harness.suite.checks import breaks_by
from harness.suite.seen import see
from tests.catalogue_drills import DRILLS
from tests.drills import drill

pytestmark = [pytest.mark.drill, pytest.mark.slow, pytest.mark.timeout(240)]
MUTATIONS = [
    pytest.param(one, variant, id=f"{one.name} with {variant.label}")
    for one in DRILLS
    for variant in one.entry.exact
]


@pytest.mark.parametrize(("one", "variant"), MUTATIONS)
def test_one_thing_off_breaks_exactly_its_line(
    one: Drill, variant: Variant, tmp_path: Path
) -> None:
    words = [word for change in variant.changes for word in ("--set", change)]
    ran = drill(tmp_path, str(one.path), *words)
    assert ran.run is not None, ran.err
    found = breaks_by(
        one.name, variant, see(ran.run.parent, digest(ran.run, ran.run.name)), exactly=True
    )  # fmt: skip
    assert found.well, found.message
