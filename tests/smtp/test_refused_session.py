"""Tests of the session with a proxy that named no client."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.smtp.command import LINE_LIMIT
from mta.smtp.refused_session import RefusedSession
from mta.smtp.reply import Reply
from mta.smtp.server_states import (
    Dropped,
    ErrorNoted,
    Event,
    QuitReceived,
    State,
)
from mta.smtp.server_verbs import VERBS, SessionRules

REFUSED = b"503 Command refused, required Proxy negotiation failed\r\n"


class RefusedSessionTests(SynchronousTestCase):
    """Commands of a proxy without a header."""

    def setUp(self) -> None:
        """Greet."""
        self.session = RefusedSession(SessionRules(host_name="mx.example"))
        self.session.greet(Reply(220, ("hello",)))
        self.session.take_output()
        self.events: list[Event] = []

    def says(self, octets: bytes) -> bytes:
        """Return the replies to lines that ask for no decision."""
        self.session.feed(octets)
        while (event := self.session.next_event()) is not None:
            self.events.append(event)
        return self.session.take_output()

    def test_every_verb(self) -> None:
        """Every command is refused, and is an error for the log; no state changes."""
        for name in [*VERBS, "XCLIENT", "", "mail from:<a@b>"]:
            if name != "QUIT":
                self.setUp()
                self.assertEqual(self.says(name.encode() + b" x\r\n"), REFUSED, name)
                self.assertIs(self.session.state, State.GREETED)
                [event] = self.events
                assert isinstance(event, ErrorNoted)
                self.assertEqual(event.selector, "smtp_protocol_error")

    def test_pipelined(self) -> None:
        """Each of several commands gets its reply."""
        self.assertEqual(self.says(b"EHLO x\r\nRSET\r\nNOOP\r\n"), REFUSED * 3)

    def test_too_many(self) -> None:
        """After some commands the session ends, whatever more there is."""
        reply = self.says(b"NOOP\r\n" * 10000)

        self.assertEqual(reply[: 3 * len(REFUSED)], REFUSED * 3)
        self.assertEqual(
            reply[3 * len(REFUSED) :],
            b"503-Command refused, required Proxy negotiation failed\r\n"
            b"503 Too many syntax or protocol errors\r\n",
        )
        self.assertIsInstance(self.events[-1], Dropped)
        self.assertIs(self.session.state, State.CLOSED)

    def test_endless_line(self) -> None:
        """A line without end is answered, not kept; so there is an end to it, too."""
        count = 0
        while self.session.state is not State.CLOSED:
            self.says(b"x" * 100)
            self.assertLessEqual(len(self.session.input), LINE_LIMIT)
            count += 1
        self.assertLess(count, 5 * (LINE_LIMIT // 100 + 1))

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
        """LF ends a line, too: nothing is obeyed, and people send it with nc."""
        self.assertEqual(self.says(b"EHLO x\nNO"), REFUSED)
        self.assertEqual(self.says(b"OP\n\r\n"), REFUSED * 2)
        self.session.feed(b"QUIT\n")
        self.assertIsInstance(self.session.next_event(), QuitReceived)
