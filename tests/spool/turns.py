"""A thread that waits, without a reactor: what threads hand over runs when asked."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from queue import Queue
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

SECONDS = 20


class Turns:
    """Stands for ``reactor.callFromThread``; ``result`` waits for a coroutine."""

    def __init__(self) -> None:
        self._calls: Queue[tuple[Callable[..., Any], tuple[Any, ...]]] = Queue()
        self.count = 0

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._calls.put((function, arguments))

    def turn(self) -> None:
        """Run one thing that a thread handed over; wait for it if need be."""
        function, arguments = self._calls.get(timeout=SECONDS)
        self.count += 1
        function(*arguments)

    def result(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return a coroutine's result, or raise its exception."""
        return self.results([coroutine])[0]

    def results(self, coroutines: list[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Return the results of coroutines that wait at the same time."""
        outcomes: list[Any] = [None] * len(coroutines)
        waiting = set(range(len(coroutines)))

        def note(value: Any, number: int) -> None:
            outcomes[number] = value
            waiting.discard(number)

        for number, coroutine in enumerate(coroutines):
            Deferred.fromCoroutine(coroutine).addBoth(note, number)
        while waiting:
            self.turn()
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                outcome.raiseException()
        return outcomes
