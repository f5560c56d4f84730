"""Certificates that name revocation lists, in real handshakes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase

from mta.host import Host
from mta.recipient import Outcome, Result
from mta.testing import FakeHints, MemoryLogs
from mta.tls.server import ServerTLS, server_context
from mta.transports.smtp import SMTPTransport
from tests.smtp.fake_server import KEYWORDS, FakeServer
from tests.tls.lists import issue, point, revocation_list
from tests.tls.proofs import Authority, Holder
from tests.transports.delivering import batch_of
from tests.transports.relaying import SENDER, smtp_transport
from tests.transports.test_smtp_certificates import _ServerProtocol

NOW = datetime.now(UTC).replace(microsecond=0)


class _Web(Protocol):
    def dataReceived(self, data: bytes) -> None:
        factory: Any = self.factory
        factory.asked.append(data.split()[1].decode())
        content: bytes = factory.content
        transport: Any = self.transport
        if content:
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n"
            transport.write(head.encode() + content)
        else:
            transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        transport.loseConnection()


class FetchedListTests(TestCase):
    """A host's certificate, and a web server that has the list it names."""

    authority: Authority

    @classmethod
    def setUpClass(cls) -> None:
        cls.authority = Authority(now=NOW)

    def setUp(self) -> None:
        self.trusted = self.mktemp()
        Path(self.trusted).write_bytes(self.authority.holder.pem)
        self.web: Any = self.listen(_Web)
        self.web.asked, self.web.content = [], b""
        self.smtp: Any = self.listen(_ServerProtocol)
        self.smtp.fake = FakeServer(("STARTTLS", *KEYWORDS), STARTTLS=b"220 go\r\n")
        self.host = Host("mx.example", "127.0.0.1", self.smtp.port)
        self.pool = ThreadPool(0, 2)
        self.pool.start()
        self.addCleanup(self.pool.stop)
        self.spool = self.mktemp()
        Path(self.spool).mkdir()
        self.logs = MemoryLogs()
        self.url = f"http://127.0.0.1:{self.web.port}/list.crl"
        self.present(issue(self.authority, point(self.url)))

    def listen(self, protocol: type[Protocol]) -> Any:
        """Return the factory of a server on the loopback."""
        factory: Any = Factory.forProtocol(protocol)
        factory.noisy = False
        listening: Any = reactor
        port = listening.listenTCP(0, factory, interface="127.0.0.1")
        factory.port = port.getHost().port
        self.addCleanup(port.stopListening)
        return factory

    def present(self, holder: Holder) -> None:
        """Let the host have a certificate from now on."""
        context = server_context()
        context.use_certificate(holder.certificate)
        context.use_privatekey(holder.key)
        self.smtp.tls = ServerTLS(context)
        self.certificate = holder.certificate

    def revoke(self, *certificates: x509.Certificate) -> None:
        """Let the web server have a list."""
        self.web.content = revocation_list(self.authority, *certificates)

    def transport(self, **options: str) -> SMTPTransport:
        """Return a transport that fetches lists."""
        standard = {
            "helo_data": "me.example",
            "tls_verify_certificates": self.trusted,
            "tls_crl_fetch": "true",
        }
        driver = smtp_transport(reactor, **{**standard, **options})
        driver.attach(reactor=reactor, thread_pool=self.pool)
        return driver

    async def deliver(self, **options: str) -> Outcome:
        """Deliver a message with a transport of its own."""
        driver = self.transport(**options)
        batch = batch_of(sender=SENDER, hosts=[self.host])
        batch.hints = FakeHints()
        batch.context.site.logs = self.logs
        batch.context.site.spool_directory = self.spool
        [outcome] = await driver.deliver(batch)
        await driver.close()
        return outcome

    def kept(self) -> list[Path]:
        """Return the files of lists."""
        return list(Path(self.spool, "crl").iterdir())

    def assert_delivered(self, outcome: Outcome, verified: str) -> None:
        """Check that the host took the message, and what is said of its certificate."""
        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertEqual(outcome.log_fields[1], f"CV={verified}")

    async def test_good(self) -> None:
        """A certificate that is not on its list is verified."""
        self.revoke()

        self.assert_delivered(await self.deliver(tls_verify_hosts="*"), "yes")

        self.assertEqual(["/list.crl"], self.web.asked)

    async def test_revoked(self) -> None:
        """One that is on it is not; who insists on verification sends nothing."""
        self.revoke(self.certificate)

        self.assert_delivered(await self.deliver(), "no")
        outcome = await self.deliver(tls_verify_hosts="*")

        self.assertIn(
            "SSL verify error: the certificate is revoked", self.logs.lines[0]
        )
        self.assertEqual((outcome.result, outcome.error), (Result.DEFERRED, -37))
        self.assertIn("the certificate is revoked: at 20", outcome.text)
        self.assertEqual(1, len(self.smtp.fake.messages))

    async def test_kept(self) -> None:
        """The list is kept below the spool for the next process."""
        self.revoke(self.certificate)

        await self.deliver()
        self.assert_delivered(await self.deliver(), "no")

        self.assertEqual(1, len(self.web.asked))
        self.assertEqual(1, len(self.kept()))

    async def test_unavailable(self) -> None:
        """That there is no list is no reason to send nothing."""
        outcome = await self.deliver(tls_verify_hosts="*")

        self.assert_delivered(outcome, "yes")
        self.assertEqual(["/list.crl"], self.web.asked)

    async def test_off(self) -> None:
        """Nothing is fetched unless the option says so."""
        self.revoke(self.certificate)

        outcome = await self.deliver(tls_crl_fetch="false")

        self.assert_delivered(outcome, "yes")
        self.assertEqual([], self.web.asked)

    async def test_responder(self) -> None:
        """Nor for a certificate that has a responder: there OCSP is the way."""
        self.present(
            issue(self.authority, point(self.url), responder="http://127.0.0.1:1/")
        )

        self.assert_delivered(await self.deliver(), "yes")

        self.assertEqual([], self.web.asked)

    async def test_untrusted(self) -> None:
        """Nor for one of strangers, who may not say what we connect to."""
        stranger = Authority("Stranger", now=NOW)
        self.present(issue(stranger, point(self.url)))

        self.assert_delivered(await self.deliver(), "no")

        self.assertEqual([], self.web.asked)

    async def test_other_name(self) -> None:
        """Nor for one that is not the host's."""
        self.present(issue(self.authority, point(self.url), host_name="other.example"))

        self.assert_delivered(await self.deliver(), "no")

        self.assertEqual([], self.web.asked)

    async def test_nobody_looks(self) -> None:
        """Nor where certificates are of no interest."""
        options = {"tls_try_verify_hosts": "! *", "tls_verify_hosts": "! *"}

        self.assert_delivered(await self.deliver(**options), "no")

        self.assertEqual([], self.web.asked)
