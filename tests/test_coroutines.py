"""Tests of coroutines that were begun by hand."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.coroutines import StillWaits, at_once, rest_of


class RestTests(SynchronousTestCase):
    """A coroutine whose first step was made elsewhere."""

    def begun(self) -> tuple[Deferred[str], Deferred[str], Deferred[str]]:
        """Return what it waits for, first and second, and its result."""
        first: Deferred[str] = Deferred()
        second: Deferred[str] = Deferred()

        async def both() -> str:
            try:
                found = await first
            except LookupError:
                found = "nothing"
            return found + await second

        coroutine = both()
        waited = coroutine.send(None)
        return first, second, Deferred.fromCoroutine(rest_of(coroutine, waited))

    def test_result(self) -> None:
        """It goes on with what it waited for, as often as it waits."""
        first, second, result = self.begun()
        first.callback("a")
        self.assertNoResult(result)
        second.callback("b")

        self.assertEqual(self.successResultOf(result), "ab")

    def test_caught(self) -> None:
        """It may catch what went wrong."""
        first, second, result = self.begun()
        first.errback(LookupError("none"))
        second.callback("!")

        self.assertEqual(self.successResultOf(result), "nothing!")

    def test_failure(self) -> None:
        """What it does not catch is its result."""
        first, second, result = self.begun()
        first.callback("a")
        second.errback(ValueError("bad"))

        self.assertEqual(str(self.failureResultOf(result, ValueError).value), "bad")


class AtOnceTests(SynchronousTestCase):
    """A coroutine that must not wait."""

    def test_result(self) -> None:
        """It gives what it returns, or raises what it raises."""

        async def half(number: int) -> int:
            if number % 2:
                raise ValueError(number)
            return number // 2

        self.assertEqual(at_once(half(6)), 3)
        self.assertRaises(ValueError, at_once, half(5))

    def test_waits(self) -> None:
        """One that waits is ended."""
        ended: list[bool] = []

        async def wait() -> None:
            try:
                await Deferred()
            finally:
                ended.append(True)

        self.assertRaises(StillWaits, at_once, wait())
        self.assertEqual(ended, [True])
