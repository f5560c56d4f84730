"""Tests for how many things happen at once."""

from __future__ import annotations

from functools import partial

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.concurrency import Slots, run_all


class RunAllTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.begun: list[int] = []
        self.waiting: dict[int, Deferred[None]] = {}

    async def work(self, number: int) -> None:
        self.begun.append(number)
        self.waiting[number] = Deferred()
        await self.waiting[number]

    def start(self, count: int, limit: int) -> Deferred[None]:
        works = [partial(self.work, number) for number in range(count)]
        return Deferred.fromCoroutine(run_all(works, limit))

    def test_limit(self) -> None:
        """No more than the limit are begun, the next when one ends."""
        ended = self.start(4, 2)
        self.assertEqual(self.begun, [0, 1])

        self.waiting[1].callback(None)
        self.assertEqual(self.begun, [0, 1, 2])
        for number in (0, 2, 3):
            self.waiting[number].callback(None)
        self.assertIsNone(self.successResultOf(ended))

    def test_failure(self) -> None:
        """An exception is raised when all that was begun has ended."""
        ended = self.start(2, 2)

        self.waiting[0].errback(ValueError("no"))
        self.assertNoResult(ended)
        self.waiting[1].callback(None)

        self.failureResultOf(ended, ValueError)


class SlotsTests(SynchronousTestCase):
    def test_turns(self) -> None:
        """Who finds no place waits; a place that is given back goes to the first."""
        slots = Slots()
        self.successResultOf(Deferred.fromCoroutine(slots.take(1)))
        second = Deferred.fromCoroutine(slots.take(1))
        third = Deferred.fromCoroutine(slots.take(1))

        slots.give_back()
        self.successResultOf(second)
        self.assertNoResult(third)
        slots.give_back()
        self.successResultOf(third)
        slots.give_back()

        self.assertTrue(slots.is_free)

    def test_cancelled(self) -> None:
        """Who gives up waiting does not get a place."""
        slots = Slots()
        self.successResultOf(Deferred.fromCoroutine(slots.take(1)))
        second = Deferred.fromCoroutine(slots.take(1))

        second.cancel()
        self.failureResultOf(second)
        slots.give_back()

        self.assertTrue(slots.is_free)
