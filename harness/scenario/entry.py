"""What the catalogue knows of a drill beyond its run: what it tells, where it belongs, its arms.

A line is one thing that can be breached: an expectation as `fault: guarantee >= 97 %`, or a rule
of the audit as `audit: one-payout`.
"""

from dataclasses import dataclass
from typing import Literal

CLASSES = ("control", "risk", "liquidity", "system", "compliance", "mixed")
# Every drill of the catalogue is in `full`; in the others those that say so.
SETS = ("ci", "release", "peak")
FULL_SET = "full"
ON, OFF = "on", "off"
AUDIT = "audit: "
# Breaks with any rule of the audit: it need not be named beside one.
AUDIT_CLEAN = "drill: audit clean"


@dataclass(frozen=True, slots=True)
class Variant:
    """The drill with something changed.

    label: for people. profile: None: the drill's own. changes: `key=value` as for `--set`.
    breaches: the lines that break by it. also: those that may break beside them, as a consequence.
    """

    label: str
    profile: str | None
    changes: tuple[str, ...]
    breaches: tuple[str, ...]
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Differ:
    """How far the two arms of a drill are apart at least, or of a control at most.

    measure: `phase.measure`. bound: shares 0 to 1, ms, s, counts. text: as the author wrote it.
    off_is_more: which way they are apart: has the second arm the larger figure? Of no matter for a
    control.
    """

    measure: str
    kind: Literal["by", "within"]
    bound: float
    text: str
    off_is_more: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A drill in the catalogue. kind: its class. covers: claims of harness.scenario.story. off: the
    second arm. mutations: each with one thing switched off, and exactly the lines that break."""

    title: str
    kind: str
    story: str
    source: str
    covers: tuple[str, ...]
    sets: tuple[str, ...]
    off: Variant
    differ: Differ
    mutations: tuple[Variant, ...]

    @property
    def exact(self) -> tuple[Variant, ...]:
        """Those whose lines are all that may break: the mutations, or the second arm when it is
        one."""
        if self.mutations or self.differ.kind == "within":
            return self.mutations
        return (self.off,)

    def belongs_to(self, name: str) -> bool:
        """Is it in this set?"""
        return name == FULL_SET or name in self.sets
