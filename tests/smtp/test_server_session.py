"""A session on its own: which command is understood when, and what comes of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import LocalProtocolError
from mta.smtp.command import NO_EXTENSIONS
from mta.smtp.reply import Reply
from mta.smtp.server_session import ServerSession
from mta.smtp.server_states import (
    TRANSITIONS,
    AuthenticationRequested,
    ContentBegun,
    ContentReceived,
    DataRequested,
    Dropped,
    ErrorNoted,
    Event,
    HelloReceived,
    ResponseReceived,
    State,
)
from mta.smtp.server_verbs import VERBS, SessionRules

OFFERED = NO_EXTENSIONS._replace(
    keywords=("PIPELINING", "CHUNKING"),
    pipelining=True,
    chunking=True,
    starttls=True,
    mechanisms=("PLAIN",),
)
ARGUMENTS = {
    "HELO": b" c.example",
    "EHLO": b" c.example",
    "MAIL": b" FROM:<a@c.example>",
    "RCPT": b" TO:<b@mx.example>",
    "BDAT": b" 2 LAST",
    "ETRN": b" #x",
    "VRFY": b" x",
    "EXPN": b" x",
    "AUTH": b" PLAIN AGEAYg==",
}
MAIL = b"MAIL FROM:<a@c.example>\r\n"
RCPT = b"RCPT TO:<b@mx.example>\r\n"
WAYS = {
    State.GREETED: b"",
    State.READY: b"EHLO c.example\r\n",
    State.SENDER: b"EHLO c.example\r\n" + MAIL,
    State.RECIPIENTS: b"EHLO c.example\r\n" + MAIL + RCPT,
    State.CHUNKS: b"EHLO c.example\r\n" + MAIL + RCPT + b"BDAT 2\r\nA:",
    State.CHUNKS_REFUSED: b"EHLO c.example\r\n" + MAIL + RCPT + b"BDAT 2\r\n\n:",
}


class SessionCase(SynchronousTestCase):
    """A session whose every request is granted."""

    def begin(self, **rules: int) -> ServerSession:
        """Return a session that has greeted; it does not insist on synchronization."""
        session = ServerSession(SessionRules(**rules))  # type: ignore[arg-type]
        session.enforces_synchronization = False
        session.greet(Reply(220, ("hello",)))
        session.take_output()
        return session

    def say(self, session: ServerSession, octets: bytes) -> list[Event]:
        """Say something, and grant what is asked; return the events."""
        session.feed(octets)
        events = []
        while (event := session.next_event()) is not None:
            events.append(event)
            if isinstance(event, HelloReceived):
                session.accept_hello("hello", OFFERED)
            elif not isinstance(event, (ErrorNoted, Dropped, ContentBegun)) and (
                not isinstance(event, ContentReceived) or event.is_end
            ):
                session.accept()
        return events

    def reach(self, state: State) -> ServerSession:
        """Return a session in a state."""
        session = self.begin(maximum_errors=99, maximum_nonmail=99)
        self.say(session, WAYS[state])
        self.assertIs(state, session.state)
        session.take_output()
        return session


class TransitionTests(SessionCase):
    """Every verb in every state."""

    def test_understood(self) -> None:
        """A command in its place leads to the state that the table names."""
        for state in WAYS:
            for name, following in TRANSITIONS[state].items():
                if name == "MAIL" and state is State.GREETED:
                    continue  # HELO is required
                if name in ("STARTTLS", "AUTH") and state is State.GREETED:
                    continue  # not offered yet
                session = self.reach(state)

                self.say(session, name.encode() + ARGUMENTS.get(name, b"") + b"\r\n")

                code = session.take_output()[:1]
                self.assertIn(code, (b"2", b"3", b""), (state, name))
                self.assertIs(following, session.state, (state, name))

    def test_out_of_sequence(self) -> None:
        """Elsewhere it is refused, and changes nothing."""
        for state in WAYS:
            for name in VERBS.keys() - TRANSITIONS[state].keys():
                session = self.reach(state)

                self.say(session, name.encode() + ARGUMENTS.get(name, b"") + b"\r\n")

                self.assertEqual(b"503", session.take_output()[:3], (state, name))
                self.assertIs(state, session.state, (state, name))

    def test_any_cut(self) -> None:
        """Where the octets are cut changes nothing."""
        script = WAYS[State.CHUNKS] + b"BDAT 4 LAST\r\n\r\n\r\n" + MAIL + RCPT
        script += b"DATA\r\nA: b\r\n\r\n..\r\n.\r\nNOOP\r\nXYZ\r\nQUIT\r\n"
        expected = self.played([script])

        for cut in range(len(script)):
            self.assertEqual(expected, self.played([script[:cut], script[cut:]]), cut)
        self.assertEqual(expected, self.played([bytes([o]) for o in script]))

    def played(self, pieces: list[bytes]) -> tuple[bytes, bytes]:
        """Return what a session says, and the content that came."""
        session = self.begin()
        content = b""
        for piece in pieces:
            for event in self.say(session, piece):
                if isinstance(event, ContentReceived):
                    content += event.octets
        return session.take_output(), content


class DecisionTests(SessionCase):
    """What is asked, and answered."""

    def test_waits(self) -> None:
        """Until a decision was given nothing else is understood."""
        session = self.reach(State.READY)
        session.feed(MAIL + RCPT)
        session.next_event()

        self.assertIsNone(session.next_event())
        self.assertEqual(b"", session.take_output())

    def test_unasked(self) -> None:
        """A decision that nobody asked for is a mistake of ours."""
        session = self.reach(State.READY)

        self.assertRaises(LocalProtocolError, session.accept)

    def test_own_reply(self) -> None:
        """A decision can bring its own words."""
        session = self.reach(State.READY)
        session.feed(MAIL)
        session.next_event()

        session.refuse(Reply(450, ("later", "please")))

        self.assertEqual(b"450-later\r\n450 please\r\n", session.take_output())
        self.assertIs(State.READY, session.state)

    def test_close(self) -> None:
        """A refusal can be the end: what follows it is not read."""
        session = self.reach(State.READY)
        session.feed(MAIL + b"NOOP\r\n")
        session.next_event()

        session.refuse(close=True)

        self.assertIs(State.CLOSED, session.state)
        self.assertIsNone(session.next_event())
        session.feed(b"NOOP\r\n")
        self.assertIsNone(session.next_event())
        self.assertEqual(b"550 Administrative prohibition\r\n", session.take_output())

    def test_refused_hello(self) -> None:
        """A refused name ends a transaction and what was offered."""
        session = self.reach(State.SENDER)
        session.feed(b"EHLO c.example\r\n")
        session.next_event()

        session.refuse()

        self.assertIs(State.GREETED, session.state)
        self.assertEqual(NO_EXTENSIONS, session.extensions)

    def test_refused_content(self) -> None:
        """A refused message ends its transaction."""
        session = self.reach(State.RECIPIENTS)
        self.say(session, b"DATA\r\n")
        session.feed(b".\r\n")
        event = session.next_event()

        session.refuse(Reply(554, ("no",)))

        self.assertEqual(ContentReceived(b"", True), event)
        self.assertIs(State.READY, session.state)


class AuthenticationTests(SessionCase):
    """Challenges and responses."""

    def asked(self) -> tuple[ServerSession, Event | None]:
        """Return a session that asked for AUTH, and the event."""
        session = self.reach(State.READY)
        session.feed(b"AUTH plain\r\n")
        return session, session.next_event()

    def test_initial_response(self) -> None:
        """An initial response is optional; it may be empty."""
        session = self.reach(State.READY)
        _, without = self.asked()
        session.feed(b"AUTH PLAIN =\r\n")

        self.assertEqual(AuthenticationRequested("PLAIN", None), without)
        self.assertEqual(AuthenticationRequested("PLAIN", b"="), session.next_event())

    def test_exchange(self) -> None:
        """Challenges are answered by lines, whatever they look like."""
        session, _ = self.asked()
        session.challenge(b"dXNlcg==")
        session.feed(b"QUIT\r\n")
        response = session.next_event()

        session.challenge(b"")
        session.feed(b"*\r\n")
        cancelled = session.next_event()
        session.refuse()

        self.assertEqual(ResponseReceived(b"QUIT"), response)
        self.assertEqual(ResponseReceived(b"*"), cancelled)
        self.assertEqual(
            b"334 dXNlcg==\r\n334 \r\n535 Incorrect authentication data\r\n",
            session.take_output(),
        )
        self.assertIs(State.READY, session.state)

    def test_success(self) -> None:
        """Who is authenticated is not asked again."""
        session, _ = self.asked()
        session.challenge(b"")
        session.feed(b"AGEAYg==\r\n")
        session.next_event()
        session.accept()

        self.say(session, b"AUTH PLAIN\r\n")

        self.assertTrue(session.is_authenticated)
        self.assertEqual(
            b"334 \r\n235 Authentication succeeded\r\n503 already authenticated\r\n",
            session.take_output(),
        )

    def test_unknown_mechanism(self) -> None:
        """Only mechanisms that were offered are known."""
        session = self.reach(State.READY)

        self.say(session, b"AUTH GSSAPI\r\nAUTH\r\n")

        self.assertEqual(
            b"504 GSSAPI authentication mechanism not supported\r\n"
            b"501 Syntactically invalid AUTH argument(s)\r\n",
            session.take_output(),
        )


class ContentTests(SessionCase):
    """Content among commands."""

    def test_data(self) -> None:
        """Content ends, and the next command is understood."""
        session = self.reach(State.RECIPIENTS)

        events = self.say(session, b"DATA\r\nA: b\r\n.\r\nNOOP\r\n")

        self.assertEqual([DataRequested(), ContentReceived(b"A: b\r\n", True)], events)
        self.assertEqual(3, session.take_output().count(b"\r\n"))

    def test_swallowed(self) -> None:
        """A refused chunk is thrown away, however it comes."""
        for state in (State.READY, State.SENDER, State.CHUNKS_REFUSED):
            session = self.reach(state)
            for octet in b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n":
                self.say(session, bytes([octet]))

            self.assertIs(state, session.state)
            self.assertEqual(b"250 OK\r\n", session.take_output()[-8:])

    def test_huge_chunk(self) -> None:
        """Of a chunk that was refused nothing is kept."""
        session = self.reach(State.READY)
        self.say(session, b"BDAT 999999999999 LAST\r\n")

        for _ in range(100):
            self.say(session, b"x" * 65536)

        self.assertEqual(0, len(session.input))
