"""Asks the lender's console, a hand on its database and its rule book.

What is taken there is a lease: it ends by itself, should nobody come back to release it.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from harness.errors import TargetError
from harness.faults.asking import ask
from harness.faults.fault import LEASE_MARGIN_S, Surroundings

LEASE_S_MAX = 7200.0
# For the docs of who is released here.
RELEASED = "DELETE at the console; a lease ends it there, should nobody come back."
# A lock or a connection has two seconds there, and a database that is away three.
ANSWER_S = 5.0
LOOK_S = 1.0


def lease_s(for_s: float | None) -> float:
    """A fault that is never healed lasts as long as any run."""
    return LEASE_S_MAX if for_s is None else for_s + LEASE_MARGIN_S


class Held:
    """The fault `name` is held at the console for `for_s`, or for good (None)."""

    __slots__ = ()
    for_s: float | None
    name: str

    def wanted(self) -> Mapping[str, object]:
        """What is to be held, as the console takes it."""
        raise NotImplementedError

    def undo(self, around: Surroundings) -> Mapping[str, Any]:
        base_url, _ = around.console_api()
        return {"kind": "http", "method": "DELETE", "url": base_url + _hold(self.name)}

    def inject(self, around: Surroundings) -> None:
        take(around, self.name, {**self.wanted(), "lease_s": lease_s(self.for_s)})

    def heal(self, around: Surroundings) -> None:
        if self.for_s is not None:
            release(around, self.name)


def take(around: Surroundings, name: str, body: Mapping[str, object]) -> Mapping[str, Any]:
    """Take what `body` says, under a name; facts about it. Raises TargetError."""
    found = ask(around.console_api(), "PUT", _hold(name), body, ANSWER_S)
    if "gone" in found:
        raise TargetError(f"the console refused {name}: {found.get('why')}")
    return found


def tell(around: Surroundings, path: str, body: Mapping[str, object]) -> None:
    """Tell the console something that is not held. Raises TargetError."""
    found = ask(around.console_api(), "PUT", path, body, ANSWER_S)
    if "gone" in found:
        raise TargetError(f"the console refused PUT {path}: {found.get('why')}")


def release(around: Surroundings, name: str) -> None:
    """Release it; what is not held any more is no error. Raises TargetError."""
    ask(around.console_api(), "DELETE", _hold(name), None, ANSWER_S)


def look(around: Surroundings, path: str, within_s: float = LOOK_S) -> Mapping[str, Any] | None:
    """What the console says; None when it does not, or can't tell."""
    try:
        found = ask(around.console_api(), "GET", path, None, within_s)
    except TargetError:
        return None
    return None if "gone" in found else found


def _hold(name: str) -> str:
    return f"/holds/{quote(name, safe='')}"
