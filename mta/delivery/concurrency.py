"""How many things happen at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from twisted.internet.defer import Deferred


class Slots:
    """A number of places; who finds none waits for one, first come first served."""

    def __init__(self) -> None:
        self._taken = 0
        self._waiting: deque[Deferred[None]] = deque()

    @property
    def is_free(self) -> bool:
        """Return whether nobody has a place or waits for one."""
        return not self._taken and not self._waiting

    async def take(self, limit: int) -> None:
        """Wait until fewer than ``limit`` places are taken, and take one."""
        if self._taken >= max(limit, 1):
            turn: Deferred[None] = Deferred(self._waiting.remove)
            self._waiting.append(turn)
            await turn
        else:
            self._taken += 1

    def give_back(self) -> None:
        """Give a place back; whoever waits longest has it now."""
        if self._waiting:
            self._waiting.popleft().callback(None)
        else:
            self._taken -= 1


async def run_all(
    works: Iterable[Callable[[], Coroutine[Any, Any, None]]], limit: int
) -> None:
    """Do all of the works, at most ``limit`` at once, begun in order.

    The first exception is raised when all have ended.
    """
    remaining = deque(works)
    if len(remaining) == 1:
        await remaining.popleft()()
        return

    async def lane() -> None:
        while remaining:
            await remaining.popleft()()

    lanes = [
        Deferred.fromCoroutine(lane())
        for _ in range(min(max(limit, 1), len(remaining)))
    ]
    failure: BaseException | None = None
    for one in lanes:
        failure = await _exception_of(one) or failure
    if failure is not None:
        raise failure


async def _exception_of(work: Awaitable[None]) -> Exception | None:
    try:
        await work
    except Exception as error:
        return error
    return None
