"""Queue runs that clients ask for."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.reception.etrn import LIMIT, RequestedRuns
from mta.testing import MemoryLogs


class RequestedRunTests(SynchronousTestCase):
    """Runs that end when the test says so."""

    def setUp(self) -> None:
        self.logs = MemoryLogs()
        self.runs: list[tuple[str, Deferred[None]]] = []
        self.requested = RequestedRuns(run=self.begin, logs=self.logs)

    def begin(self, text: str) -> Deferred[None]:
        """Be the queue's run."""
        self.runs.append((text, Deferred()))
        return self.runs[-1][1]

    def test_start(self) -> None:
        """A run is started for the text that was given."""
        self.assertTrue(self.requested.start(" client.example "))
        self.assertEqual("client.example", self.runs[0][0])

    def test_serialized(self) -> None:
        """The same text starts no other run until the first has ended."""
        self.requested.start("client.example")

        self.assertFalse(self.requested.start("CLIENT.example"))
        self.assertTrue(self.requested.start("other.example"))
        self.runs[0][1].callback(None)
        self.assertTrue(self.requested.start("client.example"))

    def test_over_at_once(self) -> None:
        """A run that never waits is over when it has been started."""

        async def nothing(text: str) -> None:
            """Find no messages."""

        requested = RequestedRuns(run=nothing, logs=self.logs)

        self.assertTrue(requested.start("x"))
        self.assertTrue(requested.start("x"))

    def test_limit(self) -> None:
        """A client cannot start any number of runs."""
        for number in range(LIMIT):
            self.assertTrue(self.requested.start(str(number)))

        self.assertFalse(self.requested.start("one more"))

    def test_failure(self) -> None:
        """A run that fails is told of, and is over."""
        self.requested.start("x")

        self.runs[0][1].errback(ZeroDivisionError("what?"))

        self.assertEqual(
            "error in a queue run for ETRN: ZeroDivisionError: what?",
            self.logs.panic_lines[0][0],
        )
        self.assertTrue(self.requested.start("x"))
