"""The certificates of hosts, in real handshakes (Exim chapter 43)."""

from __future__ import annotations

from typing import Any

import trustme
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from mta.host import Host
from mta.recipient import Outcome, Result
from mta.testing import FakeHints, MemoryLogs
from mta.tls.server import ServerTLS, server_context
from tests.smtp.fake_server import KEYWORDS, FakeServer
from tests.transports.delivering import batch_of
from tests.transports.relaying import SENDER, smtp_transport


class _ServerProtocol(Protocol):
    def connectionMade(self) -> None:
        self.factory.fake.begin()  # type: ignore[union-attr]
        self.transport.write(b"220 fake\r\n")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        fake, transport = self.factory.fake, self.transport  # type: ignore
        answer, is_over = fake.feed(data)
        transport.write(answer)
        if data == b"STARTTLS\r\n":
            transport.startTLS(self.factory.tls)  # type: ignore[union-attr]
        if is_over:
            transport.loseConnection()


class RealHandshakeTests(TestCase):
    """A transport and a server on the loopback, with real certificates."""

    def setUp(self) -> None:
        self.authority = trustme.CA()
        self.trusted = self.mktemp()
        self.authority.cert_pem.write_to_path(self.trusted)
        self.factory: Any = Factory.forProtocol(_ServerProtocol)
        self.factory.noisy = False
        self.factory.fake = FakeServer(("STARTTLS", *KEYWORDS), STARTTLS=b"220 go\r\n")
        listening: Any = reactor.listenTCP(  # type: ignore[attr-defined]
            0, self.factory, interface="127.0.0.1"
        )
        self.addCleanup(listening.stopListening)
        self.host = Host("mx.example", "127.0.0.1", listening.getHost().port)

    async def deliver(self, name: str, **options: str) -> Outcome:
        """Deliver to a server whose certificate is for a name."""
        context = server_context()
        self.authority.issue_cert(name).configure_cert(context)
        self.factory.tls = ServerTLS(context)
        driver = smtp_transport(reactor, helo_data="me.example", **options)
        batch = batch_of(sender=SENDER, hosts=[self.host])
        batch.hints = FakeHints()
        batch.context.site.logs = MemoryLogs()
        [outcome] = await driver.deliver(batch)
        await driver.close()
        return outcome

    async def test_opportunistic(self) -> None:
        """A certificate of strangers encrypts, though it is not verified."""
        outcome = await self.deliver("mx.example")

        self.assertIs(outcome.result, Result.DELIVERED)
        self.assertTrue(outcome.log_fields[0].startswith("X=TLS1.3:"), outcome)
        self.assertEqual(outcome.log_fields[1], "CV=no")

    async def test_verified(self) -> None:
        """A trusted one for the name of the host counts as verified."""
        options = {"tls_verify_certificates": self.trusted, "tls_verify_hosts": "*"}

        outcome = await self.deliver("mx.example", **options)

        self.assertIs(outcome.result, Result.DELIVERED)
        self.assertEqual(outcome.log_fields[1], "CV=yes")

    async def test_untrusted(self) -> None:
        """What must be verified and is not gets nothing."""
        outcome = await self.deliver("mx.example", tls_verify_hosts="*")

        self.assertEqual((outcome.result, outcome.error), (Result.DEFERRED, -37))
        self.assertEqual(
            outcome.text,
            "TLS session: (SSL_connect): certificate verification failed: "
            "unable to get local issuer certificate",
        )
        self.assertEqual(self.factory.fake.messages, [])

    async def test_other_name(self) -> None:
        """So does one whose certificate is for another name."""
        options = {"tls_verify_certificates": self.trusted, "tls_verify_hosts": "*"}

        outcome = await self.deliver("other.example", **options)

        self.assertEqual(outcome.text, "TLS session: certificate name mismatch")
        self.assertEqual(self.factory.fake.messages, [])

    async def test_other_name_unchecked(self) -> None:
        """Hosts outside tls_verify_cert_hostnames may have any name."""
        outcome = await self.deliver(
            "other.example",
            tls_verify_certificates=self.trusted,
            tls_verify_hosts="*",
            tls_verify_cert_hostnames="",
        )

        self.assertEqual(outcome.log_fields[1], "CV=yes")
