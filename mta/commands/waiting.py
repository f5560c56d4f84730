"""Run a coroutine to its end, with the reactor only if it has to wait.

Loading the reactor costs more than most commands take altogether.  It is turned here,
not run: Twisted's ``run`` can be called only once, and a command may wait several
times, even while it serves a session.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from mta.coroutines import rest_of

T = TypeVar("T")
_ENDING = (signal.SIGINT, signal.SIGTERM)


class SignalReceived(KeyboardInterrupt):
    """A signal ends the program; the first argument is its number."""


def the_reactor() -> Any:
    """Return the reactor, loading it if nobody has."""
    from twisted.internet import reactor  # noqa: PLC0415 - see the module's docstring

    return reactor


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what the coroutine returns; raise what it raises."""
    try:
        waited = coroutine.send(None)
    except StopIteration as stop:
        found: T = stop.value
        return found
    return _wait(the_reactor(), rest_of(coroutine, waited), [])


def run_in_reactor(make: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine that needs the running reactor; return what it returns.

    ``make`` is called with the reactor once it runs.  Raises SignalReceived.
    """
    reactor = the_reactor()
    _start(reactor)
    received: list[int] = []

    def receive(number: int, frame: object) -> None:
        received.append(number)
        reactor.wakeUp()

    before = {number: signal.signal(number, receive) for number in _ENDING}
    try:
        return _wait(reactor, make(reactor), received)
    finally:
        for number, disposition in before.items():
            signal.signal(number, disposition)


def _start(reactor: Any) -> None:
    """Start the reactor unless it is; of signals it sees only that children end."""
    if reactor.running:
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    reactor.startRunning()
    for number, disposition in before.items():
        signal.signal(number, disposition)


def _wait(
    reactor: Any,
    coroutine: Coroutine[Any, Any, T] | Generator[Any, Any, T],
    received: list[int],
) -> T:
    """Turn the reactor until the coroutine has ended, or a signal was received."""
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - as above
    from twisted.python.failure import Failure  # noqa: PLC0415 - as above

    _start(reactor)
    outcome: list[Any] = []
    finished: Deferred[Any] = Deferred.fromCoroutine(coroutine)
    finished.addBoth(outcome.append)
    while not outcome:
        reactor.runUntilCurrent()
        if not outcome:
            reactor.doIteration(reactor.timeout())
        if received:
            raise SignalReceived(received[0])
    result = outcome[0]
    if isinstance(result, Failure):
        result.raiseException()
    found: T = result
    return found
