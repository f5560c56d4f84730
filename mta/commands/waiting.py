"""Run a coroutine to its end, with the reactor only if it has to wait.

Loading the reactor costs more than most commands take altogether.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


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
    return _wait(_rest(coroutine, waited))


def _rest(coroutine: Coroutine[Any, Any, T], waited: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that has begun to wait."""
    while True:
        try:
            result = yield waited
        except Exception as error:
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, result)
        try:
            waited = step()
        except StopIteration as stop:
            found: T = stop.value
            return found


def _wait(rest: Generator[Any, Any, T]) -> T:
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - as above

    outcome: list[Any] = []
    finished: Deferred[Any] = Deferred.fromCoroutine(rest)
    finished.addBoth(outcome.append)
    if not outcome:
        reactor = the_reactor()
        finished.addBoth(lambda _: reactor.stop())
        reactor.run(installSignalHandlers=False)
    result = outcome[0]
    from twisted.python.failure import Failure  # noqa: PLC0415 - as above

    if isinstance(result, Failure):
        result.raiseException()
    found: T = result
    return found


def run_in_reactor(make: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine that needs the running reactor; return what it returns.

    ``make`` is called with the reactor once it runs.  Signals end it as usual.
    """
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - as above
    from twisted.python.failure import Failure  # noqa: PLC0415 - as above

    reactor = the_reactor()
    outcome: list[Any] = []

    def begin() -> None:
        finished: Deferred[Any] = Deferred.fromCoroutine(make(reactor))
        finished.addBoth(outcome.append)
        finished.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not outcome:
        raise KeyboardInterrupt
    result = outcome[0]
    if isinstance(result, Failure):
        result.raiseException()
    found: T = result
    return found
