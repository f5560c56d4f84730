"""Whatever a client says, however it is cut, and however long decisions take."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.reception.serving import PretendedTLS, Server

WORDS = [
    b"EHLO c.example\r\n", b"HELO c\r\n", b"MAIL FROM:<a@c.example>\r\n",
    b"MAIL FROM:<> SIZE=9\r\n", b"RCPT TO:<b@mx.example>\r\n",
    b"RCPT TO:<refused@mx.example>\r\n", b"DATA\r\n", b"BDAT 4\r\nA:b\n",
    b"BDAT 4\r\nA: b", b"BDAT 0 LAST\r\n", b"BDAT 6 LAST\r\nx\r\n\r\n\r", b"RSET\r\n",
    b"NOOP\r\n", b"QUIT\r\n", b"STARTTLS\r\n", b"AUTH PLAIN\r\n", b".\r\n", b"A: b\r\n",
    b"\r\n", b"..\r\n", b"VRFY x\r\n", b"ETRN #x\r\n", b"HELP\r\n", b"XX\r\n", b"\n",
    b"\r", b"\0", b"x" * 300 + b"\r\n",
]  # fmt: skip
ACLS = "slow:\n  accept delay = 1s"
OPTIONS = """acl_smtp_mail = slow
smtp_enforce_sync = false
smtp_max_synprot_errors = 99
smtp_max_unknown_commands = 99"""


class AnyDialogueTests(SynchronousTestCase):
    """A client that says anything, and then hangs up."""

    @settings(max_examples=100, deadline=None)
    @given(
        words=st.lists(st.sampled_from(WORDS), max_size=20),
        size=st.sampled_from([1, 7, 50, 1000]),
        delay=st.sampled_from([None, 2]),
        handshake=st.booleans(),
    )
    def test_any(
        self, words: list[bytes], size: int, delay: float | None, handshake: bool
    ) -> None:
        """It gets replies, its messages are canonical, and nothing is left of it."""
        server = Server(OPTIONS, ACLS, tls=PretendedTLS())
        server.store.delay = delay
        client = server.connect()
        octets = b"".join([*WORDS[:1], *words])

        for start in range(0, len(octets), size):
            client.send(octets[start : start + size])
            server.clock.advance(0.5)
            if handshake and client.protocol._is_handshaking:
                client.protocol.handshakeCompleted()
        server.clock.pump([1] * 5)
        said = client.transport.take()
        client.hang_up()
        server.clock.pump([1] * 30)

        self.assertEqual([], server.panics)
        self.assertTrue(all(line[:3].isdigit() for line in said.splitlines()), said)
        self.assertEqual(0, server.connections.count)
        self.assertEqual([], server.clock.getDelayedCalls())
        kept = [body for body in server.store.bodies if not body.is_abandoned]
        self.assertEqual(len(server.store.messages), len(kept))
        for message in server.store.messages:
            content = message.header.content + (message.body.inline or b"")
            ends = {content.count(end) for end in (b"\r", b"\n", b"\r\n")}
            self.assertEqual(1, len(ends), content)
