"""A scenario file to a Scenario: every problem at once, each with its file, line and key path."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.scenario import sections
from harness.scenario.checks import check
from harness.scenario.entry_section import KEYS as ENTRY
from harness.scenario.entry_section import entry
from harness.scenario.model import Scenario
from harness.scenario.nodes import Book, dump, fields, override, place, read_file
from harness.scenario.trace import Beside

KEYS = ("name", "cause", "seed", "lender", "load", "phases", "faults", "expect")


@dataclass(frozen=True, slots=True)
class Loaded:
    """text: the scenario as YAML with the overrides in it; loading it gives the same Scenario, from
    a folder that has `files` (name to bytes) beside it. warnings: what the file says that can
    hardly be meant. where: a path of keys to (file, line) of the nearest key that is there."""

    scenario: Scenario
    warnings: tuple[str, ...]
    text: str
    files: Mapping[str, bytes]
    where: Callable[[str], tuple[str, int]]


def load_scenario(path: Path, overrides: Sequence[str], profile: str | None) -> Loaded:
    """Read, override, check. `overrides`: `a.b=value`. Raises ScenarioError with every problem."""
    root = read_file(path)
    for text in overrides:
        override(root, text)
    if profile is not None:
        override(root, f"lender.profile={profile}")
    book, beside = Book(), Beside(path.parent)
    found = fields(book, root, "", KEYS, ("abort", "proxy", "safety", *ENTRY))
    phases = sections.phases(book, found.get("phases"))
    lender = sections.lender(book, found.get("lender"), beside)
    seed = sections.seed(book, found.get("seed"))
    toxiproxy, proxied = sections.proxy(book, found.get("proxy"), lender)
    scenario = Scenario(
        name=sections.name(book, found.get("name")),
        cause=sections.cause(book, found.get("cause")),
        seed=seed,
        lender=lender,
        load=sections.load(book, found.get("load"), phases, beside),
        phases=phases,
        faults=sections.faults(book, found.get("faults"), phases, lender, seed),
        expect=sections.expect(book, found.get("expect")),
        abort=sections.abort(book, found.get("abort")),
        safety=sections.safety(book, found.get("safety")),
        toxiproxy=toxiproxy,
        proxied=proxied,
        entry=entry(book, root, found),
    )
    book.close()
    check(book, root, scenario)
    book.close()
    where = partial(place, root)
    return Loaded(scenario, tuple(book.warnings), dump(root), beside.taken, where)
