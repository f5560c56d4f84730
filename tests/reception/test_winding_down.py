"""The end of the process, as clients see it."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.reception.serving import Server

FAREWELL = b"421 mx.example: Service not available - closing connection\r\n"
MESSAGE = (
    b"MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n"
    b"Subject: x\r\n\r\ny\r\n.\r\n"
)


class WindingDownTests(SynchronousTestCase):
    """``wind_down``."""

    def setUp(self) -> None:
        self.server = Server("smtp_enforce_sync = false", selectors="smtp_connection")

    def wind_down(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.server.factory.wind_down())

    def pass_time(self, seconds: float) -> None:
        self.server.clock.pump([0.1] * int(seconds * 10))

    def test_nobody(self) -> None:
        """Without clients there is nothing to wait for."""
        self.successResultOf(self.wind_down())
        self.assertEqual([], self.server.clock.getDelayedCalls())

    def test_idle(self) -> None:
        """A client that says nothing is told, and the log says why."""
        client = self.server.connect()
        client.hello()
        ending = self.wind_down()

        self.assertEqual(FAREWELL, client.transport.take())
        self.assertTrue(client.transport.is_closed)
        client.hang_up()
        self.pass_time(1)
        self.successResultOf(ending)
        self.assertRegex(self.server.logs.lines[-1], "closed after SIGTERM")
        self.assertEqual([], self.server.clock.getDelayedCalls())

    def test_message_is_being_kept(self) -> None:
        """A message whose commit is under way is answered before the farewell."""
        self.server.store.delay = 1
        client = self.server.connect()
        client.hello()
        client.says(MESSAGE)
        ending = self.wind_down()

        self.assertEqual(b"", client.transport.take())
        self.pass_time(1.1)
        said = client.transport.take()
        self.assertRegex(said, rb"\A250 OK id=\S+\r\n421 ")
        self.assertTrue(said.endswith(FAREWELL))
        self.assertEqual(1, len(self.server.store.messages))
        client.hang_up()
        self.pass_time(1)
        self.successResultOf(ending)

    def test_in_content(self) -> None:
        """A client in the middle of a message sends it again elsewhere, or later."""
        client = self.server.connect()
        client.hello()
        client.says(MESSAGE[:-5])
        self.wind_down()

        self.assertEqual(FAREWELL, client.transport.take())
        self.assertEqual([], self.server.store.messages)

    def test_limit(self) -> None:
        """A decision that does not come does not keep the process alive."""
        self.server.store.delay = 3600
        client = self.server.connect()
        client.hello()
        client.says(MESSAGE)
        ending = self.wind_down()

        self.pass_time(4)
        self.assertNoResult(ending)
        self.pass_time(2)
        self.successResultOf(ending)
        self.assertTrue(client.transport.is_aborted)
