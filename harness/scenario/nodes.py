"""YAML as data with places: nodes that know their file and line, and a book of problems.

Composed, never constructed: no tag makes an object. Anchors, aliases and merges are refused, as is
what is too large to be a scenario.
"""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from harness.errors import Problem, ScenarioError, guess, placed

T = TypeVar("T")
BYTES_MAX = 256 * 1024
DEPTH_MAX = 20  # nesting costs the parser the square of it
Node = yaml.Node


class Book:
    """Problems as they are found; all of them are told at once. Warnings: what will run all the
    same, each with its place."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def add(self, node: Node, path: str, found: str, allowed: str) -> None:
        """What was found at a node, and what would be right."""
        self.problems.append(Problem(*_at(node), path, found, allowed))

    def add_at(self, root: Node, path: str, found: str, allowed: str) -> None:
        """The same by a path of keys from the root."""
        self.problems.append(Problem(*place(root, path), path, found, allowed))

    def warn(self, node: Node, path: str, text: str) -> None:
        """What a node says that can hardly be meant."""
        self.warnings.append(_sentence(_at(node), path, text))

    def warn_at(self, root: Node, path: str, text: str) -> None:
        """The same by a path of keys from the root."""
        self.warnings.append(_sentence(place(root, path), path, text))

    def close(self) -> None:
        """Raises ScenarioError when there is any."""
        if self.problems:
            raise ScenarioError(tuple(sorted(self.problems, key=lambda p: (p.file, p.line))))


def _at(node: Node) -> tuple[str, int]:
    """(file, line); line 0: given on the command line."""
    name: str = node.start_mark.name
    return name, 0 if name.startswith("--") else node.start_mark.line + 1


def _sentence(where: tuple[str, int], path: str, text: str) -> str:
    return f"{placed(*where, path)}: {text}"


def place(root: Node, path: str) -> tuple[str, int]:
    """(file, line) of the key or list item at a path of keys, or of the nearest above it that is
    there; line 0: given on the command line."""
    where, node = root, root
    for part in path.split("."):
        if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            where = node = node.value[int(part)]
            continue
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next((pair for pair in pairs if pair[0].value == part), None)
        if found is None:
            break
        where, node = found
    return _at(where)


def read_file(path: Path) -> Node:
    """The root of a scenario file. Raises ScenarioError."""
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise _one(path, "nothing readable", f"a scenario file ({exc.strerror})") from exc
    if len(data) > BYTES_MAX:
        raise _one(path, f"{len(data)} bytes", f"at most {BYTES_MAX} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _one(path, "bytes that are not UTF-8", "UTF-8 text") from exc
    return parse(text, str(path))


def parse(text: str, name: str) -> Node:
    """The root of a YAML text; `name` is what its problems are reported under."""
    try:
        loader = _Composer(text)
        loader.name = name
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        problem = Problem(name, line, "", exc.problem or "a syntax error", "YAML")
        raise ScenarioError((problem,)) from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise ScenarioError((Problem(name, 1, "", f"{exc}"[:200], "YAML"),)) from exc
    if not isinstance(node, yaml.MappingNode):
        raise ScenarioError((Problem(name, 1, "", "no mapping", "keys and values"),))
    return node


class _Composer(yaml.SafeLoader):
    """Refuses anchors, aliases and what is nested too deep as it meets them."""

    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # by its stubs
        nests = isinstance(event, yaml.CollectionStartEvent)
        self.depth += nests
        if self.depth > DEPTH_MAX:
            raise _one(Path(self.name), "too deep a nest", f"at most {DEPTH_MAX} levels")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1
            raise ScenarioError((Problem(self.name, line, "", "an anchor or alias", "plain YAML"),))
        node = super().compose_node(parent, index)
        self.depth -= nests
        return node


def _one(path: Path, found: str, allowed: str) -> ScenarioError:
    return ScenarioError((Problem(str(path), 0, "", found, allowed),))


def fields(
    book: Book, node: Node, path: str, required: Iterable[str], optional: Iterable[str] = ()
) -> dict[str, Node]:
    """The values of a mapping by key; unknown, repeated and missing keys become problems."""
    required, known = tuple(required), (*required, *optional)
    found: dict[str, Node] = {}
    if not isinstance(node, yaml.MappingNode):
        book.add(node, path, shown(node), f"a mapping with {', '.join(known)}")
        return found
    for key_node, value in node.value:
        key = str(key_node.value)
        here = f"{path}.{key}" if path else key
        if key in found:
            book.add(key_node, here, "the same key again", "each key once")
        elif known and key not in known:
            allowed = f"{guess(key, known)}one of {', '.join(known)}"
            book.add(key_node, here, "an unknown key", allowed)
        else:
            found[key] = value
    for key in required:
        if key not in found:
            here = f"{path}.{key}" if path else key
            book.add(node, here, "nothing", f"a value: `{key}` is needed")
    return found


def items(book: Book, node: Node | None, path: str, allowed: str) -> list[tuple[str, Node]]:
    """(path, node) of each item of a list; no node, no items."""
    if node is None:
        return []
    if not isinstance(node, yaml.SequenceNode):
        book.add(node, path, shown(node), f"a list of {allowed}")
        return []
    return [(f"{path}.{number}", item) for number, item in enumerate(node.value)]


def value(
    book: Book, node: Node | None, path: str, parse_it: Callable[[Any], T], default: T, allowed: str
) -> T:
    """A scalar, read by `parse_it`; a ValueError becomes a problem and gives the default.

    An empty `allowed` means that the ValueError's own text says it.
    """
    if node is None:
        return default
    if not isinstance(node, yaml.ScalarNode):
        book.add(node, path, shown(node), allowed or "one value")
        return default
    try:
        return parse_it(plain(node))
    except (ValueError, TypeError) as exc:
        book.add(node, path, shown(node), allowed or str(exc))
        return default


def data_value(
    book: Book, node: Node | None, path: str, parse_it: Callable[[Any], T], default: T
) -> T:
    """A whole tree, read by `parse_it`, whose ValueError says what is allowed."""
    if node is None:
        return default
    try:
        return parse_it(_data(node))
    except (ValueError, TypeError) as exc:
        book.add(node, path, shown(node), str(exc))
        return default


def _data(node: Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _data(child) for key, child in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_data(child) for child in node.value]
    return plain(node)


def pairs(book: Book, node: Node | None, path: str) -> list[tuple[str, Node]]:
    """(key, node) of a mapping with any keys, each once; no node, no pairs."""
    return [] if node is None else list(fields(book, node, path, ()).items())


def flow_text(node: Node) -> str:
    """A value on one line, as `--set KEY=VALUE` takes it."""
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        return str(node.value)
    text = yaml.serialize(node, allow_unicode=True, width=1_000_000)
    return " ".join(text.removesuffix("...\n").split())


def key_names(node: Node) -> list[str]:
    """The keys of a mapping, as text; none of anything else."""
    mapping = isinstance(node, yaml.MappingNode)
    return [str(key.value) for key, _ in node.value] if mapping else []


def with_key(node: Node, key: str, text: str) -> Node:
    """A copy of a mapping with one more key at its end."""
    name = yaml.ScalarNode("tag:yaml.org,2002:str", key, node.start_mark, node.end_mark)
    value = yaml.ScalarNode("tag:yaml.org,2002:str", text, node.start_mark, node.end_mark)
    pairs = [*node.value, (name, value)]
    return yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark, flow_style=True)


def plain(node: Node) -> Any:
    """A scalar as Python has it: text, number, truth or nothing; an unknown tag is text."""
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError):
        return str(node.value)


def form_of(node: Node) -> Literal["mapping", "list", "value"]:
    """What a node is, where more than one form is allowed."""
    if isinstance(node, yaml.MappingNode):
        return "mapping"
    return "list" if isinstance(node, yaml.SequenceNode) else "value"


def shown(node: Node) -> str:
    """What was found, for people."""
    form = form_of(node)
    return repr(str(node.value))[:80] if form == "value" else f"a {form}"


def override(root: Node, text: str) -> None:
    """`a.b.0=value` into the tree; the value is YAML. Raises ScenarioError."""
    path, sign, raw = text.partition("=")
    name = f"--set {path}"
    if not sign or not path:
        raise ScenarioError((Problem(f"--set {text}", 0, "", repr(text), "key=value"),))
    new = parse(f"value: {raw}", name).value[0][1]
    *parents, last = path.split(".")
    node = root
    for part in parents:
        node = _child(node, part, name)
    _put(node, last, new, name, path)


def _child(node: Node, part: str, name: str) -> Node:
    """Of a mapping also one that is not there yet."""
    if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        item: Node = node.value[int(part)]
        return item
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            if key.value == part:
                found: Node = child
                return found
        node.value.append(parse(f"{part}: {{}}", name).value[0])
        new: Node = node.value[-1][1]
        return new
    raise ScenarioError((Problem(name, 0, part, "no such place", "a path of keys in the file"),))


def _put(node: Node, last: str, new: Node, name: str, path: str) -> None:
    if isinstance(node, yaml.SequenceNode) and last.isdigit() and int(last) < len(node.value):
        node.value[int(last)] = new
        return
    if not isinstance(node, yaml.MappingNode):
        problem = Problem(name, 0, path, "no such place", "a path of keys in the file")
        raise ScenarioError((problem,))
    key = yaml.ScalarNode("tag:yaml.org,2002:str", last, new.start_mark, new.end_mark)
    kept = [(k, v) for k, v in node.value if k.value != last]
    place = next((n for n, (k, _) in enumerate(node.value) if k.value == last), len(kept))
    kept.insert(place, (key, new))
    node.value = kept


def length(text: str, key: str) -> int:
    """How many items the list at one of a scenario's keys has."""
    root = parse(text, "a scenario")
    return sum(len(found.value) for name, found in root.value if name.value == key)


def without(text: str, key: str, places: Collection[int]) -> str:
    """A scenario's text without these items, counted from 0, of the list at one of its keys."""
    root = parse(text, "a scenario")
    for name, value_node in root.value:
        if name.value == key:
            left = [item for n, item in enumerate(value_node.value) if n not in places]
            value_node.value = left
    return dump(root)


def dump(root: Node) -> str:
    """The tree as YAML again, overrides in place."""
    return yaml.serialize(root, allow_unicode=True, width=100)
