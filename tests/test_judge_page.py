"""docs/measures.md: made from what measures, whole, and about what verdict.json really has."""

import re
from pathlib import Path
from typing import Any

from harness.judge.judge import judge
from harness.judge.page import ENTRIES, page, unlisted
from tests.run_views import clean

PAGE = Path(__file__).resolve().parent.parent / "docs" / "measures.md"
PARTS = ("guarantee", "latency_ms", "recovery", "amplification", "harm", "stranded", "truth",
         "breakers", "detection", "warnings", "drift")  # fmt: skip
# Counts of the table of ends, and what stands beside a measure to read it by.
BESIDE = {
    "guarantee": {"promised", "kept", "broken", "late", "withheld", "rightly_refused",
                  "wrongly_approved", "unresolved", "promised_fen", "broken_fen", "broken_by"},
}  # fmt: skip


def test_the_page_of_measures_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "make docs"


def test_every_measure_an_expectation_may_name_is_on_it() -> None:
    assert unlisted() == []


def test_each_says_its_formula_and_over_what_it_is_taken() -> None:
    for entry in ENTRIES:
        words = entry.source.__doc__ or ""
        assert len(words) > 40, entry.path
        assert re.search(r"\bOver\b", words), f"{entry.path}: over what?"


def _listed() -> dict[str, set[str]]:
    """The keys of each part of verdict.json that an entry speaks of."""
    found: dict[str, set[str]] = {part: set() for part in PARTS}
    for entry in ENTRIES:
        part = ""
        for one in entry.path.split(", "):
            head, dot, rest = one.partition(".")
            if head in PARTS:
                part, key = head, rest if dot else ""
            else:
                key = one
            found[part].add(key.partition(".")[0])
    return found


def test_every_number_of_these_parts_is_on_it_and_every_entry_in_them() -> None:
    value: dict[str, Any] = judge(clean()).value
    for part, keys in _listed().items():
        assert value[part] is not None, part
        if keys <= {"", "x"}:
            continue
        there = set(value[part])
        assert keys <= there, f"{part}: {keys - there} are not in verdict.json"
        assert there <= keys | BESIDE.get(part, set()), f"{part}: {there - keys} are not told of"
