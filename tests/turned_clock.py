"""A clock that a test turns by hand."""

from harness.clock import NS_PER_S


class Hand:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.at_ns = NS_PER_S

    def monotonic_ns(self) -> int:
        return self.at_ns

    def turn(self, seconds: float) -> None:
        self.at_ns += round(seconds * NS_PER_S)
