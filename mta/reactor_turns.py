"""Turns of the reactor without a log context for each event.

Twisted calls each descriptor inside of a context that says whose the lines are which it
writes to Twisted's own log meanwhile.  Nothing here asks for that, and it takes a
twentieth of the CPU that a message costs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.python import log


def serve_directly(reactor: Any) -> None:
    """Let an epoll reactor call what is ready straight away; others stay as they are."""
    if type(reactor) is EPollReactor:
        reactor.doIteration = partial(  # type: ignore[method-assign]
            _turn, reactor
        )


def _turn(reactor: Any, timeout: float | None) -> None:
    """Wait for events at most so long, and serve them."""
    descriptors, serve = reactor._selectables, reactor._doReadOrWrite
    try:
        events = reactor._poller.poll(
            -1 if timeout is None else timeout, len(descriptors)
        )
    except InterruptedError:
        return
    for number, event in events:
        descriptor = descriptors.get(number)
        if descriptor is not None:
            try:
                serve(descriptor, number, event)
            except Exception:
                log.err()  # type: ignore[no-untyped-call]
