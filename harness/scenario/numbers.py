"""Parsers of single values, used by several sections. Each raises ValueError with what is right."""

from collections.abc import Callable

from harness.errors import guess


def whole(low: int, high: int) -> Callable[[object], int]:
    """A whole number between two bounds."""

    def parse(found: object) -> int:
        if type(found) is not int or not low <= found <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return found

    return parse


def number(low: float, high: float) -> Callable[[object], float]:
    """A number between two bounds."""

    def parse(found: object) -> float:
        sound = isinstance(found, int | float) and not isinstance(found, bool)
        if not sound or not low <= float(str(found)) <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return float(str(found))

    return parse


def one_of(*names: str) -> Callable[[object], str]:
    """One of some names."""

    def parse(found: object) -> str:
        if found not in names:
            raise ValueError(f"{guess(str(found), names)}one of {', '.join(names)}")
        return str(found)

    return parse


def truth(found: object) -> bool:
    """on/off, yes/no, true/false."""
    if not isinstance(found, bool):
        raise ValueError("on or off")
    return found
