"""One connection through the proxy: two sides and a link in each direction."""

import random
from collections.abc import Callable, Sequence

from harness.proxy.described import Described
from harness.proxy.link import Holdings, Link
from harness.proxy.side import Side
from harness.proxy.stages import Tail
from harness.proxy.struck import PROBES_FROM
from harness.proxy.toxics import Memory, Verb


class Connection:
    """`number` counts a proxy's connections from 0; with the seed it decides which of them a toxic
    acts on, and how bytes jitter. `over` is called once when both sides are gone, `met` with a
    toxic's name when a request meets one that has chosen this connection among others.

    The client's side is there first. `join` makes it whole; before that it is only held.
    """

    def __init__(
        self,
        number: int,
        make_dice: Callable[[str], random.Random],
        holdings: Holdings,
        over: Callable[["Connection"], None],
        met: Callable[[str], None] | None = None,
    ) -> None:
        self.number = number
        self.client = Side(self)
        self.server = Side(self)
        self.up = Link(self.client, self.server, self, holdings)
        self.down = Link(self.server, self.client, self, holdings)
        self._make_dice = make_dice
        self._over = over
        self._met = met
        self._joined = False
        self._tails: dict[Side, Tail] = {}
        self._chances: dict[str, float] = {}
        self._at_its_end: list[Described] = []
        self._closing = False
        self._client_left = False

    def join(self, up: Sequence[Described], down: Sequence[Described]) -> None:
        """Both sides are connected: let bytes pass, under these toxics."""
        if self.client.transport is None or self.server.transport is None:
            self.drop(reset="reset" in self._tails.values())
            return
        self._joined = True
        self._watch((*up, *down))
        self.up.follow(up)
        self.down.follow(down)
        for side in (self.client, self.server):
            side.begin()
        for side, tail in self._tails.items():
            self._outgoing(side).came(tail)

    def follow(self, up: Sequence[Described], down: Sequence[Described]) -> None:
        """The proxy's toxics have changed."""
        if self._joined:
            self._watch((*up, *down))
            self.up.follow(up)
            self.down.follow(down)

    def _watch(self, toxics: Sequence[Described]) -> None:
        """Have it told when a request meets a toxic that has chosen us, unless it is a probe's."""
        met, transport = self._met, self.client.transport
        picked = [one for one in toxics if one.picks and self.acts(one)]
        self.up.watch, self._at_its_end = None, []
        if met is None or not picked or transport is None:
            return
        if transport.get_extra_info("peername")[0] == PROBES_FROM:
            return
        self._at_its_end = [one for one in picked if one.at_its_end]
        chosen = [one.name for one in picked if not one.at_its_end]

        def watch() -> None:
            for name in chosen:
                met(name)

        self.up.watch = watch if chosen else None

    # -- what its sides say -------------------------------------------------------------------

    def came(self, side: Side, tail: Tail) -> None:
        if self._joined:
            if side is self.client:
                self._client_left = True
            elif not self._client_left:  # whoever left first waits for nobody's end
                self._ends("slow_close")
            self._outgoing(side).came(tail)
        else:
            self._tails[side] = tail

    def gone(self, side: Side) -> None:
        if not self._joined:
            if side is self.client:
                self._over(self)
            return
        self._incoming(side).kill()
        if self.client.transport is None and self.server.transport is None:
            self._over(self)

    def full(self, side: Side, full: bool) -> None:
        self._incoming(side).target_full(full)

    def _outgoing(self, side: Side) -> Link:
        return self.up if side is self.client else self.down

    def _incoming(self, side: Side) -> Link:
        return self.down if side is self.client else self.up

    # -- what its links ask -------------------------------------------------------------------

    def acts(self, toxic: Described) -> bool:
        """One number a connection and toxic: a higher toxicity only adds connections."""
        if toxic.toxicity >= 1:
            return True
        if toxic.name not in self._chances:
            dice = self._make_dice(f"{toxic.name}/{self.number}/acts")
            self._chances[toxic.name] = dice.random()
        return self._chances[toxic.name] < toxic.toxicity

    def remember(self, toxic: Described, now_s: float) -> Memory:
        name = f"{toxic.name}/{self.number}/{toxic.stream}"
        return Memory(now_s, lambda: self._make_dice(name))

    def cut(self, verb: Verb) -> None:
        """Both directions at once. What has been written still goes out unless it is a reset."""
        if not self._closing:
            self._ends("limit_data")
        self._cut(verb)

    def _ends(self, kind: str) -> None:
        """What such a toxic is there for has come about."""
        if self._met is not None:
            for name in [one.name for one in self._at_its_end if one.type == kind]:
                self._met(name)

    def _cut(self, verb: Verb) -> None:
        if self._closing:
            return
        self._closing = True
        for link in (self.up, self.down):
            link.kill()
        for side in (self.client, self.server):
            if verb == "reset":
                side.abort(reset=True)
            else:
                side.close()

    def drop(self, *, reset: bool = False) -> None:
        """The proxy goes down, or there is no server: over at once."""
        self._closing = True
        for side in (self.client, self.server):
            side.unwanted = True
            side.abort(reset=reset)

    def ended(self, link: Link) -> None:
        """Half-close, so that the answer to the last request still passes; close at the second."""
        if self.up.done and self.down.done:
            self._cut("close")
        else:
            link.target.say_end()
