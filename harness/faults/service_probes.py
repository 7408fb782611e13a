"""Calls of our own to one operation of a service, which ask for nothing and change nothing.

A well service refuses them at once. The fault's name goes with them, so that no other fault that is
planted there acts on them.
"""

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

AT_ONCE = 10
PROBE_HEADER = "X-Fault-Probe"
WORKED_HEADER = "X-Worked-Ns"

# What a service of each role does; the first is the one it is there for.
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "gateway": ("draws", "close", "repayments", "status", "quota", "reads", "writes"),
    "risk": ("decide", "writes"),
    "compliance": ("check", "writes"),
    "ledger": (
        "reserve", "refuse", "post", "void", "close", "repay", "status", "quota", "reads", "writes",
    ),
    "bank": ("payouts", "close", "status", "reads", "writes"),
}  # fmt: skip
# No key and no borrower is called that.
_STATUS = {"gateway": "/v1/draws/~", "ledger": "/draws/~", "bank": "/payouts/~"}
_QUOTA = {"gateway": "/v1/borrowers/-/quota", "ledger": "/borrowers/-/quota"}
_PUBLIC = {"draws": "/v1/draws", "repayments": "/v1/repayments"}


def role_of(target: str) -> str:
    """`ledger` of `ledger-1`, `bank` of `bank.own`."""
    return "bank" if target.startswith("bank.") else target.rpartition("-")[0]


def asks(role: str, operation: str) -> tuple[str, str]:
    """(method, path) of a call to an operation that asks for nothing."""
    if operation in ("status", "reads"):
        return "GET", _STATUS[role]
    if operation == "quota":
        return "GET", _QUOTA[role]
    if operation == "writes":
        operation = OPERATIONS[role][0]
    if operation == "close":
        return "POST", "/close" if role == "ledger" else f"{_STATUS[role]}/close"
    return "POST", _PUBLIC.get(operation, f"/{operation}")


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of one call: answered, no answer in time, hung up on, or no connection at all."""

    came: Literal["answered", "silent", "cut", "refused"]
    status: int = 0
    body: Mapping[str, Any] | None = None  # None: not a JSON object
    worked_ns: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Prober:
    """Calls to one operation at one address, as probes of the fault `name`."""

    address: tuple[str, int]
    role: str
    operation: str
    name: str

    def once(self, key: str, timeout_s: float) -> Probed:
        """One call for a draw of this key; its answer is waited for `timeout_s`."""
        method, path = asks(self.role, self.operation)
        connection = http.client.HTTPConnection(*self.address, timeout=timeout_s)
        headers = {"X-Draw-Key": key, PROBE_HEADER: self.name, "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if method == "GET" else b"{}", headers)
            response = connection.getresponse()
            said = response.read(100_000)
        except ConnectionRefusedError:
            return Probed("refused", key=key)
        except TimeoutError:
            return Probed("silent", key=key)
        except (OSError, http.client.HTTPException):
            return Probed("cut", key=key)
        finally:
            connection.close()
        worked_ns = response.headers.get(WORKED_HEADER, "")
        return Probed("answered", response.status, _object(said), worked_ns, key)

    def many(self, calls: int, act: Callable[["Prober", str], Probed]) -> Sequence[Probed]:
        """`act` with so many keys of its own, a few at once."""
        stamp = time.monotonic_ns()
        keys = [f"probe-{stamp}-{number}" for number in range(calls)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda key: act(self, key), keys))


def sound(probed: Probed) -> bool:
    """Does an answer to a call that asked for nothing say one thing, and that right?"""
    body, status = probed.body, probed.status
    if not body:
        return False
    if "status" in body:  # a problem names its own status
        return bool(body["status"] == status)
    if "approved" in body:
        return (status == 200) == (body["approved"] is True)
    return bool((status == 404) == (body.get("state") == "unknown"))


def _object(said: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(said)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
