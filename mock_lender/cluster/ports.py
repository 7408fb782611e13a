"""Free ports outside the range the kernel gives to outgoing connections."""

import random
import socket

FIRST, LAST = 20000, 29999


def listening_socket() -> socket.socket:
    """A bound socket on loopback, not yet listening: until it listens, connections are refused.

    Outside the ephemeral range no outgoing connection can take the port while its service is
    down. Bound without SO_REUSEADDR: two sockets that both have it may be bound to one port for as
    long as neither listens, and one of two services would then be spoken to under both names.
    Raises OSError when nothing is free.
    """
    start = random.SystemRandom().randint(FIRST, LAST)
    for step in range(LAST - FIRST + 1):
        try:
            held = _bound(FIRST + (start - FIRST + step) % (LAST - FIRST + 1), again=False)
        except OSError:
            continue
        # From here on, so that its connections don't keep the port from it when it is restarted.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return held
    raise OSError(f"no free port between {FIRST} and {LAST}")


def bound_again(port: int) -> socket.socket:
    """A socket bound to the port of a service that has ended, whose connections may linger.

    Raises OSError when it is taken.
    """
    return _bound(port, again=True)


def _bound(port: int, *, again: bool) -> socket.socket:
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if again:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        raise
    return held


def free_port() -> int:
    """A port that was free a moment ago, for a program that binds for itself."""
    with listening_socket() as held:
        return int(held.getsockname()[1])
