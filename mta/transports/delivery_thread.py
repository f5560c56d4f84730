"""A thread that writes to mailboxes, so that the reactor never waits for a disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")

BATCH_LIMIT = 128


class DeliveryThread(Generic[J, R]):
    """Does jobs in a thread of its own, all that wait at once in one call.

    ``work`` gets the jobs and returns a result for each, in their order.  The more
    jobs come while the disk is busy, the more share the next flush.
    ``call_in_reactor`` is the reactor's ``callFromThread``; it is called once for
    each batch.
    """

    def __init__(
        self,
        work: Callable[[list[J]], list[R]],
        *,
        call_in_reactor: Callable[..., object],
        name: str,
    ) -> None:
        self._work = work
        self._call_in_reactor = call_in_reactor
        self._name = name
        self._waiting: SimpleQueue[tuple[J | None, Any]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._deferred: Any = None

    async def do(self, job: J) -> R:
        """Do a job and return its result, or raise what the work raised."""
        if self._thread is None:
            self._start()
        result = self._deferred()
        self._waiting.put((job, result))
        done: R = await result
        return done

    def _start(self) -> None:
        from twisted.internet.defer import Deferred  # noqa: PLC0415 (start-up time)

        self._deferred = Deferred
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End the thread when all jobs that were given are done."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        stopped = self._deferred()
        self._waiting.put((None, stopped))  # no job: the end
        await stopped

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            jobs = [job for job, _ in batch if job is not None]
            results: list[Any] = []
            error: Exception | None = None
            if jobs:
                try:
                    results = self._work(jobs)
                except Exception as problem:  # deliveries begin here
                    error = problem
            self._call_in_reactor(_tell, batch, results, error)
            if batch[-1][0] is None:
                return

    def _next_batch(self) -> list[tuple[J | None, Any]]:
        batch = [self._waiting.get()]
        while batch[-1][0] is not None and len(batch) < BATCH_LIMIT:
            try:
                batch.append(self._waiting.get_nowait())
            except Empty:
                break
        return batch


def _tell(
    batch: list[tuple[Any, Any]], results: list[Any], error: Exception | None
) -> None:
    remaining = iter(results)
    for job, waiting in batch:
        if job is None:
            waiting.callback(None)
        elif error is not None:
            waiting.errback(error)
        else:
            waiting.callback(next(remaining))
