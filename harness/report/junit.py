"""junit.xml: what a CI server shows of a run, from its verdict.json.

A test case for the run itself (are there doubts?), for each expectation and for each audit rule.
Held passes, breached is a failure, inconclusive an error: it says nothing about the lender.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

# What XML 1.0 has no way to write, escaped or not (section 2.2, production Char).
NOT_XML = re.compile(r"[^\t\n\r -\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
TAGS = {"breached": "failure", "inconclusive": "error", "skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. verdict: held, inconclusive, breached, or skipped: it was not asked; message:
    what was found."""

    group: str
    name: str
    verdict: str
    message: str


def junit(value: Mapping[str, Any]) -> str:
    """The file, of verdict.json as a value; the same value gives the same text."""
    return suite(
        str(value["scenario"]),
        list(cases(value)),
        {"seed": value["seed"], "verdict": value["verdict"], "exit_code": value["exit_code"]},
    )


def cases(value: Mapping[str, Any]) -> Iterator[Case]:
    """The run first, then its expectations, then its audit rules."""
    doubts = value["doubts"]
    well = "held" if not doubts else "inconclusive"
    yield Case("run", "the run can be believed", well, "\n".join(doubts))
    for one in value["expectations"] or ():
        name = f"{one['phase']}: {one['expected']}"
        yield Case("expect", name, one["verdict"], f"was {one['shown']}")
    for row in value["audit"] or ():
        found = f"{row['count']} of {row['examined']}; first: {row['first']}"
        yield Case("audit", f"rule {row['number']} {row['rule']}", row["verdict"], found)


@dataclass(frozen=True, slots=True)
class Suite:
    """One test suite: its name, its cases, and what is to be known of it."""

    name: str
    cases: tuple[Case, ...]
    properties: Mapping[str, object]


def suite(name: str, found: list[Case], properties: Mapping[str, object]) -> str:
    """One test suite as a whole file."""
    return suites((Suite(name, tuple(found), properties),))


def suites(found: Sequence[Suite]) -> str:
    """Several test suites as a whole file, counted together at its top."""
    counts = _counts([case for one in found for case in one.cases])
    root = ElementTree.Element("testsuites", {"name": "drawproof", **counts})
    for one in found:
        _add_suite(root, one)
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _counts(found: Sequence[Case]) -> dict[str, str]:
    counts = {
        "tests": len(found),
        "failures": sum(case.verdict == "breached" for case in found),
        "errors": sum(case.verdict == "inconclusive" for case in found),
        "skipped": sum(case.verdict == "skipped" for case in found),
    }
    return {key: str(count) for key, count in counts.items()}


def _add_suite(root: ElementTree.Element, one: Suite) -> None:
    name = _clean(one.name)
    mine = ElementTree.SubElement(root, "testsuite", {"name": name, **_counts(one.cases)})
    listed = ElementTree.SubElement(mine, "properties")
    for key, what in one.properties.items():
        ElementTree.SubElement(listed, "property", {"name": key, "value": _clean(str(what))})
    for case in one.cases:
        place = {"classname": f"{name}.{case.group}", "name": _clean(case.name)}
        row = ElementTree.SubElement(mine, "testcase", place)
        if case.verdict != "held":
            tag = TAGS[case.verdict]
            first = _clean(case.message).partition("\n")[0]
            told = ElementTree.SubElement(row, tag, {"type": case.verdict, "message": first})
            told.text = _clean(case.message)


def _clean(text: str) -> str:
    return NOT_XML.sub("�", text)
