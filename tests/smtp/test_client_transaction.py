"""One message's way through a session, without input and output."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.smtp.client_session import ClientSession, State
from mta.smtp.client_transaction import (
    ClientTransaction,
    Envelope,
    EnvelopeRecipient,
    mail_command,
    xtext,
)

ALL = "PIPELINING CHUNKING SIZE 8BITMIME SMTPUTF8 REQUIRETLS DSN AUTH"


def session(keywords: str = ALL, *, is_lmtp: bool = False) -> ClientSession:
    """Return a session with a server that offers some keywords."""
    begun = ClientSession(is_lmtp=is_lmtp)
    begun.receive(b"220 ready\r\n")
    begun.hello("me")
    lines = ["mx", *keywords.split()]
    for line in lines[:-1]:
        begun.receive(f"250-{line}\r\n".encode())
    begun.receive(f"250 {lines[-1]}\r\n".encode())
    begun.take()
    return begun


def transaction(begun: ClientSession, *names: str, **facts: Any) -> ClientTransaction:
    """Return a transaction for recipients."""
    recipients = [EnvelopeRecipient(f"{name}@x.example") for name in names or ("a",)]
    return ClientTransaction(begun, Envelope("s@y.example", recipients), **facts)


class PipeliningTests(SynchronousTestCase):
    def test_all_at_once(self) -> None:
        """With CHUNKING everything goes in one piece, content and all."""
        begun = session()
        sent = transaction(begun, "a", "b")

        octets = sent.begin(b"hello\r\n")

        self.assertEqual(
            octets,
            b"MAIL FROM:<s@y.example>\r\nRCPT TO:<a@x.example>\r\n"
            b"RCPT TO:<b@x.example>\r\nBDAT 7 LAST\r\nhello\r\n",
        )
        self.assertTrue(sent.end_is_sent)
        begun.receive(b"250 m\r\n250 a\r\n550 b\r\n250 end\r\n")
        self.assertEqual(sent.proceed(), b"")
        self.assertEqual(sent.accepted, [0])
        self.assertEqual([reply.text for reply in sent.final], ["end"])

    def test_data(self) -> None:
        """Without CHUNKING the content waits for the reply to DATA."""
        begun = session("PIPELINING")
        sent = transaction(begun)

        self.assertTrue(sent.begin(b"x").endswith(b"\r\nDATA\r\n"))

        begun.receive(b"250 m\r\n250 a\r\n354 go on\r\n")
        self.assertEqual(sent.proceed(), b"")
        self.assertTrue(sent.wants_content)
        self.assertEqual(sent.end(), b".\r\n")

    def test_one_at_a_time(self) -> None:
        """Without PIPELINING each command waits for the reply before it."""
        begun = session("8BITMIME")
        sent = transaction(begun, "a", "b")
        steps = [sent.begin()]
        for reply in (b"250 m\r\n", b"550 a\r\n", b"250 b\r\n"):
            begun.receive(reply)
            steps.append(sent.proceed())

        self.assertEqual(
            [step.split(b" ")[0].strip() for step in steps],
            [b"MAIL", b"RCPT", b"RCPT", b"DATA"],
        )

    def test_mail_refused(self) -> None:
        """A refused MAIL ends it at once."""
        begun = session("")
        sent = transaction(begun)
        sent.begin()
        begun.receive(b"550 no\r\n")

        self.assertEqual(sent.proceed(), b"")
        self.assertFalse(sent.wants_content)

    def test_content_for_nobody(self) -> None:
        """354 without a recipient gets an empty message."""
        begun = session("PIPELINING")
        sent = transaction(begun)
        sent.begin()
        begun.receive(b"250 m\r\n550 a\r\n354 go on\r\n")

        self.assertEqual(sent.proceed(), b".\r\n")

    def test_after_a_refusal(self) -> None:
        """RSET goes before the next MAIL where a transaction is left open."""
        for keywords, start in (
            ("PIPELINING", b"RSET\r\nMAIL FROM:"),
            ("", b"RSET\r\n"),
        ):
            begun = session(keywords)
            begun.state = State.ENVELOPE

            octets = transaction(begun).begin()

            self.assertTrue(octets.startswith(start), octets)

    def test_lmtp(self) -> None:
        """LMTP content waits for the replies to RCPT, whatever is offered."""
        begun = session(is_lmtp=True)
        sent = transaction(begun, "a", "b", "c")
        self.assertNotIn(b"BDAT", sent.begin(b"x\r\n"))
        begun.receive(b"250 m\r\n250 a\r\n550 b\r\n250 c\r\n")
        sent.proceed()
        self.assertEqual(sent.last_chunk(b"x\r\n"), b"BDAT 3 LAST\r\nx\r\n")
        begun.receive(b"250 a\r\n452 c\r\n")
        sent.collect()

        self.assertEqual([reply.code for reply in sent.final], [250, 452])
        self.assertEqual(list(begun.awaited), [])

    @given(
        st.lists(st.sampled_from([250, 450, 550]), min_size=1, max_size=5), st.data()
    )
    def test_replies_find_their_recipients(self, codes: list[int], data: Any) -> None:
        """However replies are cut, each comes to its recipient."""
        begun = session()
        sent = transaction(begun, *"abcde"[: len(codes)])
        sent.begin(b"x\r\n")
        wire = b"250 m\r\n"
        wire += b"".join(b"%d-%d\r\n%d r\r\n" % (c, i, c) for i, c in enumerate(codes))
        wire += b"250 end\r\n"
        cut = data.draw(st.integers(0, len(wire)))
        begun.receive(wire[:cut])
        sent.collect()
        begun.receive(wire[cut:])
        sent.collect()

        found = [(r.code, r.lines[0]) for r in sent.recipients if r is not None]
        self.assertEqual(found, [(code, str(i)) for i, code in enumerate(codes)])
        self.assertEqual(len(sent.final), 1)


class ParameterTests(SynchronousTestCase):
    def test_offered(self) -> None:
        """MAIL has every parameter that the server understands."""
        envelope = Envelope(
            "",
            [],
            size=1000,
            body_type="8BITMIME",
            smtputf8=True,
            dsn_return="HDRS",
            envelope_id="e+2B1",
            authenticated_sender="",
            requiretls=True,
        )

        self.assertEqual(
            mail_command(envelope, session()),
            "MAIL FROM:<> SIZE=1000 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS "
            "ENVID=e+2B1 AUTH=<>",
        )
        self.assertEqual(mail_command(envelope, session("HELP")), "MAIL FROM:<>")

    def test_recipient(self) -> None:
        """RCPT has NOTIFY and ORCPT only for servers that know DSN."""
        recipient = EnvelopeRecipient("a@x", ("NEVER",), "rfc822;o+2Bb@x")
        for keywords, text in (
            ("DSN", b"RCPT TO:<a@x> NOTIFY=NEVER ORCPT=rfc822;o+2Bb@x\r\n"),
            ("SIZE", b"RCPT TO:<a@x>\r\n"),
        ):
            begun = session(keywords + " PIPELINING")
            sent = ClientTransaction(begun, Envelope("", [recipient]))

            self.assertIn(text, sent.begin())

    def test_xtext(self) -> None:
        """Other octets than printing ASCII are written as +XX."""
        self.assertEqual(xtext("a+b=c d\xe9"), "a+2Bb+3Dc+20d+C3+A9")
