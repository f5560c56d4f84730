"""What OCSP staples do to deliveries, in real handshakes (Exim chapter 43)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from mta.expand.registry import Language
from mta.host import Host
from mta.log import DEFAULT_SELECTORS
from mta.recipient import Outcome, Result
from mta.testing import FakeHints, MemoryLogs
from tests.smtp.fake_server import KEYWORDS, FakeServer
from tests.tls.proofs import DAY, HOUR, REVOKED, UNKNOWN, Authority
from tests.transports.delivering import batch_of
from tests.transports.relaying import HOST_A, SENDER, smtp_transport
from tests.transports.test_smtp_link import TLSCase

NOW = datetime.now(UTC).replace(microsecond=0)
AUTHORITY = Authority(now=NOW)
MX = AUTHORITY.issue("mx.example")


@implementer(IOpenSSLServerConnectionCreator)
class Stapling:
    """A server's end of handshakes, with one staple or none for all of them."""

    def __init__(self, staple: bytes) -> None:
        self.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self.context.use_certificate(MX.certificate)
        self.context.use_privatekey(MX.key)
        self.context.set_ocsp_server_callback(lambda *_: staple)

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        return SSL.Connection(self.context, None)


class StaplingServer(Protocol):
    """Speaks for a FakeServer, and keeps what came in clear."""

    factory: Any
    transport: Any
    is_secure = False

    def connectionMade(self) -> None:
        self.factory.fake.begin()
        self.transport.write(b"220 fake\r\n")

    def dataReceived(self, data: bytes) -> None:
        if not self.is_secure:
            self.factory.in_clear.append(data)
        answer, is_over = self.factory.fake.feed(data)
        self.transport.write(answer)
        if data == b"STARTTLS\r\n" and answer.startswith(b"220"):
            self.is_secure = True
            self.transport.startTLS(Stapling(self.factory.staple))
        if is_over:
            self.transport.loseConnection()


class RealStapleTests(TestCase):
    """A transport that requires or requests, and a server with a staple."""

    def setUp(self) -> None:
        self.trusted = self.mktemp()
        with open(self.trusted, "wb") as file:
            file.write(AUTHORITY.holder.pem)
        self.hints = FakeHints()
        self.logs = MemoryLogs((*DEFAULT_SELECTORS, "tls_ocsp"))
        self.factories: list[Any] = []
        self.hosts: list[Host] = []
        self.serve("mx.example")

    def serve(self, name: str, staple: bytes = b"") -> Any:
        """Add a host, and return the factory of its server."""
        factory: Any = Factory.forProtocol(StaplingServer)
        factory.noisy = False
        factory.fake = FakeServer(("STARTTLS", *KEYWORDS), STARTTLS=b"220 go\r\n")
        factory.staple, factory.in_clear = staple, []
        listening: Any = reactor.listenTCP(  # type: ignore[attr-defined]
            0, factory, interface="127.0.0.1"
        )
        self.addCleanup(listening.stopListening)
        self.factories.append(factory)
        port = listening.getHost().port
        self.hosts.append(Host(name, "127.0.0.1", port, len(self.hosts)))
        return factory

    async def deliver(self, staple: bytes | None = None, **options: str) -> Outcome:
        """Deliver to the hosts, the first of which has a staple."""
        factory = self.factories[0]
        if staple is not None:
            factory.staple = staple
        options.setdefault("tls_verify_certificates", self.trusted)
        driver = smtp_transport(
            reactor, language=Language.load(), helo_data="me.example", **options
        )
        batch = batch_of(sender=SENDER, hosts=self.hosts)
        batch.hints = self.hints
        batch.context.site.logs = self.logs
        [outcome] = await driver.deliver(batch)
        await driver.close()
        self.assertNotIn(b"MAIL", b"".join(factory.in_clear))
        return outcome

    async def refused(self, staple: bytes, reason: str, **options: str) -> None:
        """Check that a host with a staple is deferred for a reason."""
        self.factories[0].fake.messages.clear()
        self.hints.failures.clear()

        outcome = await self.deliver(staple, **options)

        self.assertEqual((outcome.result, outcome.error), (Result.DEFERRED, -37))
        self.assertEqual(outcome.error_name, "tls_required")
        self.assertEqual(outcome.text, f"TLS session: (SSL_connect) {reason}")
        self.assertEqual(self.factories[0].fake.messages, [])
        [(key, facts)] = self.hints.failures
        self.assertTrue(key.startswith("T:mx.example:127.0.0.1"), key)
        self.assertEqual(facts["error_name"], "tls_required")

    async def test_required_and_good(self) -> None:
        """A good staple lets mail flow, and the log tells of it."""
        staple = AUTHORITY.respond(MX.certificate)

        outcome = await self.deliver(staple, hosts_require_ocsp="*")

        self.assertIs(outcome.result, Result.DELIVERED, outcome)
        self.assertEqual(outcome.log_fields[1:3], ["CV=yes", "OCSP=good"])

    async def test_required_and_not_good(self) -> None:
        """Each fault has its reason; the host waits, with and without other demands."""
        respond = AUTHORITY.respond
        reason = x509.ReasonFlags.key_compromise
        end = NOW - HOUR
        faults = {
            b"": "Required TLS certificate status not received "
            "(the certificate names no responder)",
            respond(MX.certificate, REVOKED, reason=reason): (
                "Server certificate revoked: keyCompromise"
            ),
            respond(MX.certificate, UNKNOWN): "Server certificate has unknown status",
            respond(MX.certificate, begin=NOW - DAY, end=end): (
                "Server certificate status is out-of-date: "
                f"at {end.strftime('%Y-%m-%d %H:%M:%S')} UTC"
            ),
            respond(MX.certificate, signer=Authority("Stranger").holder): (
                "Received TLS cert status response, itself unverifiable: "
                "its signer is not of the certificate's issuer"
            ),
        }
        for staple, text in faults.items():
            await self.refused(staple, text, hosts_require_ocsp="*")
        await self.refused(
            b"", faults[b""], hosts_require_ocsp="*", tls_tempfail_tryclear="true"
        )
        await self.refused(
            b"", faults[b""], hosts_require_ocsp="*", hosts_require_tls="*",
            tls_verify_hosts="*",
        )  # fmt: skip

    async def test_next_host(self) -> None:
        """Where one host proves nothing the next one is asked."""
        good = AUTHORITY.respond(MX.certificate)
        second = self.serve("mx2.example", good)

        outcome = await self.deliver(b"", hosts_require_ocsp="*")

        self.assertIs(outcome.result, Result.DELIVERED)
        self.assertEqual(len(second.fake.messages), 1)
        self.assertEqual(self.factories[0].fake.messages, [])

    async def test_no_tls(self) -> None:
        """Without STARTTLS there is no staple, and no message either."""
        fake = self.factories[0].fake
        for reply, reason in (
            (b"554 no\r\n", "an attempt to start TLS failed"),
            (b"454 later\r\n", "an attempt to start TLS failed"),
            (None, "the server did not offer TLS support"),
        ):
            fake.replies["STARTTLS"] = reply
            if reply is None:
                fake.keywords = KEYWORDS

            outcome = await self.deliver(b"", hosts_require_ocsp="*")

            self.assertEqual(outcome.error, -38)
            self.assertEqual(outcome.text, f"a TLS session is required, but {reason}")
        self.assertEqual(fake.messages, [])

    async def test_requested(self) -> None:
        """What was only requested is told and does not stop the mail."""
        respond = AUTHORITY.respond
        for staple, word, number in (
            (b"", "none", "1"),
            (respond(MX.certificate, UNKNOWN), "unknown", "3"),
            (
                respond(MX.certificate, begin=NOW - 2 * DAY, end=NOW - DAY),
                "expired",
                "3",
            ),
            (respond(MX.certificate), "good", "4"),
        ):
            outcome = await self.deliver(
                staple, tls_verify_hosts="*", headers_add="X-OCSP: $tls_out_ocsp"
            )

            self.assertEqual(outcome.log_fields[1:3], ["CV=yes", f"OCSP={word}"])
            content = self.factories[0].fake.messages[-1]
            self.assertIn(f"X-OCSP: {number}\r\n".encode(), content)
        self.assertEqual(
            [
                line.partition(" UTC")[0].partition(": at")[0]
                for line in self.logs.lines
            ],
            [
                "[127.0.0.1] mx.example Server certificate status unknown, "
                "in OCSP stapling",
                "[127.0.0.1] mx.example OCSP dates invalid",
            ],
        )

    async def test_revoked_and_requested(self) -> None:
        """A revoked certificate is not verified, whoever vouched for it."""
        staple = AUTHORITY.respond(MX.certificate, REVOKED)

        outcome = await self.deliver(staple)

        self.assertIs(outcome.result, Result.DELIVERED)
        self.assertEqual(outcome.log_fields[1:3], ["CV=no", "OCSP=revoked"])
        self.assertEqual(
            self.logs.lines,
            ["[127.0.0.1] mx.example Server certificate revoked; reason: none given"],
        )
        await self.refused(staple, "Server certificate revoked", tls_verify_hosts="*")

    async def test_not_asked(self) -> None:
        """Hosts that are not asked are not judged."""
        staple = AUTHORITY.respond(MX.certificate, REVOKED)

        outcome = await self.deliver(
            staple, hosts_request_ocsp="", headers_add="X-OCSP: $tls_out_ocsp"
        )

        self.assertEqual(outcome.log_fields[1], "CV=yes")
        self.assertFalse(outcome.log_fields[2].startswith("OCSP"))
        self.assertIn(b"X-OCSP: 0\r\n", self.factories[0].fake.messages[0])

    async def test_selector(self) -> None:
        """Without its selector the field is not there."""
        self.logs.selectors = DEFAULT_SELECTORS

        outcome = await self.deliver(AUTHORITY.respond(MX.certificate))

        self.assertNotIn("OCSP=good", outcome.log_fields)


class UnreadableStapleTests(TLSCase):
    """Servers whose staple OpenSSL cannot read, so that it ends the handshake."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.network.on_tls = self.stumble
        self.logs.selectors = frozenset((*DEFAULT_SELECTORS, "tls_ocsp"))

    def stumble(self, transport: Any, creator: Any) -> None:
        """Fail where a staple was asked for."""
        self.asked.append(creator.policy.staple.name)
        if creator.policy.staple.name == "UNWANTED":
            transport.protocol.handshakeCompleted()
            return
        parts = [
            ("asn1 encoding routines", "", "too long"),
            ("SSL routines", "", "tlsv1 bad certificate status response"),
        ]
        self.network.clock.callLater(0, transport.lose, SSL.Error(parts))

    def test_requested(self) -> None:
        """One more connection is made, and no staple asked for on it."""
        self.transport(language=Language.load(), headers_add="X-OCSP: $tls_out_ocsp")

        outcome = self.one()

        self.assert_delivered(outcome)
        self.assertEqual(self.asked, ["REQUEST", "UNWANTED"])
        self.assertEqual(self.a.connections, 2)
        self.assertIn("OCSP=unreadable", outcome.log_fields)
        self.assertIn(b"X-OCSP: 3\r\n", self.a.messages[0])
        self.assertEqual(self.hints.failures, [])
        self.assertIn(
            "[192.0.2.1] a.example Received TLS cert status response, parse error: "
            "it is not asked for again",
            self.logs.lines,
        )

    def test_kept_connection(self) -> None:
        """The next message uses the connection that was made so."""
        self.one()

        self.assertTrue(self.one().reused_connection)

        self.assertEqual(self.asked, ["REQUEST", "UNWANTED"])

    def test_once(self) -> None:
        """A server that fails then, too, is not asked a third time."""

        def fail(transport: Any, creator: Any) -> None:
            self.asked.append(creator.policy.staple.name)
            error = SSL.Error([("SSL routines", "", "bad certificate status response")])
            self.network.clock.callLater(0, transport.lose, error)

        self.network.on_tls = fail
        self.transport(hosts_require_tls="*")

        outcome = self.one(hosts=(HOST_A,))

        self.assertEqual((outcome.result, outcome.error), (Result.DEFERRED, -37))
        self.assertEqual(self.asked, ["REQUEST", "UNWANTED"])

    def test_required(self) -> None:
        """Where it is required it ends the attempt, with its own reason."""
        self.transport(hosts_require_ocsp="*")

        outcome = self.one(hosts=(HOST_A,))

        self.assert_deferred(
            outcome,
            -37,
            "TLS session: (SSL_connect) Received TLS cert status response, parse error",
        )
        self.assertEqual(self.asked, ["REQUIRE"])
