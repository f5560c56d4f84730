"""Tests of the session with a proxy that named no client."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.smtp.refused_session import RefusedSession
from mta.smtp.reply import Reply
from mta.smtp.server_states import Dropped, QuitReceived, State
from mta.smtp.server_verbs import VERBS, SessionRules

REFUSED = b"503 Command refused, required Proxy negotiation failed\r\n"


class RefusedSessionTests(SynchronousTestCase):
    """Commands of a proxy without a header."""

    def setUp(self) -> None:
        """Greet."""
        self.session = RefusedSession(SessionRules(host_name="mx.example"))
        self.session.greet(Reply(220, ("hello",)))
        self.session.take_output()

    def says(self, line: bytes) -> bytes:
        """Return the reply to a line that asks for no decision."""
        self.session.feed(line)
        self.assertIsNone(self.session.next_event())
        return self.session.take_output()

    def test_every_verb(self) -> None:
        """Every command is refused, however often; no state changes."""
        for name in [*VERBS, "XCLIENT", "", "mail from:<a@b>"] * 5:
            if name != "QUIT":
                self.assertEqual(self.says(name.encode() + b" x\r\n"), REFUSED, name)
        self.assertIs(self.session.state, State.GREETED)

    def test_pipelined(self) -> None:
        """Each of several commands gets its reply."""
        self.assertEqual(self.says(b"EHLO x\r\nRSET\r\nNOOP\r\n"), REFUSED * 3)

    def test_nul(self) -> None:
        """A NUL is told first."""
        self.assertEqual(self.says(b"EHLO\0\r\n")[:4], b"501 ")

    def test_quit(self) -> None:
        """QUIT ends the session."""
        for line in (b"QUIT\r\n", b"quit\r\n"):
            self.setUp()
            self.session.feed(line)
            self.assertIsInstance(self.session.next_event(), QuitReceived)
            self.session.accept()
            self.assertEqual(self.session.take_output()[:4], b"221 ")
            self.assertIs(self.session.state, State.CLOSED)

    def test_bare_line_end(self) -> None:
        """Only CRLF ends a line here, too."""
        self.session.feed(b"EHLO x\nQUIT\r\n")

        self.assertIsInstance(self.session.next_event(), Dropped)
        self.assertIs(self.session.state, State.CLOSED)
