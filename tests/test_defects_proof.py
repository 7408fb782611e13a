"""The audit finds every planted mistake by name, and accuses no sound lender under the same faults.

The recipes are those of benchmarks/defects.py, which keeps what they gave.
"""

from pathlib import Path

import pytest

from benchmarks.defect_recipes import NEEDS, arguments, arms
from mock_lender.defects import DEFECTS
from tests.drills import drill

pytestmark = [pytest.mark.drill, pytest.mark.slow, pytest.mark.timeout(180)]
CLEAN = [recipe for recipe, defect in arms().values() if defect is None]


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_named_by_its_rule(tmp_path: Path, defect: str) -> None:
    ran = drill(tmp_path, *arguments(NEEDS[defect], defect))
    assert ran.exit == 1, ran.out + ran.err
    found = {row["rule"]: row["verdict"] for row in ran.verdict["audit"]}
    assert found[DEFECTS[defect].rule] == "breached", ran.verdict["reason"]


@pytest.mark.parametrize("recipe", CLEAN)
def test_a_sound_lender_is_not_accused(tmp_path: Path, recipe: str) -> None:
    ran = drill(tmp_path, *arguments(recipe, None))
    accused = [row for row in ran.verdict["audit"] if row["verdict"] != "held"]
    assert not accused, ran.out
