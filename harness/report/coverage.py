"""docs/coverage.md: the story's claims, what makes each happen, its drills, and what they gave:
`python -m harness.report.coverage > docs/coverage.md`.

The claims are harness.scenario.story's, the drills those that say `covers`, the results those of
docs/results/catalogue.json. Nothing is filled in by hand: what was not measured says so.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.judge.expectations import shown
from harness.scenario.story import CLAIMS, NOT_YET, Claim
from harness.suite.catalogue import Drill, find_drills, fingerprint

ROOT = Path(__file__).resolve().parent.parent.parent
SCENARIOS, RESULTS = ROOT / "scenarios", ROOT / "docs" / "results" / "catalogue.json"
HEAD = """# What the drills cover

<!-- Made by `make docs` from harness/scenario/story.py, scenarios/ and results/catalogue.json. -->

The background: people are shown quota and yet cannot borrow, for four causes, each with its remedy.
Every claim of that story, in our words; what in the lender makes it happen; the drills that say in
`covers` that they put it to the test; and what `python -m benchmarks.catalogue` last measured: the
median of the drill as it stands (on), and of its second arm (off; what that changes is in the
drill's file, under `arms.off`): first of what the arms differ in, then of what tells most of the
claim. A second arm is a weaker profile, one switch, a planted defect, or another fault or capacity.
Sentences of the story that only introduce or sum up are left out.
"""
COLUMNS = ("claim", "what makes it happen", "drill", "measure", "last measured")
# No file of a drill says of which lender a figure is.
SINCE = (
    "The lender and the judge may have changed since a run: its line in `results/catalogue/` says"
    "\nof which commit it is, and the table of how many a drill's are."
)
NONE, OLD = "not measured", "not measured since the drill changed"
OTHER = "not judged by what the drill now says of its arms"


def page(
    drills: Sequence[Drill], measured: Mapping[str, Any], passes: Mapping[str, Any] | None = None
) -> str:
    """The page; measured: `summary.drills` of catalogue.json, by name, or nothing. passes: its
    `summary.passes`, where there were any."""
    lines = [HEAD]
    for part in dict.fromkeys(claim.part for claim in CLAIMS):
        lines += [f"## {part[:1].upper()}{part[1:]}", "", f"| {' | '.join(COLUMNS)} |"]
        lines.append(f"|{'---|' * len(COLUMNS)}")
        for claim in CLAIMS:
            if claim.part == part:
                lines += _rows(claim, drills, measured)
        lines.append("")
    counted = sum(_measured(drill, measured) is not None for drill in drills)
    lines.append(f"{len(drills)} drills, {counted} of them measured as their files are now.")
    lines.append(SINCE)
    lines += _passes(passes)
    return "\n".join(lines) + "\n"


def _passes(passes: Mapping[str, Any] | None) -> list[str]:
    """Did the drills end alike in every order?"""
    if not passes or not passes["passes"]:
        return ["", "The set `full` was not run in several orders since a drill changed."]
    longest_min = max(passes["took_s"]) / 60
    words = [f"{name}: {', '.join(told)}" for name, told in passes["differing"].items()]
    alike = f" ({'; '.join(words)})" if words else ""
    return [
        "",
        f"The set `full` in {passes['passes']} orders, each with its own seeds: "
        f"{passes['changed']} of {passes['verdicts']} verdicts differ from those of the other "
        f"passes{alike}; the longest pass took {longest_min:.0f} minutes.",
    ]


def _rows(claim: Claim, drills: Sequence[Drill], measured: Mapping[str, Any]) -> Iterator[str]:
    first = (f"**{claim.id}**: {claim.text}", claim.mechanism)
    mine = [drill for drill in drills if claim.id in drill.entry.covers]
    if not mine:
        yield f"| {' | '.join((*first, 'no drill yet', '', NONE))} |"
    for number, drill in enumerate(mine):
        path = drill.path.resolve()
        link = path.relative_to(ROOT) if path.is_relative_to(ROOT) else drill.path
        measures, told = _told(claim, drill, measured)
        cells = (f"[{drill.name}](../{link})", measures, told)
        yield f"| {' | '.join((*(first if number == 0 else ('', '')), *cells))} |"


def _measured(drill: Drill, measured: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What was measured of the drill as it is now; None where either arm has no run to go by."""
    found: Mapping[str, Any] | None = measured.get(drill.name)
    if not found or found["fingerprint"] != fingerprint(drill):
        return None
    if not (found["on"]["runs"] and found["off"]["runs"]):
        return None
    return found if _judged_by(found) == _judges(drill) else None


def _judged_by(found: Mapping[str, Any]) -> list[object]:
    """What the drill's runs were held against. It is in no fingerprint, for it changes no run."""
    mutations = [[one["change"], *one["breaches"]] for one in found["mutations"]]
    return [list(found["off"]["named"]), found["differ"]["wanted"], *mutations]


def _judges(drill: Drill) -> list[object]:
    """The same, as the drill has it now."""
    entry = drill.entry
    mutations = [[one.label, *one.breaches] for one in entry.mutations]
    return [list(entry.off.breaches), entry.differ.text, *mutations]


def _ill(found: Mapping[str, Any]) -> str:
    """Why a drill is not sound, as its judgement has it."""
    return "".join(f"; **{one}**" for one in found["faults"])


def _told(claim: Claim, drill: Drill, measured: Mapping[str, Any]) -> tuple[str, str]:
    """What the drill's arms differ in, and what tells most of the claim: both arms' medians."""
    measures = list(dict.fromkeys((drill.entry.differ.measure, claim.measure)))
    named = ", ".join(f"`{measure}`" for measure in measures)
    found = _measured(drill, measured)
    if found is None:
        before = measured.get(drill.name)
        if before and before["fingerprint"] != fingerprint(drill):
            return named, OLD
        whole = before and before["on"]["runs"] and before["off"]["runs"]
        return named, OTHER if whole else NONE
    known = found["on"]["values"].keys() | found["off"]["values"].keys()
    # A drill without a fault recovers from nothing, in either arm.
    measures = [measure for measure in measures if measure in known] or measures
    named = ", ".join(f"`{measure}`" for measure in measures)
    runs = f"{found['on']['runs']} + {found['off']['runs']} runs"
    if len(found["commits"]) > 1:
        runs += f" of {len(found['commits'])} commits"
    told = ", ".join(
        f"{_value(measure, found['on'])} on, {_value(measure, found['off'])} off"
        for measure in measures
    )
    return named, f"{told} ({runs}{_ill(found)})"


def _value(measure: str, arm: Mapping[str, Any]) -> str:
    """An arm's median, for people."""
    known = arm["values"].get(measure)
    return shown(measure.partition(".")[2], None if known is None else known[0])


def kept(part: str = "drills", place: Path = RESULTS) -> Mapping[str, Any]:
    """A part of the summary of what was measured; nothing where nothing was."""
    if not place.exists():
        return {}
    found: Mapping[str, Any] = json.loads(place.read_text())["summary"][part]
    return found


def not_covered(drills: Sequence[Drill]) -> list[str]:
    """Claims without a drill that are not said to be so, and those said to be so that have one."""
    covered = {claim for drill in drills for claim in drill.entry.covers}
    return [claim.id for claim in CLAIMS if (claim.id in covered) == (claim.id in NOT_YET)]


if __name__ == "__main__":
    sys.stdout.write(page(find_drills(SCENARIOS), kept(), kept("passes")))
