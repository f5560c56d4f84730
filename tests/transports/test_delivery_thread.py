"""Tests for ``mta.transports.delivery_thread``."""

from __future__ import annotations

import threading

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mta.transports.delivery_thread import DeliveryThread


class DeliveryThreadTests(TestCase):
    """Jobs are done in a thread, together where several wait."""

    def setUp(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go = threading.Event()
        self.has_begun = threading.Event()

    def work(self, jobs: list[int]) -> list[int]:
        """Double the numbers; wait in the first batch."""
        self.batches.append(jobs)
        self.has_begun.set()
        if not self.may_go.wait(10):
            raise AssertionError("nobody let the work go on")
        if 0 in jobs:
            raise ZeroDivisionError
        return [job * 2 for job in jobs]

    def thread(self) -> DeliveryThread[int, int]:
        """Return a thread that does the work."""
        thread = DeliveryThread(
            self.work, call_in_reactor=reactor.callFromThread, name="test"
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(thread.stop()))
        return thread

    async def test_results(self) -> None:
        """Each caller gets the result of his job."""
        self.may_go.set()
        thread = self.thread()

        self.assertEqual(await thread.do(3), 6)
        self.assertEqual(await thread.do(4), 8)

    async def test_batches(self) -> None:
        """What comes while the thread is busy is done together."""
        thread = self.thread()
        first = Deferred.fromCoroutine(thread.do(1))
        self.has_begun.wait(10)
        others = [Deferred.fromCoroutine(thread.do(number)) for number in (2, 3, 4)]

        self.may_go.set()

        self.assertEqual(await gatherResults([first, *others]), [2, 4, 6, 8])
        self.assertEqual(self.batches, [[1], [2, 3, 4]])

    async def test_defect(self) -> None:
        """A defect in the work reaches the callers, and the thread goes on."""
        self.may_go.set()
        thread = self.thread()

        with self.assertRaises(ZeroDivisionError):
            await thread.do(0)
        self.assertEqual(await thread.do(5), 10)

    async def test_stop(self) -> None:
        """Stopping waits for the jobs that were given."""
        thread = self.thread()
        job = Deferred.fromCoroutine(thread.do(1))
        stopped = Deferred.fromCoroutine(thread.stop())

        self.may_go.set()

        await stopped
        self.assertEqual(self.successResultOf(job), 2)

    async def test_again_after_stop(self) -> None:
        """A stopped thread starts again with the next job."""
        self.may_go.set()
        thread = self.thread()
        await thread.do(1)
        await thread.stop()

        self.assertEqual(await thread.do(2), 4)

    async def test_stop_before_start(self) -> None:
        """What never began needs no end."""
        await self.thread().stop()

        self.assertEqual(self.batches, [])
