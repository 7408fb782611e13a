"""Addresses as Toxiproxy writes them, how far a proxy may reach, and the sockets behind them."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from harness.proxy.described import Bad

BACKLOG = 4096
LOOPBACK = "127.0.0.1"
_EVERYWHERE = ("", "0.0.0.0", "::")
_PORT_MAX = 65535
_HOST = re.compile(r"[A-Za-z0-9._:%-]{0,253}", re.ASCII)


class Address(NamedTuple):
    """A host and a port; `str` is how Toxiproxy writes it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(text: str, what: str) -> Address:
    """From `host:port`, `[::1]:port` or `:port`. Raises Bad."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    is_port = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= _PORT_MAX
    if not (colon and is_port and _HOST.fullmatch(host)):
        raise Bad(f"bad request body: {what} {text!r} must be HOST:PORT")
    return Address(LOOPBACK if host == "localhost" else host, int(port))


def is_loopback(host: str) -> bool:
    """Does it name this machine alone? A name that only begins like such an address does not."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Reach:
    """Where proxies may lead. They listen on loopback in any case: an address that means all
    interfaces is narrowed to it, any other is refused."""

    upstream_anywhere: bool

    def listen(self, text: str) -> Address:
        """Raises Bad."""
        address = read_address(text or f"{LOOPBACK}:0", "listen")
        if address.host in _EVERYWHERE:
            return Address(LOOPBACK, address.port)
        if not is_loopback(address.host):
            raise Bad(f"bad request body: listen {text!r} is not on loopback")
        return address

    def upstream(self, text: str) -> Address:
        """Raises Bad."""
        address = read_address(text, "upstream")
        if address.host in _EVERYWHERE:
            return Address(LOOPBACK, address.port)
        if not (self.upstream_anywhere or is_loopback(address.host)):
            raise Bad(f"bad request body: upstream {text!r} is not on loopback")
        return address


def reserved(address: Address) -> socket.socket:
    """A socket that has the address and never listens. Raises OSError when it can't be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    place = socket.socket(family, socket.SOCK_STREAM)
    place.setblocking(False)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind(address)
    except OSError:
        place.close()
        raise
    return place


async def listening(
    accept: Callable[[], asyncio.BaseProtocol], place: socket.socket
) -> asyncio.Server:
    """A server on the address that `place` has: two sockets may share one while only one of them
    listens. Raises OSError."""
    address = Address(*place.getsockname()[:2])
    loop = asyncio.get_running_loop()
    return await loop.create_server(accept, sock=reserved(address), backlog=BACKLOG)
