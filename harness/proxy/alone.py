"""`drawproof proxy`: the fault proxy by itself, for any client of Toxiproxy."""

import asyncio
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import Problem, ScenarioError
from harness.proxy.addresses import Address, Reach, is_loopback, read_address
from harness.proxy.collection import Proxies
from harness.proxy.described import Bad
from harness.proxy.server import run, serving

TOKEN_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line. token_file: whoever asks must know what is in it; None: anybody on this
    machine may."""

    listen: str
    config: Path | None
    seed: int
    token_file: Path | None


def proxy_alone(asked: Asked) -> int:
    """Serve until SIGTERM or SIGINT; exit code 0. Raises ScenarioError for what can't be used."""
    listen = _listen(asked.listen)
    token = None if asked.token_file is None else _token(asked.token_file)
    config = None if asked.config is None else _config(asked.config)
    run(_serve(asked, listen, token, config))
    return 0


async def _serve(asked: Asked, listen: Address, token: str | None, config: Any) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    proxies = Proxies(asked.seed, Reach(upstream_anywhere=True))
    try:
        async with serving(proxies, token, listen) as address:
            if asked.config is not None:
                await _populate(proxies, config, asked.config)
            _announce(proxies, address, token)
            await stop.wait()
    except OSError as exc:
        found = f"{listen}: {exc.strerror or exc}"
        _wrong("--listen", found, "an address of loopback that is free; port 0 takes any")


async def _populate(proxies: Proxies, config: Any, path: Path) -> None:
    try:
        await proxies.populate(config)
    except (Bad, OSError) as exc:
        words = exc.strerror if isinstance(exc, OSError) else None
        _wrong("--config", f"{path}: {words or exc}", "a list of proxies as for /populate")


def _announce(proxies: Proxies, address: Address, token: str | None) -> None:
    who = "any program on this machine" if token is None else "whoever sends the token as X-Token"
    print(f"Toxiproxy's API on http://{address} for {who}")
    for proxy in proxies.all():
        print(f"  {proxy.name}: {proxy.listen} -> {proxy.upstream}")
    print("Ctrl-C (or SIGTERM) stops it.", flush=True)


def _listen(text: str) -> Address:
    allowed = "HOST:PORT on loopback, such as 127.0.0.1:8474"
    try:
        address = read_address(text, "--listen")
    except Bad:
        _wrong("--listen", repr(text), allowed)
    if not is_loopback(address.host):
        _wrong("--listen", repr(text), allowed)
    return address


def _token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, ValueError) as exc:
        _wrong("--token-file", f"{path}: {exc}", "a file that can be read")
    if not 0 < len(token) <= TOKEN_BYTES_MAX or not token.isascii() or not token.isprintable():
        _wrong("--token-file", f"{path}, which has no token", "one line of printable ASCII")
    return token


def _config(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as exc:
        _wrong("--config", f"{path}: {exc}", "JSON, a list of proxies as for /populate")


def _wrong(option: str, found: str, allowed: str) -> NoReturn:
    raise ScenarioError((Problem("the command line", 0, option, found, allowed),)) from None
