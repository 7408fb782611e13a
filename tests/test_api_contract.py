"""The public API keeps its OpenAPI document: Schemathesis makes the requests, a lender answers."""

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    missing_required_header,
    positive_data_acceptance,
    unsupported_method,
)

from tests.books import assert_at_rest
from tests.drills import ROOT
from tests.lender_process import BORROWERS, LIMIT_FEN, Lender, lender, until

DOCUMENT: dict[str, Any] = json.loads((ROOT / "mock_lender" / "openapi.json").read_text())
Case: TypeAlias = "schemathesis.Case[Any]"
# With less than this a healthy lender may shed, or not be able to tell in time.
PATIENT_MS = 3_000
# Refusals of what is well-formed.
BUSINESS = ("key-reused", "over-repaid")
EXAMPLES = 60
REPEATABLE = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def few_borrowers() -> dict[str, Any]:
    """The document narrowed to requests of the population's, so that many are granted."""
    narrowed = copy.deepcopy(DOCUMENT)
    schemas = narrowed["components"]["schemas"]
    for name, most_fen in (("Draw", LIMIT_FEN // 4), ("Repayment", 5)):
        properties = schemas[name]["properties"]
        properties["borrower"] = {"type": "integer", "minimum": 1, "maximum": BORROWERS - 1}
        properties["amount_fen"] = {"type": "integer", "minimum": 1, "maximum": most_fen}
    for path in narrowed["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "X-Deadline-Ms":
                    parameter["schema"]["minimum"] = PATIENT_MS
    schemas["Draw"]["properties"]["purpose"] = {"enum": ["education", "securities"]}
    return narrowed


def config(mode: str, *, coverage: bool) -> SchemathesisConfig:
    """Without what a run learns on its way, which would make it another one each time."""
    return SchemathesisConfig.from_dict(
        {
            "seed": 20260211,
            "generation": {"mode": mode, "deterministic": True},
            "phases": {
                "coverage": {"enabled": coverage},
                "fuzzing": {
                    "extra-data-sources": {"responses": False},
                    "error-feedback": {"enabled": False},
                },
            },
        }
    )


ANYTHING = schemathesis.openapi.from_dict(DOCUMENT, config=config("all", coverage=True))
SENSIBLE = schemathesis.openapi.from_dict(
    few_borrowers(), config=config("positive", coverage=False)
)


@pytest.fixture(scope="module")
def told() -> Counter[int]:
    """How often each status was answered."""
    return Counter()


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory, told: Counter[int]
) -> Iterator[tuple[str, requests.Session]]:
    """A gateway; when all is asked the books must be at rest and right."""
    with (
        lender(tmp_path_factory.mktemp("contract") / "lender") as made,
        requests.Session() as session,
    ):
        gateway = made.service("gateway-1")
        yield f"http://{gateway.host}:{gateway.port}", session
        end(made, told)


def end(made: Lender, told: Counter[int]) -> None:
    """Nothing is pending, so nothing may be held; and the requests did reach the money."""
    until(lambda: made.control("GET", "/pending")[1]["paying"] == 0)
    assert_at_rest(made.books())
    assert {200, 201, 400, 403, 404, 405, 422} <= set(told), told
    assert "Traceback" not in (made.folder / "log").read_text()


def keeps_it(case: Case, asked: tuple[str, requests.Session], told: Counter[int]) -> None:
    url, session = asked
    response = case.call(base_url=url, session=session, timeout=15)
    told[response.status_code] += 1
    case.validate_response(response, excluded_checks=excused(case, response))


def excused(case: Case, response: schemathesis.Response) -> list[Any]:
    """Checks that a right answer may fail."""
    found: list[Any] = []
    given = str(dict(case.headers or {}).get("X-Deadline-Ms", ""))
    if re.fullmatch("[0-9]{1,4}", given) and int(given) < PATIENT_MS:
        # It may be shed before anybody looks at what was asked.
        found += [not_a_server_error, unsupported_method, missing_required_header]
    if response.status_code == 422 and response.json()["reason"] in BUSINESS:
        found.append(positive_data_acceptance)
    return found


@ANYTHING.parametrize()
@REPEATABLE
def test_anything_is_answered_as_the_document_says(
    case: Case, asked: tuple[str, requests.Session], told: Counter[int]
) -> None:
    keeps_it(case, asked, told)


@SENSIBLE.parametrize()
@REPEATABLE
def test_sensible_requests_are_answered_as_the_document_says(
    case: Case, asked: tuple[str, requests.Session], told: Counter[int]
) -> None:
    keeps_it(case, asked, told)
