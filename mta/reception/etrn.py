"""Queue runs that clients ask for (RFC 1985; Exim chapter 48, section 8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred

from mta.interfaces import ILogs

# More than so many runs at a time help nobody.
LIMIT = 10


class RequestedRuns:
    """Starts a queue run for each text that ETRN names, one at a time for each.

    ``run`` makes one, over the messages with a recipient that contains the text.
    """

    def __init__(self, *, run: Callable[[str], Awaitable[object]], logs: ILogs) -> None:
        self._run = run
        self._logs = logs
        self._running: dict[str, Deferred[None]] = {}

    def start(self, text: str) -> bool:
        """Start a run; return False where one like it has not ended."""
        key = text.strip().lower()
        if key in self._running or len(self._running) >= LIMIT:
            return False
        # The run may be over before there is anything to keep.
        running = self._running[key] = Deferred()
        Deferred.fromCoroutine(self._make(text, key)).chainDeferred(running)
        return True

    async def _make(self, text: str, key: str) -> None:
        try:
            await self._run(text.strip())
        except Exception as error:
            # Here deliveries begin; the client has its answer already.
            self._logs.panic(
                f"error in a queue run for ETRN: {type(error).__name__}: {error}"
            )
        finally:
            del self._running[key]
