"""The example of a program that sends mail, as its readers run it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.smtp.fake_server import KEYWORDS, FakeServer
from tests.tls.proofs import REVOKED, Authority
from tests.transports import test_smtp_staples as stapling

CHECKOUT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = CHECKOUT / "docs" / "examples" / "send.py"
NOW = datetime.now(UTC).replace(microsecond=0)


class _Run(ProcessProtocol):
    """Gives a program a message; ``ended`` gives status, output and errors."""

    def __init__(self) -> None:
        self.output, self.errors = b"", b""
        self.ended: Deferred[tuple[int, str, str]] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"Subject: hello\n\n.hello\n")
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self.output += data

    def errReceived(self, data: bytes) -> None:
        self.errors += data

    def processEnded(self, reason: Failure) -> None:
        status = 0 if reason.check(ProcessDone) else reason.value.exitCode  # type: ignore[union-attr]
        self.ended.callback((status, self.output.decode(), self.errors.decode()))


class SendTests(TestCase):
    """A host that staples, and the example."""

    def setUp(self) -> None:
        self.trusted = os.path.abspath(self.mktemp())
        self.trust(stapling.AUTHORITY)
        self.factory: Any = Factory.forProtocol(stapling.StaplingServer)
        self.factory.noisy = False
        self.fake = FakeServer(("STARTTLS", *KEYWORDS), STARTTLS=b"220 go\r\n")
        self.factory.fake, self.factory.in_clear = self.fake, []
        self.factory.staple = stapling.AUTHORITY.respond(stapling.MX.certificate)
        listening: Any = reactor
        port = listening.listenTCP(0, self.factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.port = str(port.getHost().port)

    def trust(self, authority: Authority) -> None:
        """Let the example trust an authority alone."""
        Path(self.trusted).write_bytes(authority.holder.pem)

    async def send(self, name: str = "mx.example") -> tuple[int, str, str]:
        """Run the example and return its status, output and errors."""
        run = _Run()
        words = ["127.0.0.1", self.port, name, "me@client.example", "you@mx.example"]
        starting: Any = reactor
        starting.spawnProcess(
            run,
            sys.executable,
            [sys.executable, str(EXAMPLE), *words, self.trusted],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        return await run.ended

    async def test_sent(self) -> None:
        """A host that proves all gets the message, dots and all."""
        status, output, errors = await self.send()

        self.assertEqual((status, errors), (0, ""))
        first, recipient, message = output.splitlines()
        self.assertRegex(first, r"TLS1\.3:\S+, certificate verified, OCSP good")
        self.assertEqual(recipient, "you@mx.example: 250 ok")
        self.assertEqual(message, "message: 250 OK id=1")
        self.assertEqual(self.fake.messages, [b"Subject: hello\r\n\r\n.hello\r\n"])

    async def check_unsent(self, reason: str, name: str = "mx.example") -> None:
        """Check that nothing is sent, for a reason."""
        status, output, errors = await self.send(name)

        self.assertNotEqual(status, 0)
        self.assertEqual(output, "")
        self.assertIn(f"not sent: {reason}", errors)
        self.assertEqual(self.fake.messages, [])
        self.assertNotIn(b"MAIL", b"".join(self.factory.in_clear))

    async def test_revoked(self) -> None:
        """One whose certificate is revoked gets nothing."""
        self.factory.staple = stapling.AUTHORITY.respond(
            stapling.MX.certificate, REVOKED
        )

        await self.check_unsent("(SSL_connect) Server certificate revoked")

    async def test_other_name(self) -> None:
        """Nor one that is another host."""
        await self.check_unsent("certificate name mismatch", "other.example")

    async def test_no_tls(self) -> None:
        """Nor one without TLS."""
        self.fake.keywords = KEYWORDS

        await self.check_unsent("the host offers no TLS")

    async def test_untrusted(self) -> None:
        """Nor one for which nobody trusted vouches."""
        self.trust(Authority("Stranger", now=NOW))

        await self.check_unsent("(SSL_connect): certificate verification failed")
