"""Waiting in a command: the reactor turns when it must, as often as it must."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from mta.commands import waiting
from mta.commands.waiting import SignalReceived, run_coroutine, run_in_reactor


async def at_once(value: int) -> int:
    """Return without waiting."""
    return value


class WaitingTests(SynchronousTestCase):
    """With a reactor that is not the program's."""

    def setUp(self) -> None:
        self.reactor: Any = EPollReactor()
        self.loaded = 0
        self.before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        child = signal.getsignal(signal.SIGCHLD)
        self.addCleanup(signal.signal, signal.SIGCHLD, child)
        wake_up = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wake_up)
        self.addCleanup(signal.set_wakeup_fd, wake_up)

        def reactor() -> Any:
            self.loaded += 1
            return self.reactor

        self.patch(waiting, "the_reactor", reactor)

    def tearDown(self) -> None:
        after = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        self.assertEqual(self.before, after)

    async def after_a_while(self, value: int) -> int:
        """Return after a turn of the reactor."""
        await deferLater(self.reactor, 0.001, lambda: None)
        return value

    async def failing(self) -> int:
        """Raise after a turn of the reactor."""
        await self.after_a_while(0)
        raise ValueError("no")

    def test_no_need(self) -> None:
        """What does not wait does not load the reactor."""
        self.assertEqual(1, run_coroutine(at_once(1)))
        self.assertEqual(0, self.loaded)

    def test_again_and_again(self) -> None:
        """A command may wait several times, one way and the other."""
        self.assertEqual(1, run_coroutine(self.after_a_while(1)))
        self.assertEqual(2, run_coroutine(self.after_a_while(2)))
        self.assertEqual(3, run_in_reactor(lambda _: self.after_a_while(3)))
        self.assertEqual(4, run_coroutine(self.after_a_while(4)))

    def test_within(self) -> None:
        """What is run in the reactor may itself need an answer at once."""

        async def work(reactor: Any) -> int:
            await self.after_a_while(0)
            return run_coroutine(self.after_a_while(5))

        self.assertEqual(5, run_in_reactor(work))

    def test_errors(self) -> None:
        """Errors come out as they are."""
        self.assertRaises(ValueError, run_coroutine, self.failing())
        self.assertRaises(ValueError, run_in_reactor, lambda _: self.failing())

    def test_signal(self) -> None:
        """A signal ends the wait, and is told."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):

                async def work(reactor: Any, number: int = number) -> int:
                    reactor.callLater(0, os.kill, os.getpid(), number)
                    await Deferred()
                    return 0

                error = self.assertRaises(SignalReceived, run_in_reactor, work)
                self.assertEqual((number,), error.args)
