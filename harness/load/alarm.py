"""Wakes greenlets at a moment, to a tenth of a millisecond, and tells how late it was itself.

gevent's own timers are a whole millisecond coarse, because its loop gives epoll whole ones: half of
an arrival's lateness was that. Here the kernel's timerfd is due instead, whose descriptor is
readable the moment it is (timerfd_create(2)); where there is none, gevent's timers do.

The same clock that nobody here can delay is the heartbeat: what it should have been served at is
known to the kernel, so a loop that was busy with a thousand answers sees how late it is.
"""

import ctypes
import errno
import heapq
import itertools
import os
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.hub import Waiter

from harness.clock import NS_PER_S

_ABSOLUTE = 1
_READABLE = 1


class _Span(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Setting(ctypes.Structure):
    """The kernel's itimerspec: every how long, and first when."""

    _fields_ = (("every", _Span), ("first", _Span))


class _Timer:
    """One timerfd on CLOCK_MONOTONIC. Raises OSError where there is none."""

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "timerfd is Linux's")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def set(self, first_ns: int, every_ns: int = 0) -> None:
        """Readable at `first_ns`, at once when that is over; then every so often."""
        first, every = divmod(max(first_ns, 1), NS_PER_S), divmod(every_ns, NS_PER_S)
        setting = _Setting(_Span(*every), _Span(*first))
        if self._libc.timerfd_settime(self.fd, _ABSOLUTE, ctypes.byref(setting), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def fired(self) -> int:
        """How often since it was last asked."""
        try:
            return int(struct.unpack("Q", os.read(self.fd, 8))[0])
        except BlockingIOError:
            return 0


class Alarm:
    """Waits of the greenlets of one thread. `clock` is the one that `at_ns` is meant on."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._waits: list[tuple[int, int, Waiter[None]]] = []
        self._order = itertools.count()
        self._set_ns = 0
        self._timer: _Timer | None = None
        try:
            self._timer = _Timer()
        except OSError:
            return
        self._watcher = gevent.get_hub().loop.io(self._timer.fd, _READABLE)
        self._watcher.start(self._due, self._timer)

    def wait_until(self, at_ns: int) -> None:
        """Returns at `at_ns` or later; at once when that is over."""
        left_ns = at_ns - self._clock()
        if left_ns <= 0:
            return
        if self._timer is None:
            gevent.sleep(left_ns / NS_PER_S)
            return
        waiter: Waiter[None] = Waiter()
        at_ns = time.monotonic_ns() + left_ns
        heapq.heappush(self._waits, (at_ns, next(self._order), waiter))
        self._set(self._timer)
        waiter.get()

    def _set(self, timer: _Timer) -> None:
        """To the first that waits, if it is not already."""
        at_ns = self._waits[0][0]
        if not self._set_ns or at_ns < self._set_ns:
            self._set_ns = at_ns
            timer.set(at_ns)

    def _due(self, timer: _Timer) -> None:
        """In the loop: all whose moment had come by now go on, in order. Who is due meanwhile waits
        for the next turn, so that answers are read between."""
        self._set_ns, now_ns = 0, time.monotonic_ns()
        while self._waits and self._waits[0][0] <= now_ns:
            heapq.heappop(self._waits)[2].switch(None)
        if self._waits:
            self._set(timer)
        else:
            timer.fired()  # setting it anew had made it unreadable too


class Heartbeat:
    """Tells `late` every `every_ns` how late the loop serves what has come from outside, ns.

    In its turn of the loop it may be served before others that came with it: it looks at the clock
    when that turn is over.
    """

    def __init__(self, every_ns: int, late: Callable[[int], None]) -> None:
        self._every_ns = every_ns
        self._late = late
        self._next_ns = time.monotonic_ns() + every_ns
        self._loop: Any = gevent.get_hub().loop
        self._watcher: Any = None
        self._sleeper: gevent.Greenlet | None = None
        try:
            self._timer = _Timer()
        except OSError:
            self._sleeper = gevent.spawn(self._oversleep)
            return
        self._timer.set(self._next_ns, every_ns)
        self._watcher = self._loop.io(self._timer.fd, _READABLE)
        self._watcher.start(self._beat)

    def _beat(self) -> None:
        beats = self._timer.fired()
        if beats:
            self._loop.run_callback(self._turned, self._next_ns)
            self._next_ns += beats * self._every_ns

    def _turned(self, due_ns: int) -> None:
        self._late(max(0, time.monotonic_ns() - due_ns))

    def _oversleep(self) -> None:
        while True:
            before_ns = time.monotonic_ns()
            gevent.sleep(self._every_ns / NS_PER_S)
            self._late(max(0, time.monotonic_ns() - before_ns - self._every_ns))

    def stop(self) -> None:
        """No beat comes after this."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._timer.fd)
            self._watcher = None
        if self._sleeper is not None:
            self._sleeper.kill()
