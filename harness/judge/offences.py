"""What a rule of the audit gathers: how much it looked at, and what offended."""

from dataclasses import dataclass, field


@dataclass
class Offences:
    """rows: (how bad, in fen, and what it is, for people), in the order they were met."""

    examined: int = 0
    rows: list[tuple[int, str]] = field(default_factory=list)

    def add(self, amount_fen: int, what: str) -> None:
        """One offending row."""
        self.rows.append((abs(amount_fen), what))
