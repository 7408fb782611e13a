"""One direction of one connection: what is read from one side is written to the other.

Without a toxic the source writes straight into the target's transport. With toxics bytes go
through a chain of stages, which follows the proxy's list of toxics on open connections too. A
source is read no further while its target has too much to write, or too much is held here.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.proxy.described import Described
from harness.proxy.side import Side
from harness.proxy.stages import Outlet, Stage, Tail
from harness.proxy.toxics import Memory, Verb

# A link may hold so much for its toxics; beyond the total, only so little.
LINK_BYTES_MAX = 4 * 2**20
LINK_BYTES_LEAST = 128 * 2**10
TOTAL_BYTES_MAX = 256 * 2**20


@dataclass(slots=True)
class Holdings:
    """What all links of a process hold together."""

    held_bytes: int = 0


class Owner(Protocol):
    """The connection that a link belongs to."""

    def acts(self, toxic: Described) -> bool:
        """Has the toxicity chosen this connection?"""

    def remember(self, toxic: Described, now_s: float) -> Memory:
        """A fresh memory for a toxic that begins to act."""

    def cut(self, verb: Verb) -> None:
        """Close or reset both sides."""

    def ended(self, link: "Link") -> None:
        """All that this direction had has been written."""


class Link:
    """From `source` to `target`."""

    def __init__(self, source: Side, target: Side, owner: Owner, holdings: Holdings) -> None:
        self.done = False  # the target has been told that nothing more comes
        self.full = False
        self.lost_bytes = 0
        self.held_bytes = 0
        self.source = source
        self.target = target
        # Told of each chunk that comes, before it goes anywhere.
        self.watch: Callable[[], None] | None = None
        self._owner = owner
        self._holdings = holdings
        self._stages: list[Stage] = []
        self._dead = False

    def follow(self, toxics: Sequence[Described]) -> None:
        """From now on these act, in this order, and no others."""
        acting = [toxic for toxic in toxics if self._owner.acts(toxic)]
        self._let_go({toxic.name for toxic in acting})
        if self._dead:
            return
        known = {stage.name: stage for stage in self._stages}
        self._stages = self._chain(acting, known)
        self._route()
        for stage, toxic in zip(self._stages, acting, strict=True):
            if stage.name in known:
                stage.change(toxic.toxic)
            else:
                stage.run()

    def _let_go(self, names: set[str]) -> None:
        """The last first: what one lets go of must not overtake what a later one holds."""
        leaving: list[Stage] = []
        for number in range(len(self._stages) - 1, -1, -1):
            stage = self._stages[number]
            if stage.name not in names:
                if number:
                    self._stages[number - 1].next = stage.next
                leaving.append(stage)
        self._stages = [stage for stage in self._stages if stage.name in names]
        for stage in leaving:
            stage.leave()

    def _chain(self, acting: Sequence[Described], known: Mapping[str, Stage]) -> list[Stage]:
        """One stage a toxic, each with the one after it as its next."""
        now_s = asyncio.get_running_loop().time()
        stages: list[Stage] = []
        following: Outlet = self
        for toxic in reversed(acting):
            stage = known.get(toxic.name)
            if stage is None:
                memory = self._owner.remember(toxic, now_s)
                stage = Stage(toxic.name, toxic.toxic, memory, self, following)
            stage.next = following
            following = stage
            stages.append(stage)
        return stages[::-1]

    def _route(self) -> None:
        """Where the source's bytes go."""
        if self._dead or self.target.transport is None:
            self.source.out = self._too_late
        elif self._stages:
            self.source.out = self._stages[0].feed
        else:
            self.source.out = self.target.transport.write
        if self.watch is not None and not self._dead:
            self.source.out = _watched(self.watch, self.source.out)

    def came(self, tail: Tail) -> None:
        """The source has no more."""
        if not self._dead:
            (self._stages[0] if self._stages else self).finish(tail)

    # -- the outlet of the last stage ---------------------------------------------------------

    def feed(self, data: bytes) -> None:
        if not self._dead and self.target.transport is not None:
            self.target.transport.write(data)

    def finish(self, tail: Tail) -> None:
        """The end has come through all stages."""
        if tail == "reset":
            self._owner.cut("reset")
        elif not self._dead:
            self.done = True
            self._owner.ended(self)

    def _too_late(self, data: bytes) -> None:
        self.lost_bytes += len(data)

    # -- what stages ask of their keeper ------------------------------------------------------

    def keep(self, size: int) -> None:
        self.held_bytes += size
        self._holdings.held_bytes += size
        if size > 0:
            most = LINK_BYTES_MAX
            if self._holdings.held_bytes > TOTAL_BYTES_MAX:
                most = LINK_BYTES_LEAST
            if self.held_bytes > most:
                self.source.hold(held=True)
        elif self.held_bytes <= LINK_BYTES_LEAST:
            self.source.hold(held=False)

    def lose(self, size: int) -> None:
        self.lost_bytes += size

    def cut(self, verb: Verb) -> None:
        self._owner.cut(verb)

    # -- what its target says -----------------------------------------------------------------

    def target_full(self, full: bool) -> None:
        """The target has too much to write, or has room again."""
        self.full = full
        self.source.hold(clogged=full)
        if not full and self._stages:
            self._stages[-1].run()

    def kill(self) -> None:
        """Nobody is there to write to: let go of everything, and read on to see the end."""
        self._dead = True
        stages, self._stages = self._stages, []
        for stage in stages:
            stage.kill()
        self._route()
        self.source.hold(held=False, clogged=False)


def _watched(watch: Callable[[], None], out: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def told(data: bytes) -> None:
        watch()
        out(data)

    return told
