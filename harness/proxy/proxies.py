"""The proxies of a run: a listener each, an upstream, and the toxics set on it."""

import asyncio
import random
import traceback

from harness.proxy.link import CONNECT_S, Link, Side
from harness.proxy.toxics import NoToxic, Toxic, make_toxic
from harness.seeds import stream

STREAMS = ("downstream", "upstream")


class Unknown(KeyError):
    """No such proxy or toxic."""


class Taken(ValueError):
    """There is one of that name already."""


class Proxy:
    """One proxied edge. downstream: from the server to the client, as Toxiproxy has it."""

    def __init__(self, name: str, upstream: tuple[str, int] | None, dice: random.Random) -> None:
        self.name = name
        self.upstream = upstream
        self.toxics: dict[str, dict[str, object]] = {}
        self.listen = ("127.0.0.1", 0)
        self._dice = dice
        self._active: dict[str, Toxic] = dict.fromkeys(STREAMS, NoToxic())
        self._links: dict[str, set[Link]] = {name: set() for name in STREAMS}
        self._server: asyncio.Server | None = None
        self._joining: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen on a free port of loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, *self.listen)
        self.listen = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Stop listening and drop its connections."""
        if self._server is not None:
            self._server.close()

    def _accept(self) -> Side:
        client = Side()
        task = asyncio.get_running_loop().create_task(self._join(client))
        self._joining.add(task)
        task.add_done_callback(self._joined)
        return client

    def _joined(self, task: "asyncio.Task[None]") -> None:
        """A connection that could not be joined is our defect: say so, in the proxy's log."""
        self._joining.discard(task)
        if not task.cancelled() and task.exception() is not None:
            traceback.print_exception(task.exception())

    async def _join(self, client: Side) -> None:
        """Connect to the upstream; a client of one that refuses is reset at once."""
        if self.upstream is None:
            await asyncio.sleep(0)
            client.abort()
            return
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, server = await loop.create_connection(Side, *self.upstream)
        except OSError:  # TimeoutError is one
            client.abort()
            return
        up, down = Link(client, server, self._dice), Link(server, client, self._dice)
        for stream_name, link in (("upstream", up), ("downstream", down)):
            self._links[stream_name] = {
                known for known in self._links[stream_name] if known.alive
            } | {link}
            link.set_toxic(self._active[stream_name])
        client.join(up, server)
        server.join(down, client)

    def add_toxic(self, described: dict[str, object]) -> dict[str, object]:
        """Raises BadToxic or Taken."""
        stream_name = described.get("stream", "downstream")
        toxic = make_toxic(described.get("type"), described.get("attributes", {}))
        name = str(described.get("name") or f"{described['type']}_{stream_name}")
        if name in self.toxics:
            raise Taken(name)
        if stream_name not in STREAMS:
            raise ValueError("stream: downstream or upstream")
        if any(known["stream"] == stream_name for known in self.toxics.values()):
            raise Taken(f"a toxic on {stream_name}")
        self.toxics[name] = {
            "name": name,
            "type": described["type"],
            "stream": stream_name,
            "toxicity": 1.0,
            "attributes": described.get("attributes", {}),
        }
        self._set(str(stream_name), toxic)
        return self.toxics[name]

    def remove_toxic(self, name: str) -> None:
        """Raises Unknown."""
        try:
            gone = self.toxics.pop(name)
        except KeyError:
            raise Unknown(name) from None
        self._set(str(gone["stream"]), NoToxic())

    def _set(self, stream_name: str, toxic: Toxic) -> None:
        self._active[stream_name] = toxic
        for link in self._links[stream_name]:
            link.set_toxic(toxic)

    def described(self) -> dict[str, object]:
        """As Toxiproxy describes one."""
        upstream = ":".join(map(str, self.upstream)) if self.upstream else ""
        return {
            "name": self.name,
            "listen": ":".join(map(str, self.listen)),
            "upstream": upstream,
            "enabled": True,
            "toxics": list(self.toxics.values()),
        }


class Proxies:
    """All of them, by name. Jitter comes from one named stream an edge."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.by_name: dict[str, Proxy] = {}

    async def add(self, name: str, upstream: tuple[str, int] | None) -> Proxy:
        """Raises Taken."""
        if name in self.by_name:
            raise Taken(name)
        proxy = Proxy(name, upstream, stream(self._seed, f"proxy/{name}"))
        await proxy.open()
        self.by_name[name] = proxy
        return proxy

    def get(self, name: str) -> Proxy:
        """Raises Unknown."""
        try:
            return self.by_name[name]
        except KeyError:
            raise Unknown(name) from None

    async def remove(self, name: str) -> None:
        """Raises Unknown."""
        await self.get(name).close()
        del self.by_name[name]

    def reset(self) -> None:
        """Remove every toxic."""
        for proxy in self.by_name.values():
            for name in list(proxy.toxics):
                proxy.remove_toxic(name)
