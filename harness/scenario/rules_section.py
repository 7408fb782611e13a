"""`lender.rules` of a scenario, and the rules file that it names: dated rules, as data."""

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from harness.errors import ScenarioError
from harness.scenario.law import FLAGS, LawSpec, Limit, Rule
from harness.scenario.model import PURPOSES
from harness.scenario.nodes import Book, Node, fields, form_of, items, parse, shown, value
from harness.scenario.numbers import one_of
from harness.scenario.trace import Beside
from harness.units import parse_duration_s, parse_share, parse_yuan_fen

BYTES_MAX = 256 * 1024
RULES_MAX = 100
# The purpose of the draws that must be refused, besides those that people have.
BARRED = "securities"
GROUPS = ("new", "regular", "prime")
KEYS = ("id", "says", "effective_from", "scope", "bars", "source")
SCOPES = ("purposes", "borrowers", "groups", "tiers")
EVERY, NONE = "every draw", "no draw"
DRAWS, CALLS = "draws", "collection calls"
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _share_bp(found: object) -> int:
    return round(parse_share(found) * 10_000)


LIMITS: Mapping[Limit, Callable[[object], int]] = {
    "draw_above": parse_yuan_fen,
    "line_above": parse_yuan_fen,
    "partner_share_below": _share_bp,
    "all_in_cost_above": _share_bp,
}


def rules(book: Book, node: Node | None, beside: Beside, tiers: Sequence[str]) -> LawSpec:
    """file, today; adoption and all_in_cost are optional. No node: no rules."""
    if node is None:
        return LawSpec()
    path = "lender.rules"
    found = fields(book, node, path, ("file", "today"), ("adoption", "all_in_cost"))
    costs = fields(book, found["all_in_cost"], f"{path}.all_in_cost", (), GROUPS) if (
        "all_in_cost" in found) else {}  # fmt: skip
    text, made = _taken(book, found.get("file"), f"{path}.file", beside, tiers)
    return LawSpec(
        rules=made,
        today=value(book, found.get("today"), f"{path}.today", date, "", ""),
        adoption_s=value(book, found.get("adoption"), f"{path}.adoption", _adoption, 0.0, ""),
        all_in_cost_bp=tuple(
            (group, value(book, cost, f"{path}.all_in_cost.{group}", _share_bp, 0, ""))
            for group, cost in costs.items()
        ),
        text=text,
    )


def date(found: object) -> str:
    """`2025-10-01`, however YAML has read it. Raises ValueError."""
    if isinstance(found, datetime.date) and not isinstance(found, datetime.datetime):
        return found.isoformat()
    try:
        if isinstance(found, str):
            return datetime.date.fromisoformat(found).isoformat()
    except ValueError:
        pass
    raise ValueError("a date such as 2025-10-01")


def _adoption(found: object) -> float:
    seconds = parse_duration_s(found)
    if seconds > 3600:
        raise ValueError("a duration up to 1h")
    return seconds


def _taken(
    book: Book, node: Node | None, path: str, beside: Beside, tiers: Sequence[str]
) -> tuple[str, tuple[Rule, ...]]:
    """The file's text and rules; the name of its copy in the run directory replaces its own."""
    if node is None:
        return "", ()
    if form_of(node) != "value":
        book.add(
            node, path, shown(node), "the path of a .yml or .yaml file, from the scenario's folder"
        )
        return "", ()
    name = str(node.value)
    try:
        kept, data = beside.take(name, "rules", (".yaml", ".yml"), BYTES_MAX)
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        book.add(node, path, repr(name), "a file of UTF-8 text")
        return "", ()
    except ValueError as exc:
        book.add(node, path, repr(name), str(exc))
        return "", ()
    node.value = kept
    try:
        root = parse(text, str(beside.folder / name))
    except ScenarioError as exc:
        book.problems += exc.problems
        return text, ()
    return text, read_rules(book, root, tiers)


def read_rules(book: Book, root: Node, tiers: Sequence[str]) -> tuple[Rule, ...]:
    """The rules of a rules file; problems have its name and lines."""
    listed = items(book, fields(book, root, "", ("rules",)).get("rules"), "rules", "rules")
    if len(listed) > RULES_MAX:
        book.add(root, "rules", f"{len(listed)} rules", f"at most {RULES_MAX}")
        return ()
    found = [_rule(book, item, path, tiers) for path, item in listed]
    names = [one.name for one in found]
    for (path, item), name in zip(listed, names, strict=True):
        if names.count(name) > 1:
            book.add(item, f"{path}.id", repr(name), "each id once")
    return tuple(found)


def _rule(book: Book, node: Node, path: str, tiers: Sequence[str]) -> Rule:
    found = fields(book, node, path, KEYS)
    limit, bound = _bars(book, found.get("bars"), f"{path}.bars")
    scope = _scope(book, found.get("scope"), f"{path}.scope", tiers)
    if scope is None and limit != NONE:
        book.add(
            found.get("bars", node), f"{path}.bars", shown(found.get("bars", node)),
            f"`{NONE}`: a rule about collection calls, such as quiet hours, bars calls alone",
        )  # fmt: skip
    scope = scope or {}
    in_tiers = bool(scope.get("tiers")) or limit == "partner_share_below"
    if in_tiers and (len(scope) > 1 or limit not in (EVERY, NONE, "partner_share_below")):
        book.add(
            node, path, "tiers together with what a draw or its borrower is like",
            f"`scope: {{tiers: [...]}}` alone, with `bars: {EVERY}` or partner_share_below",
        )  # fmt: skip
    flag = scope.get("borrowers", ())
    return Rule(
        name=value(book, found.get("id"), f"{path}.id", _name, "x", ""),
        says=value(book, found.get("says"), f"{path}.says", _words, "", ""),
        effective_from=value(
            book, found.get("effective_from"), f"{path}.effective_from", date, "", ""
        ),
        source=value(book, found.get("source"), f"{path}.source", _words, "", ""),
        limit=limit,
        bound=bound,
        purposes=scope.get("purposes", ()),
        groups=scope.get("groups", ()),
        borrowers=flag[0] if flag else "",
        tiers=scope.get("tiers", ()),
    )


def _bars(book: Book, node: Node | None, path: str) -> tuple[Limit, int]:
    """`every draw`, `no draw`, or one limit with its bound."""
    if node is None:
        return "every draw", 0
    if form_of(node) == "value":
        said = value(book, node, path, one_of(EVERY, NONE), EVERY, "")
        return ("no draw" if said == NONE else "every draw"), 0
    found = fields(book, node, path, (), LIMITS)
    if len(found) != 1:
        limits = ", ".join(LIMITS)
        book.add(node, path, f"{len(found)} limits", f"`{EVERY}`, `{NONE}`, or one of {limits}")
        return "every draw", 0
    ((name, child),) = found.items()
    limit: Limit = next(one for one in LIMITS if one == name)
    return limit, value(book, child, f"{path}.{name}", LIMITS[limit], 0, "")


def _scope(
    book: Book, node: Node | None, path: str, tiers: Sequence[str]
) -> dict[str, tuple[str, ...]] | None:
    """By key what the rule is about; empty: all draws; None: no draws at all, but calls."""
    if node is None:
        return {}
    if form_of(node) == "value":
        return None if value(book, node, path, one_of(DRAWS, CALLS), DRAWS, "") == CALLS else {}
    found = fields(book, node, path, (), SCOPES)
    if not found and form_of(node) == "mapping":
        book.add(node, path, "nothing", f"`{DRAWS}`, or some of {', '.join(SCOPES)}")
    known = {"purposes": (*PURPOSES, BARRED), "groups": GROUPS, "tiers": tuple(tiers)}
    made = {
        key: tuple(
            value(book, item, at, one_of(*known[key]), known[key][0], "")
            for at, item in items(book, child, f"{path}.{key}", key)
        )
        for key, child in found.items()
        if key in known
    }
    for key, listed in made.items():
        if not listed and form_of(found[key]) == "list":
            allowed = f"some {key}; without the key a rule is about all of them"
            book.add(found[key], f"{path}.{key}", "an empty list", allowed)
    if "borrowers" in found:
        read = partial(value, book, found["borrowers"], f"{path}.borrowers", one_of(*FLAGS))
        made["borrowers"] = (read("students", ""),)
    return made


def _name(found: object) -> str:
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise ValueError("1 to 40 small letters, digits and _, a letter first")
    return found


def _words(found: object) -> str:
    if not isinstance(found, str) or not found.strip():
        raise ValueError("words: a rule that says nothing, or has no source, binds nobody")
    return found
