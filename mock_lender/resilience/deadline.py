"""How long a request still has, handed on from hop to hop as remaining milliseconds."""

import re
from dataclasses import dataclass

from mock_lender.clock import now_ns

HEADER = "x-deadline-ms"
LONGEST_MS = 3_600_000
NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by this service's own clock, ns."""

    at_ns: int

    @classmethod
    def from_header(cls, text: str | None) -> "Deadline | None":
        """From `X-Deadline-Ms`; absent is None. Raises ValueError for anything but a number."""
        if text is None:
            return None
        # int() alone would take "1_000", "+1" and digits of other scripts.
        if not NUMBER.fullmatch(text) or int(text) > LONGEST_MS:
            raise ValueError(f"0 to {LONGEST_MS} ms")
        remaining_ms = int(text)
        return cls(now_ns() + remaining_ms * 1_000_000)

    @property
    def remaining_s(self) -> float:
        """Seconds left; negative once it has passed."""
        return (self.at_ns - now_ns()) / 1e9

    def header(self) -> str:
        """The remaining milliseconds, never negative."""
        return str(max(0, (self.at_ns - now_ns()) // 1_000_000))
