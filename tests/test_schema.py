"""The published schemas are those that the code makes, and real verdicts and evidence fit them."""

import json

import jsonschema_rs
import pytest

from harness.evidence.columns import TABLES
from harness.evidence.schema import evidence_schema
from harness.evidence.store import RunDir
from harness.judge.judge import judge
from harness.judge.load_view import load_view
from harness.judge.schema import verdict_schema
from harness.judge.verdict import verdict_bytes
from harness.judge.view import RunView
from tests.drills import ROOT
from tests.kept_runs import DATA, EXPECTED, KEPT
from tests.run_views import changed, clean, failed_over

PLACE = ROOT / "docs" / "schema"


@pytest.mark.parametrize(
    ("name", "value"), [("evidence", evidence_schema()), ("verdict", verdict_schema())]
)
def test_the_published_schema_is_current(name: str, value: dict[str, object]) -> None:
    assert json.loads((PLACE / f"{name}.schema.json").read_text()) == value, "run `make docs`"
    jsonschema_rs.meta.validate(value)


def _nothing() -> RunView:
    return changed(clean(), intents=(), attempts=(), calls=(), draws=(), tries=(), generator=())


@pytest.mark.parametrize("view", [clean(), failed_over(), _nothing()])
def test_verdicts_fit(view: RunView) -> None:
    jsonschema_rs.validator_for(verdict_schema()).validate(json.loads(verdict_bytes(judge(view))))


@pytest.mark.parametrize("name", KEPT)
def test_kept_verdicts_and_evidence_fit(name: str) -> None:
    found = json.loads((DATA / name / EXPECTED).read_text())
    jsonschema_rs.validator_for(verdict_schema()).validate(found)
    view = load_view(RunDir.open(DATA / name))
    rows = {table: list(getattr(view, table)) for table in TABLES}
    told = {
        table: [dict(zip(TABLES[table].names, row, strict=True)) for row in found]
        for table, found in rows.items()
    }
    jsonschema_rs.validator_for(evidence_schema()).validate(told)


def test_what_is_not_there_does_not_fit() -> None:
    found = json.loads(verdict_bytes(judge(clean())))
    del found["guarantee"]["kept"]
    assert not jsonschema_rs.validator_for(verdict_schema()).is_valid(found)
