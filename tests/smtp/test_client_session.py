"""The client's session without input and output."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import LocalProtocolError
from mta.smtp.client_session import SENDING, ClientSession, State
from mta.smtp.reply import Reply

GREETING = b"220-mx.example\r\n220 ready\r\n"
HELLO = b"250-mx.example hello\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 CHUNKING\r\n"


def session(*, is_lmtp: bool = False) -> ClientSession:
    """Return a session in which a transaction may begin."""
    begun = ClientSession(is_lmtp=is_lmtp)
    begun.receive(GREETING)
    begun.hello("me.example")
    begun.receive(HELLO)
    begun.take()
    return begun


class OpeningTests(SynchronousTestCase):
    def test_cut_anywhere(self) -> None:
        """Greeting and EHLO, cut at every octet."""
        for cut in range(len(GREETING) + 1):
            for other in range(len(HELLO) + 1):
                begun = ClientSession()
                begun.receive(GREETING[:cut])
                begun.receive(GREETING[cut:])
                self.assertEqual(begun.hello("me.example"), b"EHLO me.example\r\n")
                begun.receive(HELLO[:other])
                begun.receive(HELLO[other:])

                self.assertIs(begun.state, State.READY)
                self.assertEqual(begun.capabilities.size, 1000)
                self.assertEqual([reply.code for reply in begun.take()], [220, 250])

    def test_greeting_refused(self) -> None:
        """After a refusal EHLO may not be sent."""
        begun = ClientSession()
        begun.receive(b"554 no\r\n")

        self.assertRaises(LocalProtocolError, begun.hello, "me.example")

    def test_hello_by_kind(self) -> None:
        """LHLO in LMTP, HELO where EHLO is not wanted."""
        begun = ClientSession(is_lmtp=True)
        begun.receive(GREETING)
        self.assertEqual(begun.hello("me"), b"LHLO me\r\n")
        begun = ClientSession()
        begun.receive(GREETING)
        self.assertEqual(begun.hello("me", esmtp=False), b"HELO me\r\n")

    def test_hello_refused(self) -> None:
        """EHLO that is refused leaves HELO."""
        begun = ClientSession()
        begun.receive(GREETING)
        begun.hello("me")
        begun.receive(b"500 what\r\n")

        self.assertIs(begun.state, State.GREETED)
        begun.hello("me", esmtp=False)
        begun.receive(b"250 hello\r\n")

        self.assertIs(begun.state, State.READY)
        self.assertFalse(begun.capabilities.esmtp)


class CommandTests(SynchronousTestCase):
    def test_order(self) -> None:
        """Only what the table allows may be sent."""
        verbs = {verb for _, verb in SENDING} - {"."}
        for state in State:
            for verb in sorted(verbs):
                begun = session()
                begun.state = state
                if (state, verb) in SENDING:
                    begun.send(verb)
                    self.assertIs(begun.state, SENDING[state, verb])
                else:
                    self.assertRaises(LocalProtocolError, begun.send, verb)

    def test_injection(self) -> None:
        """A line end inside a command is our own error, and nothing is sent."""
        for character in "\r\n\0":
            begun = session()
            text = f"MAIL FROM:<a{character}RCPT TO:<b>"

            self.assertRaises(LocalProtocolError, begun.send, "MAIL", text)

            self.assertEqual(list(begun.awaited), [])

    def test_octets(self) -> None:
        """What came in as octets that are no text goes out the same."""
        text = b"MAIL FROM:<caf\xe9>".decode("utf-8", "surrogateescape")

        self.assertEqual(session().send("MAIL", text), b"MAIL FROM:<caf\xe9>\r\n")


class ReplyTests(SynchronousTestCase):
    def test_in_order(self) -> None:
        """Replies belong to the commands in their order, however cut."""
        wire = b"250 one\r\n550 two\r\n354 three\r\n"
        for cut in range(len(wire) + 1):
            begun = session()
            for verb in ("MAIL", "RCPT", "DATA"):
                begun.send(verb)
            begun.receive(wire[:cut])
            begun.receive(wire[cut:])

            texts = [reply.text for reply in begun.take()]
            self.assertEqual(texts, ["one", "two", "three"])
            self.assertIs(begun.state, State.CONTENT)
            self.assertEqual(begun.take(), [])

    def test_data_refused(self) -> None:
        """DATA that is refused, or answered with 250, brings no content."""
        for reply in (b"554 no\r\n", b"250 ok\r\n"):
            begun = session()
            begun.send("MAIL")
            begun.send("DATA")
            begun.receive(b"250 ok\r\n" + reply)

            self.assertIs(begun.state, State.ENVELOPE)

    def test_end(self) -> None:
        """After the dot another transaction may begin, whatever was said."""
        for reply in (b"250 ok\r\n", b"554 no\r\n"):
            begun = session()
            begun.send("MAIL")
            begun.send("DATA")
            begun.receive(b"250 ok\r\n354 go on\r\n")
            self.assertEqual(begun.end_content(), b".\r\n")
            begun.receive(reply)

            self.assertIs(begun.state, State.READY)

    def test_chunk_refused(self) -> None:
        """A refused BDAT leaves the transaction open for RSET."""
        begun = session()
        begun.send("MAIL")
        self.assertEqual(begun.send_chunk(5, last=False), b"BDAT 5\r\n")
        self.assertEqual(begun.send_chunk(0, last=True), b"BDAT 0 LAST\r\n")
        begun.receive(b"250 ok\r\n452 full\r\n503 no\r\n")

        self.assertIs(begun.state, State.ENVELOPE)
        self.assertEqual(begun.send("RSET"), b"RSET\r\n")

    def test_unasked(self) -> None:
        """A reply that nobody asked for ends the dialogue."""
        begun = session()

        begun.receive(b"421 goodbye\r\n")

        self.assertEqual(begun.malformed, "421 goodbye")

    def test_early(self) -> None:
        """A refusal while content is sent is told apart."""
        begun = session()
        begun.send("MAIL")
        begun.send("DATA")
        begun.receive(b"250 ok\r\n354 go on\r\n552 too much\r\n")

        self.assertEqual(begun.early, Reply(552, ("too much",)))
        self.assertEqual(begun.malformed, "")

    def test_starttls(self) -> None:
        """Inside TLS all is new; what came in clear must not be left."""
        begun = session()
        begun.send("STARTTLS")
        begun.receive(b"220 go\r\n")
        begun.secured()
        self.assertIs(begun.state, State.GREETED)
        self.assertNotIn("PIPELINING", begun.capabilities)

        begun = session()
        begun.send("STARTTLS")
        begun.receive(b"220 go\r\n2")
        self.assertTrue(begun.has_leftovers)
        self.assertRaises(LocalProtocolError, begun.secured)

    def test_lmtp(self) -> None:
        """LMTP owes one reply for each recipient that was accepted."""
        begun = session(is_lmtp=True)
        begun.send("MAIL")
        begun.send("DATA")
        begun.receive(b"250 ok\r\n354 go on\r\n")
        begun.end_content(3)
        begun.receive(b"250 a\r\n550 b\r\n")

        self.assertEqual(len(begun.awaited), 1)
