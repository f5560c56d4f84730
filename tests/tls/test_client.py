"""TLS as a client: what handshakes show of real certificates."""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.connection import TLSFacts
from mta.errors import TemporaryFailure
from mta.tls.client import ClientTLS, ClientTLSSession
from mta.tls.client_context import ClientContexts
from mta.tls.policy import ClientTLSPolicy, Staple, Verify
from tests.tls.proofs import SHA256, Authority, Holder

AUTHORITY = trustme.CA()
STRANGER = trustme.CA()
NAMES: list[bytes] = []


def server_side(authority: trustme.CA, *names: str) -> SSL.Connection:
    """Return a server's end with a certificate for some names."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    authority.issue_cert(*names).configure_cert(context)
    context.set_tlsext_servername_callback(
        lambda connection: NAMES.append(connection.get_servername() or b"")
    )
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


def shake_hands(client: SSL.Connection, server: SSL.Connection) -> None:
    """Let both ends negotiate; raises SSL.Error where one refuses."""
    client.set_connect_state()
    for _ in range(10):
        for end, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                end.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(end.bio_read(1 << 16))


class HandshakeCase(SynchronousTestCase):
    def setUp(self) -> None:
        descriptor, self.trusted = tempfile.mkstemp()
        os.close(descriptor)
        self.addCleanup(os.unlink, self.trusted)
        AUTHORITY.cert_pem.write_to_path(self.trusted)
        self.tls = ClientTLS()
        NAMES.clear()

    def session(self, **facts: Any) -> ClientTLSSession:
        """Return a session that trusts the authority, and no one else."""
        facts.setdefault("name", "mx.example")
        return self.tls.session(ClientTLSPolicy(certificates=self.trusted, **facts))

    def negotiate(
        self, session: ClientTLSSession, authority: trustme.CA, *names: str
    ) -> TLSFacts:
        """Return what a handshake shows."""
        connection = session.clientConnectionForTLS(None)
        # What Twisted does with it.
        connection.set_app_data(object())
        shake_hands(connection, server_side(authority, *names))
        return session.facts(connection)


class VerificationTests(HandshakeCase):
    def test_good(self) -> None:
        """A certificate of a trusted authority for the name is verified."""
        for verify in (Verify.TRY, Verify.REQUIRE):
            session = self.session(verify=verify)

            facts = self.negotiate(session, AUTHORITY, "mx.example")

            self.assertTrue(facts.verified)
            self.assertFalse(session.is_refused)
            self.assertEqual(session.problem, "")

    def test_stranger(self) -> None:
        """One of another authority is not, though the session may go on."""
        session = self.session(verify=Verify.TRY)

        facts = self.negotiate(session, STRANGER, "mx.example")

        self.assertFalse(facts.verified)
        self.assertFalse(session.is_refused)
        self.assertIn("unable to get local issuer certificate", session.problem)

    def test_stranger_refused(self) -> None:
        """Where verification is required, the handshake ends."""
        session = self.session(verify=Verify.REQUIRE)

        self.assertRaises(SSL.Error, self.negotiate, session, STRANGER, "mx.example")
        self.assertIn("unable to get local issuer certificate", session.problem)

    def test_other_name(self) -> None:
        """A certificate for another name does not count."""
        session = self.session(verify=Verify.REQUIRE)

        facts = self.negotiate(session, AUTHORITY, "other.example")

        self.assertFalse(facts.verified)
        self.assertTrue(session.is_refused)
        self.assertEqual(session.problem, "certificate name mismatch")

    def test_any_name(self) -> None:
        """Without a name to check, any name will do."""
        session = self.session(verify=Verify.REQUIRE, name="")

        self.assertTrue(self.negotiate(session, AUTHORITY, "other.example").verified)

    def test_never(self) -> None:
        """A certificate that nobody looks at is not verified, however good."""
        session = self.session(verify=Verify.NEVER)

        self.assertFalse(self.negotiate(session, AUTHORITY, "mx.example").verified)
        self.assertFalse(session.is_refused)

    def test_sessions_are_apart(self) -> None:
        """One session's bad certificate is not another's."""
        bad, good = self.session(verify=Verify.TRY), self.session(verify=Verify.TRY)
        self.negotiate(bad, STRANGER, "mx.example")

        self.assertTrue(self.negotiate(good, AUTHORITY, "mx.example").verified)
        self.assertNotEqual(bad.problem, "")


class FactsTests(HandshakeCase):
    def test_facts(self) -> None:
        """Version, cipher and subject as the log shows them."""
        facts = self.negotiate(self.session(), AUTHORITY, "mx.example")

        self.assertEqual(facts.version, "TLS1.3")
        version, cipher, bits = facts.log_cipher.split(":")
        self.assertEqual((version, facts.cipher_std), ("TLS1.3", cipher))
        self.assertEqual(int(bits), facts.bits)
        self.assertIn("/O=trustme v", facts.peer_dn)

    def test_server_name(self) -> None:
        """SNI is sent where the policy has a name, and only there."""
        self.negotiate(self.session(server_name="sni.example"), AUTHORITY, "x.example")
        self.negotiate(self.session(), AUTHORITY, "x.example")

        self.assertEqual(NAMES[0], b"sni.example")
        self.assertNotIn(b"x.example", NAMES)


class TrustTests(HandshakeCase):
    def test_unreadable(self) -> None:
        """Trusted certificates that cannot be read are a temporary failure."""
        with open(self.trusted, "w", encoding="ascii") as file:
            file.write("nothing\n")
        for path in (self.trusted, self.trusted + ".none"):
            policy = ClientTLSPolicy(certificates=path)
            self.assertRaises(TemporaryFailure, self.tls.session, policy)

    def test_changed_file(self) -> None:
        """A file that changes is read again."""
        session = self.session(verify=Verify.TRY)
        self.negotiate(session, STRANGER, "mx.example")
        self.assertNotEqual(session.problem, "")
        STRANGER.cert_pem.write_to_path(self.trusted)
        os.utime(self.trusted, ns=(1, 1))

        session = self.session(verify=Verify.TRY)

        self.assertTrue(self.negotiate(session, STRANGER, "mx.example").verified)

    def test_shared_context(self) -> None:
        """Policies with the same trust share a context."""
        self.session()
        self.session(verify=Verify.REQUIRE)
        self.tls.session(ClientTLSPolicy())

        self.assertEqual(len(self.tls._contexts), 2)


class DemandTests(HandshakeCase):
    """What else a policy asks of a session, and what it shows to the server."""

    def setUp(self) -> None:
        super().setUp()
        self.now = datetime.now(UTC)
        self.authority = Authority(now=self.now)
        self.ours = self.authority.issue("me.example")

    def file(self, octets: bytes) -> str:
        """Return the path of a new file."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(octets)
        return path

    def server(self, host: Holder | None = None) -> SSL.Context:
        """Return a context with a certificate of this authority."""
        host = host or self.authority.issue()
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(host.certificate)
        context.use_privatekey(host.key)
        return context

    def meet(
        self, context: SSL.Context, **facts: Any
    ) -> tuple[ClientTLSSession, TLSFacts, SSL.Connection]:
        """Return a session with a server, what it shows, and the server's end."""
        facts.setdefault("certificates", self.file(self.authority.holder.pem))
        session = self.tls.session(ClientTLSPolicy(name="mx.example", **facts))
        connection = session.clientConnectionForTLS(None)
        server = SSL.Connection(context, None)
        server.set_accept_state()
        shake_hands(connection, server)
        return session, session.facts(connection), server

    def test_certificate(self) -> None:
        """A server that asks is shown our certificate; the facts have it, too."""
        context = self.server()
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)

        _, facts, server = self.meet(
            context,
            certificate=self.file(self.ours.pem),
            private_key=self.file(self.ours.key_pem),
        )

        shown = server.get_peer_certificate(as_cryptography=True)
        self.assertEqual(shown, self.ours.certificate)
        self.assertEqual(facts.our_certificate, self.ours.certificate)

    def test_one_file(self) -> None:
        """Certificate and key may be in one file."""
        context = self.server()
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)

        _, _, server = self.meet(
            context, certificate=self.file(self.ours.pem + self.ours.key_pem)
        )

        self.assertIsNotNone(server.get_peer_certificate())

    def test_no_certificate(self) -> None:
        """Without one nothing is shown."""
        context = self.server()
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)

        _, facts, server = self.meet(context)

        self.assertIsNone(server.get_peer_certificate())
        self.assertIsNone(facts.our_certificate)

    def test_ciphers(self) -> None:
        """The ciphers named are the ones that are used."""
        older = self.server()
        older.set_max_proto_version(SSL.TLS1_2_VERSION)
        for context, cipher in (
            (older, "ECDHE-ECDSA-AES128-GCM-SHA256"),
            (self.server(), "TLS_AES_128_GCM_SHA256"),
        ):
            facts = self.meet(context, ciphers=cipher)[1]
            self.assertEqual(facts.cipher.split(":")[1], cipher)

    def test_newer_ciphers_alone(self) -> None:
        """Names of TLS 1.3 alone leave no way to TLS 1.2."""
        older = self.server()
        older.set_max_proto_version(SSL.TLS1_2_VERSION)

        self.assertRaises(SSL.Error, self.meet, older, ciphers="TLS_AES_128_GCM_SHA256")

    def test_protocol(self) -> None:
        """ALPN offers protocols; a server that must choose one and does not is refused."""
        choosing, silent = self.server(), self.server()
        choosing.set_alpn_select_callback(lambda _, offered: offered[-1])

        for context, refused in ((choosing, False), (silent, True)):
            session, _, server = self.meet(
                context, protocols=("a", "smtp"), protocol_is_required=True
            )
            chosen = server.get_alpn_proto_negotiated()
            self.assertEqual(chosen, b"" if refused else b"smtp")
            self.assertIs(session.is_refused, refused)

    def revocations(self, *holders: Holder) -> str:
        """Return a file with a list of what the authority revoked."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.authority.subject)
            .last_update(self.now - timedelta(hours=1))
            .next_update(self.now + timedelta(hours=1))
        )
        for holder in holders:
            revoked = (
                x509.RevokedCertificateBuilder()
                .serial_number(holder.certificate.serial_number)
                .revocation_date(self.now - timedelta(hours=1))
            )
            builder = builder.add_revoked_certificate(revoked.build())
        made = builder.sign(self.authority.key, SHA256)
        return self.file(made.public_bytes(Encoding.PEM))

    def test_revocation_list(self) -> None:
        """A certificate in a list is not verified; one that is not in it is."""
        host = self.authority.issue()
        for revoked, problem in (
            ([host], "certificate revoked"),
            ([self.ours], ""),
        ):
            crl = self.revocations(*revoked)
            session, facts, _ = self.meet(self.server(host), crl=crl)

            self.assertEqual(session.problem, problem)
            self.assertIs(facts.verified, not problem)
            self.assertIs(session.verdict.crl.met, not problem)

    def test_revocation_list_and_demand(self) -> None:
        """One in a list ends a session that must be verified."""
        host = self.authority.issue()
        crl = self.revocations(host)

        self.assertRaises(
            SSL.Error, self.meet, self.server(host), crl=crl, verify=Verify.REQUIRE
        )

    def test_list_of_others(self) -> None:
        """With lists, a certificate that none of them covers is not verified."""
        stranger = Authority("Stranger", now=self.now)
        host = stranger.issue()
        trusted = self.file(stranger.holder.pem)

        session, _, _ = self.meet(
            self.server(host), crl=self.revocations(), certificates=trusted
        )

        self.assertEqual(session.problem, "unable to get certificate CRL")


class CallbackTests(HandshakeCase):
    """Nothing that OpenSSL calls may raise."""

    def test_staple(self) -> None:
        """A fault of ours in judging is a staple that proves nothing."""
        for staple, goes_on in ((Staple.REQUEST, True), (Staple.REQUIRE, False)):
            session = self.session(staple=staple)

            self.assertIs(session.status_came(None, b"staple"), goes_on)  # type: ignore[arg-type]
            self.assertEqual(session.staple.number, 3)

    def test_stranger_to_sessions(self) -> None:
        """A connection without a session goes nowhere."""
        contexts: list[Any] = []
        self.patch(ClientContexts, "__init__", lambda _, came: contexts.append(came))
        ClientTLS()

        self.assertIs(contexts[0](object(), b"", None), False)

    def test_certificate(self) -> None:
        """A certificate that cannot be read is told as such."""

        class Broken:
            def to_cryptography(self) -> None:
                raise x509.InvalidVersion("7", 7)

        session = self.session(verify=Verify.TRY)

        self.assertIs(session._look_at_certificate(None, Broken(), 10, 0, 0), True)
        self.assertEqual(session.problem, "certificate has expired")
