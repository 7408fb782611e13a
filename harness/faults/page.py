"""docs/faults.md, from the catalogue alone: `python -m harness.faults.page > docs/faults.md`."""

import json
import sys
from collections.abc import Iterator, Mapping

from harness.faults.catalogue import CATALOGUE, build_fault
from harness.faults.kind import FaultKind, Parameter
from harness.faults.sample import LENDER, sample_spec
from harness.units import format_duration

HEAD = """# Faults

<!-- Made from the catalogue by `make docs`; edit harness/faults/, not this page. -->

Each fault is a line under `faults` in a scenario: its family and kind, its own keys, `at` (a phase
and an offset) and, where it has a heal, `for`. How they are scheduled, repeated and drawn is in
[scenario-format.md](scenario-format.md#faults).

Of every fault the undo is on the disk before it is injected. It is looked at from outside by probes
of its own: one that is not seen within *bites within* did not work, and makes the drill
inconclusive; one still seen after it was healed ends the drill with exit code 4.
`python -m benchmarks.faults` does all of this with every fault on this page, and keeps the table in
[results/faults.json](results/faults.json).

Looks, what a fault is said to have touched, which edges there are, and what a canary does to a
deployment: [faults-and-evidence.md](faults-and-evidence.md).

A borrower on whom many draws crowd is no fault but load: `load.journey.hot` and `hot_in` in
[scenario-format.md](scenario-format.md).
"""
FOR = {
    "needed": "`for` is needed.",
    "optional": "`for` may be left out: then it is for good.",
    "none": "No `for`: nothing of ours is left to undo after a while.",
}


def page() -> str:
    """The whole page, Markdown."""
    parts = [HEAD]
    for family in sorted({family for family, _ in CATALOGUE}):
        parts.append(f"## {family}\n")
        kinds = sorted(kind for of, kind in CATALOGUE if of == family)
        parts += ["\n".join(_kind(family, kind, CATALOGUE[family, kind])) for kind in kinds]
    return "\n".join(parts)


def example(family: str, kind: str) -> str:
    """A line for `faults`, in YAML: what must be given, and what has an example."""
    known = CATALOGUE[family, kind]
    given = dict(sample_spec(family, kind, LENDER).params)
    keys = [f"{family}: {kind}"]
    for p in known.parameters:
        if p.example is not None or (p.default is None and p.required):
            keys.append(f"{p.key}: {_yaml(p.example if p.example is not None else given[p.param])}")
    until = [] if known.for_key == "none" else [f"for: {format_duration(known.sample_for_s)}"]
    return f"- {{{', '.join([*keys, 'at: fault+1s', *until])}}}"


def _kind(family: str, kind: str, known: FaultKind) -> Iterator[str]:
    fault = build_fault(sample_spec(family, kind, LENDER))
    yield from (f"### {family}: {kind}", "", known.does, "", "```yaml", example(family, kind))
    yield from ("```", "")
    if known.parameters:
        yield from ("| key | value | default |", "|---|---|---|")
        yield from (_parameter(p) for p in known.parameters)
        yield ""
    yield FOR[known.for_key]
    yield ""
    yield f"- Observed: {known.observed}"
    yield f"- Bites within {fault.bites_within_s:g} s, as in the example."
    yield f"- Undone: {known.undone}"
    yield f"- Can't: {known.cannot}"
    yield ""


def _parameter(p: Parameter) -> str:
    fallback = "needed"
    if not p.required:
        fallback = "none" if p.default in (None, "") else f"`{shown_default(p)}`"
    return f"| `{p.key}` | {p.allowed or 'a Chaos Toolkit experiment'} | {fallback} |"


def shown_default(p: Parameter) -> str:
    """A default as a scenario would say it, by the unit in the parameter's name."""
    if p.param.endswith("_per_s") and isinstance(p.default, int | float):
        return f"{p.default:g}/s"
    if p.param.endswith("_s") and isinstance(p.default, int | float):
        return format_duration(p.default)
    if p.param.endswith("_bytes"):
        return f"{p.default} B"
    if p.param.endswith("_fen") and isinstance(p.default, int):
        return f"{p.default / 100:g} yuan"
    return f"{p.default:g}" if isinstance(p.default, int | float) else str(p.default)


def _yaml(value: object) -> str:
    if isinstance(value, Mapping):
        return json.dumps(value)
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(value)
    return f'"{text}"' if any(mark in text for mark in ">:#{}[],&*") else text


if __name__ == "__main__":
    sys.stdout.write(page())
