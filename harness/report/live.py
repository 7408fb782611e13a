"""The live view: one line that renews itself on a terminal, plain lines elsewhere."""

from typing import TextIO

from harness.watch import Glance

PLAIN_EVERY_S = 1.0


class LiveView:
    """`show` as often as you like; it prints once a second or when the phase or faults change."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._tty = out.isatty()
        self._next_s = -1e9
        self._last: tuple[str, tuple[str, ...]] = ("", ())
        self._width = 0

    def show(self, glance: Glance) -> None:
        """One glance; the estimate is labelled as what it is."""
        state = (glance.phase, glance.faults)
        if not self._tty and glance.at_s < self._next_s and state == self._last:
            return
        self._next_s, self._last = glance.at_s + PLAIN_EVERY_S, state
        line = text_of(glance)
        if self._tty:
            self._out.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._out.write(line + "\n")
        self._out.flush()

    def close(self) -> None:
        """End the renewed line."""
        if self._tty and self._width:
            self._out.write("\n")
            self._out.flush()


def text_of(glance: Glance) -> str:
    """One line."""
    estimate = "—" if glance.estimate is None else f"{glance.estimate * 100:.1f} %"
    faults = f" · faults: {', '.join(glance.faults)}" if glance.faults else ""
    return (
        f"{glance.at_s:6.1f} s  {glance.phase:8}  offered {glance.offered_per_s:5.0f}/s  "
        f"granted {glance.granted_per_s:5.0f}/s  guarantee (estimate) {estimate}  "
        f"in flight {glance.in_flight}{faults}"
    )
