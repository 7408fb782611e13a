"""A scenario's settings, one by one, for whoever holds two of them side by side."""

from harness.scenario.nodes import Node, form_of, parse, plain


def leaves(text: str) -> dict[str, str]:
    """A scenario's values by their paths of keys; a list of plain values is one value."""
    found: dict[str, str] = {}

    def visit(node: Node, path: str) -> None:
        form = form_of(node)
        inner: list[tuple[str, Node]] = []
        if form == "mapping":
            inner = [(str(key.value), child) for key, child in node.value]
        elif form == "list" and any(form_of(one) != "value" for one in node.value):
            inner = [(str(number), child) for number, child in enumerate(node.value)]
        for name, child in inner:
            visit(child, f"{path}.{name}" if path else name)
        if form == "mapping" and not inner:
            found[path] = "{}"
        elif not inner:
            found[path] = str(node.value if form == "value" else [plain(one) for one in node.value])

    visit(parse(text, "a scenario"), "")
    return found
