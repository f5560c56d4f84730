"""Connections and TLS with hosts (Exim chapters 30 and 43)."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from mta.expand.registry import Language
from mta.recipient import Outcome, Result
from tests.smtp.fake_server import KEYWORDS, FakeServer
from tests.transports.relaying import HOST_A, HOST_B, RETRY_A, RelayCase

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

    def test_one_message(self) -> None:
        """A host in hosts_nopass_tls gets each message on another connection."""
        for listed, reused in (("*", False), ("192.0.2.9", True)):
            self.transport(hosts_nopass_tls=listed)
            self.assertFalse(self.one().reused_connection)
            self.assertIs(self.one().reused_connection, reused)

    def test_one_message_in_clear(self) -> None:
        """hosts_nopass_tls does not mean connections without TLS."""
        self.a.keywords = KEYWORDS
        self.transport(hosts_nopass_tls="*")
        self.one()

        self.assertTrue(self.one().reused_connection)

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

    def test_verdict_of_an_injection(self) -> None:
        """What came in clear after the 220 is what the verdict tells."""
        self.a.replies["STARTTLS"] = b"220 go\r\n250-injected\r\n"
        self.transport(hosts_require_tls="*")
        self.logs.selectors = frozenset((*self.logs.selectors, "tls_verdict"))

        outcome = self.one(hosts=(HOST_A,))

        start = 'TLSV="tls=no! (synch error before connect)'
        self.assertTrue(
            any(field.startswith(start) for field in outcome.log_fields), outcome
        )

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

    def test_verification_impossible(self) -> None:
        """tls_verify_hosts demands no TLS, but going without it is in the log."""
        self.a.replies["STARTTLS"] = b"554 no\r\n"
        for keywords in (KEYWORDS, ("STARTTLS", *KEYWORDS)):
            self.a.keywords = keywords
            self.transport(tls_verify_hosts="192.0.2.1")

            self.assert_delivered(self.one(hosts=(HOST_A,)))

            self.assertEqual(
                self.logs.lines.pop(),
                "TLS could not be begun: delivering unencrypted to "
                "H=a.example [192.0.2.1] (not in hosts_require_tls)",
            )

    def test_hope_without_verification(self) -> None:
        """Nothing is logged of a host in clear of which nothing is demanded."""
        self.a.keywords = KEYWORDS

        self.assert_delivered(self.one(hosts=(HOST_A,)))

        self.assertEqual(self.logs.lines, [])

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

    def test_unusable_files(self) -> None:
        """Files of ours that cannot be used are no reason to send in clear."""
        for option in ("tls_verify_certificates", "tls_crl", "tls_certificate"):
            self.transport(**{option: "/nowhere/file"})

            outcome = self.one(hosts=(HOST_A,))

            self.assertEqual((outcome.result, outcome.error), (Result.DEFERRED, -37))
            self.assertRegex(
                outcome.text, r"\ATLS session: \S.*/nowhere/file.*: No such"
            )
            self.assertEqual(outcome.report_text, "TLS currently unavailable")
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


class VariablesTests(TLSCase):
    """What options see of the session that the content goes out on."""

    def setUp(self) -> None:
        super().setUp()
        text = "X-To: $host <$tls_out_cipher>"
        self.transport(language=Language.load(), headers_add=text)

    def test_cipher(self) -> None:
        """$tls_out_cipher is the session's, $host the host's."""
        self.assert_delivered(self.one())

        expected = b"X-To: a.example <TLS1.3:TLS_AES_256_GCM_SHA384:256>\r\n"
        self.assertIn(expected, self.a.messages[0])
        self.assertIn(f"SIZE={len(self.a.messages[0]) + 1024}", self.a.commands[3])

    def test_next_host(self) -> None:
        """At the next host they are that host's."""
        self.a.replies["MAIL"] = b"450 later\r\n"

        self.assert_delivered(self.one(), HOST_B)

        self.assertIn(b"X-To: b.example <>\r\n", self.b.messages[0])

    def test_kept_connection(self) -> None:
        """On a connection kept from an earlier message they are what they were."""
        self.one()
        self.one()

        self.assertEqual(self.a.connections, 1)
        self.assertEqual(self.a.messages[0], self.a.messages[1])

    def test_error(self) -> None:
        """What cannot be expanded defers, and the connection is kept."""
        self.transport(language=Language.load(), headers_add="X: ${if >{a}{1}{b}}")

        outcome = self.one()

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertEqual(self.a.messages, [])
