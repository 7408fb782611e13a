"""The keys by which a scenario is a drill of the catalogue: all of them or none."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from harness.errors import guess
from harness.scenario.entry import CLASSES, OFF, SETS, Differ, Entry, Variant
from harness.scenario.grammar import parse_expectation
from harness.scenario.measures import DRILL_ONLY, MEASURES, WORSE_BELOW
from harness.scenario.model import PROFILES
from harness.scenario.nodes import Book, Node, fields, flow_text, form_of, items, pairs, value
from harness.scenario.numbers import one_of
from harness.scenario.story import CLAIM_IDS
from harness.units import parse_duration_s

NEEDED = ("title", "class", "story", "source", "covers", "sets", "arms")
KEYS = (*NEEDED, "mutations")
LENGTHS = {"title": (10, 90), "story": (40, 1200), "source": (10, 600)}
PHASES = ("baseline", "fault", "watch", "drill")
_DIFFER = re.compile(r"\s*([a-z]+)\.([a-z0-9_.]+)\s+(by|within)\s+(\d+(?:\.\d+)?)\s*(\w*)\s*")
_LINE = re.compile(r"(baseline|fault|watch|drill): \S.*|audit: [a-z][a-z-]{2,40}")
NOTHING = Differ("drill.guarantee", "by", 0.0, "", off_is_more=False)


def entry(book: Book, root: Node, found: Mapping[str, Node]) -> Entry | None:
    """None when a scenario has none of the keys; it can be run all the same.

    Whether the lines that are to break are lines of this drill is checked by harness.suite, not
    here: an expectation changed by `--set` must not keep a drill from being run.
    """
    if not set(KEYS) & set(found):
        return None
    for key in NEEDED:
        if key not in found:
            allowed = f"a value: a drill of the catalogue has {', '.join(NEEDED)}"
            book.add(root, key, "nothing", allowed)
    kind = value(book, found.get("class"), "class", one_of(*CLASSES), "system", "")
    off, differ = _arms(book, found.get("arms"), kind)
    mutations = [
        _mutation(book, item, path)
        for path, item in items(book, found.get("mutations"), "mutations", "mutations")
    ]
    if kind != "control" and not mutations and not _switches_one(off) and "arms" in found:
        book.add(
            root, "mutations", "nothing",
            "a mutation: one protection off, and the lines that break; only a second arm that "
            "changes one thing alone does without",
        )  # fmt: skip
    return Entry(
        title=_text(book, found, "title"),
        kind=kind,
        story=_text(book, found, "story"),
        source=_text(book, found, "source"),
        covers=_names(book, found, "covers", CLAIM_IDS, at_least=1),
        sets=_names(book, found, "sets", SETS, at_least=0),
        off=off,
        differ=differ,
        mutations=tuple(mutations),
    )


def _text(book: Book, found: Mapping[str, Node], key: str) -> str:
    low, high = LENGTHS[key]

    def parse(raw: object) -> str:
        words = " ".join(raw.split()) if isinstance(raw, str) else ""
        if not low <= len(words) <= high:
            raise ValueError(f"{low} to {high} letters of text")
        return words

    return value(book, found.get(key), key, parse, "", "")


def _names(
    book: Book, found: Mapping[str, Node], key: str, known: tuple[str, ...], *, at_least: int
) -> tuple[str, ...]:
    listed = items(book, found.get(key), key, f"some of {', '.join(known)}")
    names = [value(book, item, path, one_of(*known), known[0], "") for path, item in listed]
    node = found.get(key)
    if node is not None and form_of(node) == "list":
        if len(names) < at_least:
            book.add(node, key, "an empty list", f"at least one of {', '.join(known)}")
        if len(set(names)) < len(names):
            book.add(node, key, "a name twice", "each once")
    return tuple(names)


def _arms(book: Book, node: Node | None, kind: str) -> tuple[Variant, Differ]:
    """`{off: {profile or set, breaches, differ}}`; `on` is the scenario as it stands."""
    nobody = Variant(OFF, None, (), ())
    if node is None:
        return nobody, NOTHING
    arms = fields(book, node, "arms", (OFF,))
    if OFF not in arms:
        return nobody, NOTHING
    path, control = f"arms.{OFF}", kind == "control"
    found = fields(
        book, arms[OFF], path, ("differ",) if control else ("breaches", "differ"),
        ("profile", "set", "also", *(("breaches",) if control else ())),
    )  # fmt: skip
    off = _variant(book, arms[OFF], path, found, OFF)
    if not control and "breaches" in found and not off.breaches:
        book.add(arms[OFF], f"{path}.breaches", "no line", "at least one line that breaks in it")
    wanted: Literal["by", "within"] = "within" if control else "by"

    def parse(raw: object) -> Differ:
        differ = parse_differ(str(raw))
        if differ.kind != wanted:
            raise ValueError(f"`{wanted}`: {_WHY[wanted]}")
        return differ

    differ = value(book, found.get("differ"), f"{path}.differ", parse, NOTHING, "")
    return off, replace(differ, off_is_more=_off_is_more(differ, off.breaches))


def _off_is_more(differ: Differ, breaches: Sequence[str]) -> bool:
    """A line that the second arm breaks says on which side of it that arm is, also where that is
    the better one: a lender that waits for nobody is quick. Else the worse arm is the second."""
    for line in breaches:
        phase, _, text = line.partition(": ")
        with suppress(ValueError):
            told = parse_expectation(text, phase)
            if f"{told.phase}.{told.measure}" == differ.measure and told.op != "=":
                return told.op in ("<", "<=")
    return differ.off_is_more


_WHY = {
    "within": "the arms of a control are the same, as `drill.guarantee within 0.5 points`",
    "by": "the arms of a drill differ, as `fault.guarantee by 20 points`",
}


def _mutation(book: Book, node: Node, path: str) -> Variant:
    found = fields(book, node, path, ("set", "breaches"), ("also",))
    made = _variant(book, node, path, found, "")
    if "set" in found and len(made.changes) != 1:
        book.add(node, f"{path}.set", f"{len(made.changes)} changes", "one: one thing is switched")
    if "breaches" in found and not made.breaches:
        book.add(node, f"{path}.breaches", "no line", "the lines that break by it, and no others")
    return replace(made, label=", ".join(made.changes))


def _variant(book: Book, node: Node, path: str, found: Mapping[str, Node], label: str) -> Variant:
    profile = value(
        book, found.get("profile"), f"{path}.profile", one_of(*PROFILES), None, ""
    )  # fmt: skip
    changes = tuple(
        f"{key}={flow_text(child)}" for key, child in pairs(book, found.get("set"), f"{path}.set")
    )
    if profile is None and not changes and "set" not in found:
        book.add(node, path, "the drill as it is", "a `profile`, or a `set` of keys and values")

    def lines(key: str) -> tuple[str, ...]:
        listed = items(book, found.get(key), f"{path}.{key}", "lines")
        return tuple(value(book, item, where, _line, "", "") for where, item in listed)

    return Variant(label, profile, changes, lines("breaches"), lines("also"))


def _line(raw: object) -> str:
    if not isinstance(raw, str) or not _LINE.fullmatch(raw):
        raise ValueError("a line as `fault: guarantee >= 97 %`, or a rule as `audit: one-payout`")
    return raw


def _switches_one(off: Variant) -> bool:
    return off.profile is None and len(off.changes) == 1


def parse_differ(text: str) -> Differ:
    """`fault.guarantee by 20 points`. Raises ValueError whose text says what is allowed."""
    found = _DIFFER.fullmatch(text)
    if found is None:
        raise ValueError("`phase.measure by number unit`, or for a control `within`")
    phase, measure, kind, number, unit = found.groups()
    if phase not in PHASES:
        raise ValueError(f"{guess(phase, PHASES)}phases: {', '.join(PHASES)}")
    if measure not in MEASURES:
        raise ValueError(f"{guess(measure, MEASURES)}measures: {', '.join(sorted(MEASURES))}")
    if measure in DRILL_ONLY and phase != "drill":
        raise ValueError(f"`drill.{measure}`: it is known for the whole drill")
    bound = _apart(number, unit, MEASURES[measure])
    if kind == "by" and not bound:
        raise ValueError("a difference above 0: any two arms are 0 apart at least")
    return Differ(
        f"{phase}.{measure}", "by" if kind == "by" else "within", bound, text,
        off_is_more=measure not in WORSE_BELOW,
    )  # fmt: skip


def _apart(number: str, unit: str, kind: str) -> float:
    """A difference in the measure's own terms."""
    if kind == "share":
        if unit not in ("point", "points"):
            raise ValueError("a difference of shares in points, such as 20 points")
        return float(number) / 100
    if kind in ("ms", "s"):
        seconds = parse_duration_s(f"{number}{unit}")
        return seconds * 1000 if kind == "ms" else seconds
    if unit:
        raise ValueError(f"a bare number of {kind}")
    return float(number)
