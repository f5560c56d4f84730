"""Connections and TLS with hosts (Exim chapters 30 and 43)."""

from __future__ import annotations

from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from mta.host import Host
from mta.recipient import Outcome, Result
from mta.testing import FakeHints, MemoryLogs
from mta.tls.server import ServerTLS, server_context
from tests.smtp.fake_server import KEYWORDS, FakeServer
from tests.transports.delivering import batch_of
from tests.transports.relaying import (
    HOST_A,
    HOST_B,
    RETRY_A,
    SENDER,
    RelayCase,
    smtp_transport,
)

REQUIRED = "a TLS session is required, but "
MODES = {
    "required": {"hosts_require_tls": "*"},
    "tried": {},
    "strict": {"tls_tempfail_tryclear": "false"},
}


class FakeHandle:
    """What OpenSSL's connection shows where no certificate came."""

    def get_peer_certificate(self, as_cryptography: bool = False) -> None:
        return None

    def get_protocol_version_name(self) -> str:
        return "TLSv1.3"

    def get_cipher_name(self) -> str:
        return "TLS_AES_256_GCM_SHA384"

    def get_cipher_bits(self) -> int:
        return 256


class TLSCase(RelayCase):
    """A host that offers STARTTLS and a handshake that does what a test says."""

    def setUp(self) -> None:
        super().setUp()
        self.a.keywords = ("STARTTLS", *KEYWORDS)
        self.a.replies["STARTTLS"] = b"220 go\r\n"
        self.network.on_tls = self.succeed
        self.network.tls_handle = FakeHandle()

    def succeed(self, transport: Any, creator: Any) -> None:
        """Let a handshake succeed."""
        transport.protocol.handshakeCompleted()

    def break_off(self, transport: Any, creator: Any) -> None:
        """Let a handshake fail."""
        problem = SSL.Error([("SSL routines", "", "no shared cipher")])
        self.network.clock.callLater(0, transport.lose, problem)

    def each(self) -> dict[str, Outcome]:
        """Deliver to the host in each mode and return the outcomes."""
        found = {}
        for mode, options in MODES.items():
            self.transport(**options)
            found[mode] = self.one(hosts=(HOST_A,))
        return found

    @property
    def is_encrypted(self) -> bool:
        """True where the last connection is."""
        return self.network.connections[-1].tls is not None


class StartTLSTests(TLSCase):
    def test_success(self) -> None:
        """EHLO comes again inside TLS, and the log line tells of the cipher."""
        outcome = self.one()

        self.assert_delivered(outcome)
        self.assertEqual(
            outcome.log_fields[:2], ["X=TLS1.3:TLS_AES_256_GCM_SHA384:256", "CV=no"]
        )
        hello = "EHLO mx.example"
        self.assertEqual(self.a.commands[:3], [hello, "STARTTLS", hello])

    def test_not_offered(self) -> None:
        """Without the offer, only a host that must have TLS is not used."""
        self.a.keywords = KEYWORDS

        found = self.each()

        text = REQUIRED + "the server did not offer TLS support"
        self.assert_deferred(found["required"], -38, text)
        self.assertEqual(found["required"].error_name, "tls_required")
        self.assertEqual(self.failed_keys, [RETRY_A])
        self.assert_delivered(found["tried"])
        self.assert_delivered(found["strict"])

    def test_refused(self) -> None:
        """5xx to STARTTLS: the same connection goes on in clear, or not at all."""
        self.a.replies["STARTTLS"] = b"554 no\r\n"

        found = self.each()

        text = REQUIRED + "an attempt to start TLS failed"
        self.assert_deferred(found["required"], -38, text)
        self.assert_delivered(found["tried"])
        self.assert_delivered(found["strict"])
        self.assertEqual(self.a.connections, 3)

    def test_temporarily_refused(self) -> None:
        """4xx to STARTTLS: in clear only with tls_tempfail_tryclear."""
        self.a.replies["STARTTLS"] = b"454 not now\r\n"

        found = self.each()

        text = REQUIRED + "an attempt to start TLS failed"
        self.assert_deferred(found["required"], -38, text)
        self.assert_delivered(found["tried"])
        self.assertIs(found["strict"].result, Result.DEFERRED)
        self.assertEqual(self.failed_keys, [RETRY_A, RETRY_A])

    def test_failed_handshake(self) -> None:
        """A failed handshake: another connection in clear, or the next host."""
        self.network.on_tls = self.break_off

        found = self.each()

        text = "TLS session: (SSL_connect): SSL routines: no shared cipher"
        self.assert_deferred(found["required"], -37, text)
        self.assert_deferred(found["strict"], -37, text)
        self.assert_delivered(found["tried"])
        self.assertEqual(found["tried"].log_fields[0], "K")
        self.assertIn(
            f"{text}: delivering unencrypted to H=a.example [192.0.2.1] "
            "(not in hosts_require_tls)",
            self.logs.lines,
        )
        self.assertEqual(self.a.connections, 4)

    def test_failed_handshake_and_another_host(self) -> None:
        """TLS that is required and fails leads to the next host."""
        self.network.on_tls = self.break_off
        self.transport(hosts_require_tls="192.0.2.1")

        self.assert_delivered(self.one(), HOST_B)

        self.assertEqual(self.failed_keys, [RETRY_A])

    def test_clear_text_after_the_reply(self) -> None:
        """What comes in clear after the 220 is a failed handshake."""
        self.a.replies["STARTTLS"] = b"220 go\r\n250-injected\r\n250 PIPELINING\r\n"

        found = self.each()

        text = "TLS session: synch error before connect"
        self.assert_deferred(found["required"], -37, text)
        self.assert_deferred(found["strict"], -37, text)
        self.assert_delivered(found["tried"])
        self.assertFalse(self.is_encrypted)

    def test_handshake_without_end(self) -> None:
        """A handshake has the time of a command."""
        self.network.on_tls = lambda transport, creator: None
        self.transport(hosts_require_tls="*", command_timeout="1m")

        outcome = self.one(hosts=(HOST_A,), seconds=60)

        text = "TLS session: (SSL_connect): timed out"
        self.assert_deferred(outcome, -37, text)

    def test_avoided(self) -> None:
        """Hosts in hosts_avoid_tls are spoken to in clear."""
        self.transport(hosts_avoid_tls="192.0.2.1")

        self.assert_delivered(self.one())

        self.assertNotIn("STARTTLS", self.a.commands)

    def test_verification_fails(self) -> None:
        """Other than Exim, what must be verified never goes in clear."""
        self.transport(tls_verify_hosts="192.0.2.1")

        self.assert_delivered(self.one(), HOST_B)

        self.assertEqual(self.a.messages, [])
        self.assertEqual(self.a.connections, 1)
        self.assertEqual(
            self.logs.lines,
            ["H=a.example [192.0.2.1]: TLS session: no certificate"],
        )

    def test_neither_list(self) -> None:
        """With both lists empty, verification is demanded of every host."""
        self.transport(tls_try_verify_hosts="")

        outcome = self.one(hosts=(HOST_A,))

        self.assert_deferred(outcome, -37, "TLS session: no certificate")

    def test_trusted_certificates_missing(self) -> None:
        """Where nothing can be verified, the host is not sent to in clear."""
        self.transport(tls_verify_certificates="/nowhere/ca.pem", tls_verify_hosts="*")

        outcome = self.one(hosts=(HOST_A,))

        self.assertEqual((outcome.result, outcome.error), (Result.DEFERRED, -37))
        self.assertEqual(self.a.messages, [])

    def test_on_connect(self) -> None:
        """smtps begins with TLS, on its own port."""
        server = self.serve(HOST_A, FakeServer(), 465)
        self.network.on_tls = self.succeed
        self.transport(protocol="smtps")

        self.assert_delivered(self.one())

        self.assertNotIn("STARTTLS", server.commands)
        self.assertTrue(self.is_encrypted)

    def test_on_connect_fails(self) -> None:
        """smtps never goes in clear."""
        self.serve(HOST_A, FakeServer(), 465)
        self.network.on_tls = self.break_off
        self.transport(protocol="smtps")

        outcome = self.one(hosts=(HOST_A,))

        self.assertEqual((outcome.result, outcome.error), (Result.DEFERRED, -37))

    def test_policies_do_not_share(self) -> None:
        """A connection in clear is not used for what demands TLS."""
        self.network.on_tls = self.break_off
        self.one(hosts=(HOST_A,))
        self.network.on_tls = self.succeed

        self.one(hosts=(HOST_A,))

        self.assertTrue(self.is_encrypted)


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
