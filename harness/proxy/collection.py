"""All proxies of a process, by name, made and changed by Toxiproxy's JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.proxy.addresses import Address, Reach
from harness.proxy.described import Bad, Taken, Unknown, read_object, read_text
from harness.proxy.edge import Proxy
from harness.proxy.link import Holdings
from harness.proxy.struck import Struck


@dataclass(frozen=True, slots=True)
class Asked:
    """A proxy as somebody wants it."""

    name: str
    listen: Address
    upstream: Address
    enabled: bool


class Proxies:
    """Every chance of theirs comes from the seed: a named stream an edge, connection and toxic."""

    def __init__(self, seed: int, reach: Reach, struck: Struck | None = None) -> None:
        self._seed = seed
        self._struck = struck
        self._reach = reach
        self._holdings = Holdings()
        self._by_name: dict[str, Proxy] = {}

    def all(self) -> list[Proxy]:
        """In the order they were made."""
        return list(self._by_name.values())

    def get(self, name: str) -> Proxy:
        """Raises Unknown."""
        try:
            return self._by_name[name]
        except KeyError:
            raise Unknown("proxy not found") from None

    async def add(self, given: Any) -> Proxy:
        """Raises Bad, Taken, or OSError when it can't listen."""
        asked = self._asked(given, "")
        if asked.name in self._by_name:
            raise Taken("proxy already exists")
        return await self._make(asked)

    async def _make(self, asked: Asked) -> Proxy:
        proxy = Proxy(
            asked.name, asked.listen, asked.upstream, self._seed, self._holdings, self._struck
        )
        if asked.enabled:
            await proxy.enable()
        self._by_name[asked.name] = proxy
        return proxy

    async def change(self, proxy: Proxy, given: Any) -> None:
        """What is not given stays. Raises Bad, or OSError when it can't listen."""
        changes = read_object(given, "the body")
        listen, upstream = read_text(changes, "listen", ""), read_text(changes, "upstream", "")
        await proxy.move(
            self._reach.listen(listen) if listen else proxy.listen,
            self._reach.upstream(upstream) if upstream else proxy.upstream,
            enabled=_enabled(changes, proxy.enabled),
        )

    async def populate(self, given: Any) -> list[Proxy]:
        """Make those that are missing and replace those that differ; all are checked before one is
        touched. Raises Bad, or OSError when one can't listen."""
        if not isinstance(given, list):
            raise Bad("bad request body: it must be a list of proxies")
        wanted = [
            self._asked(one, f" at proxy {number}") for number, one in enumerate(given, start=1)
        ]
        for asked in wanted if len({asked.name for asked in wanted}) < len(wanted) else ():
            if sum(other.name == asked.name for other in wanted) > 1:
                raise Bad(f"bad request body: duplicate proxy name {asked.name!r}")
        return [await self._populated(asked) for asked in wanted]

    async def _populated(self, asked: Asked) -> Proxy:
        known = self._by_name.get(asked.name)
        if known is not None:
            if (known.listen, known.upstream) == (asked.listen, asked.upstream):
                await known.move(asked.listen, asked.upstream, enabled=asked.enabled)
                return known
            self.remove(asked.name)
        return await self._make(asked)

    def remove(self, name: str) -> None:
        """Raises Unknown."""
        self.get(name).close()
        del self._by_name[name]

    async def reset(self) -> None:
        """Every proxy enabled, and no toxic left. Raises OSError when one can't listen."""
        for proxy in self.all():
            await proxy.enable()
            proxy.remove_toxics()

    def close(self) -> None:
        """All of them."""
        for proxy in self.all():
            proxy.close()

    def _asked(self, given: Any, where: str) -> Asked:
        proxy = read_object(given, "a proxy")
        name, upstream = read_text(proxy, "name", ""), read_text(proxy, "upstream", "")
        if not name:
            raise Bad(f"missing required field: name{where}")
        if not upstream:
            raise Bad(f"missing required field: upstream{where}")
        listen = self._reach.listen(read_text(proxy, "listen", ""))
        return Asked(name, listen, self._reach.upstream(upstream), _enabled(proxy, True))


def _enabled(given: Mapping[str, Any], default: bool) -> bool:
    value = given.get("enabled")
    if value is None:
        return default
    if not isinstance(value, bool):
        raise Bad("bad request body: enabled must be true or false")
    return value
