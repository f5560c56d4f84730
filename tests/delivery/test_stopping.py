"""Deliveries that take too long for a service that stops."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from mta.errors import SpoolClosed, TemporaryFailure
from mta.recipient import Outcome
from mta.transports.base import Batch
from tests.delivery.test_queue_runner import Case


class CutShortTests(Case):
    def test_stop_with_a_slow_delivery(self) -> None:
        """A delivery that hangs does not keep the service from ending."""
        self.make()
        self.runner.startService()

        async def deliver(batch: Batch) -> list[Outcome]:
            await Deferred()
            return []

        self.rig.remote.deliver = deliver
        self.runner.accepted(self.message())
        self.clock.advance(0)

        ended = self.runner.stopService()
        self.assertNoResult(ended)
        self.clock.advance(20)

        self.successResultOf(ended)
        self.assertEqual(self.rig.logs.lines, ["1 deliveries cut short"])
        self.successResultOf(Deferred.fromCoroutine(self.runner.when_idle()))

    def test_stop_before_an_end(self) -> None:
        """A delivery that was cut short and finds the spool closed says nothing."""
        self.make()
        self.runner.startService()
        hanging: Deferred[list[Outcome]] = Deferred()

        async def deliver(batch: Batch) -> list[Outcome]:
            return await hanging

        async def closed(*_arguments: object, **_settings: object) -> None:
            raise SpoolClosed("the spool is closed")

        store: Any = self.rig.store
        self.rig.remote.deliver = deliver
        store.save = store.journal = store.remove = closed
        self.runner.accepted(self.message())
        self.clock.advance(0)
        self.runner.stopService()
        self.clock.advance(20)

        hanging.errback(TemporaryFailure("the connection was lost"))

        self.assertEqual(self.rig.logs.lines, ["1 deliveries cut short"])
