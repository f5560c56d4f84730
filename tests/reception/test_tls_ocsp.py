"""Stapling, as clients of TLS 1.2 and 1.3 see it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.connection import TLSFacts
from mta.testing import result_of
from tests.reception.serving import EPOCH, Server
from tests.tls.handshakes import shake_hands
from tests.tls.proofs import REVOKED, Authority, Holder, pem

VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)
AUTHORITY = Authority(now=datetime.fromtimestamp(EPOCH, UTC))
HOST = AUTHORITY.issue()
OTHER = AUTHORITY.issue("other.example")
RSA_HOST = AUTHORITY.issue(key=rsa.generate_private_key(65537, 2048))


class Handshake:
    """One handshake in memory: the staple and facts that came of it.

    ``staple`` is None where the client did not ask for one.
    """

    def __init__(
        self,
        server: Server,
        *,
        version: int = SSL.TLS1_3_VERSION,
        asks: bool = True,
        name: str = "",
        ciphers: str = "",
    ) -> None:
        self.staple: bytes | None = None
        client = server.connect()
        assert client.protocol.conversation is not None
        transaction = client.protocol.conversation.transaction
        tls = server.factory.shared.tls
        assert tls is not None
        session = result_of(tls.for_client(transaction.context()))
        ours = session.serverConnectionForTLS(None)
        ours.set_accept_state()
        theirs = self._client(version, asks, name, ciphers)
        shake_hands(ours, theirs)
        self.facts: TLSFacts = session.facts(ours, on_connect=False)

    def _client(
        self, version: int, asks: bool, name: str, ciphers: str
    ) -> SSL.Connection:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        if ciphers:
            context.set_cipher_list(ciphers.encode())
        context.set_ocsp_client_callback(self._stapled)
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        if name:
            connection.set_tlsext_host_name(name.encode())
        if asks:
            connection.request_ocsp()
        return connection

    def _stapled(self, _connection: SSL.Connection, octets: bytes, _: object) -> bool:
        self.staple = octets
        return True


class StaplingTests(SynchronousTestCase):
    """What clients are sent."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.write("mx", HOST)
        self.write("other", OTHER)

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return str(self.directory / name)

    def write(self, name: str, host: Holder) -> None:
        """Write a host's certificate, the issuer's and the key, and a response."""
        (self.directory / name).write_bytes(
            host.pem + AUTHORITY.holder.pem + host.key_pem
        )
        self.respond(name, AUTHORITY.respond(host.certificate))

    def respond(self, name: str, response: bytes) -> bytes:
        """Put a response in place; return it."""
        temporary = self.directory / "temporary"
        temporary.write_bytes(response)
        temporary.replace(self.directory / f"{name}.ocsp")
        return response

    def server(
        self, *, certificate: str = "", responses: str | None = None, more: str = ""
    ) -> Server:
        """Return a server that staples."""
        if responses is None:
            responses = self.path("mx.ocsp")
        return Server(
            f"tls_certificate = {certificate or self.path('mx')}\n"
            f"tls_ocsp_file = {responses}\n{more}",
            tls="real",
        )

    def test_stapled(self) -> None:
        """A client that asks is sent the file's response."""
        response = self.respond("mx", AUTHORITY.respond(HOST.certificate))
        server = self.server()
        for version in VERSIONS:
            found = Handshake(server, version=version)

            self.assertEqual(response, found.staple)
            self.assertEqual(4, found.facts.ocsp)
        self.assertEqual([], server.logs.lines)

    def test_not_asked(self) -> None:
        """A client that does not ask is sent none."""
        server = self.server()
        for version in VERSIONS:
            found = Handshake(server, version=version, asks=False)

            self.assertIsNone(found.staple)
            self.assertEqual(0, found.facts.ocsp)

    def test_no_response(self) -> None:
        """Where nothing can be stapled the handshake goes on without."""
        server = self.server(responses="")
        for version in VERSIONS:
            found = Handshake(server, version=version)

            self.assertEqual(b"", found.staple)
            self.assertEqual(1, found.facts.ocsp)

    def test_self_signed(self) -> None:
        """A self-signed certificate has no response."""
        server = Server(f"tls_ocsp_file = {self.path('mx.ocsp')}", tls="real")

        found = Handshake(server)

        self.assertEqual((b"", 1), (found.staple, found.facts.ocsp))

    def test_bad_file(self) -> None:
        """Nor does it fail for what stands in a file, which is logged once."""
        server = self.server()
        responses = [
            b"garbage",
            pem(b"garbage"),
            AUTHORITY.respond(OTHER.certificate),
            AUTHORITY.respond(HOST.certificate, REVOKED),
            AUTHORITY.respond(HOST.certificate)[:-1],
        ]
        for number, response in enumerate(responses, 1):
            self.respond("mx", response)
            for version in VERSIONS:
                found = Handshake(server, version=version)

                self.assertEqual((b"", 1), (found.staple, found.facts.ocsp))
            self.assertEqual(number, len(server.logs.lines), server.logs.lines)

    def test_replaced(self) -> None:
        """A new file is stapled to the next client, with no certificate read again."""
        server = self.server()
        Handshake(server)
        newer = self.respond(
            "mx", AUTHORITY.respond(HOST.certificate, begin=AUTHORITY.now)
        )

        self.assertEqual(newer, Handshake(server).staple)

    def test_renewed(self) -> None:
        """A renewed certificate comes with its own response, never with the old one."""
        server = self.server()
        Handshake(server)
        renewed = AUTHORITY.issue()
        old = HOST.certificate.serial_number

        self.write("mx", renewed)
        at_once = Handshake(server)
        server.clock.advance(6)
        later = Handshake(server)

        self.assertEqual(old, at_once.facts.our_certificate.serial_number)
        self.assertEqual(4, at_once.facts.ocsp)
        self.assertEqual(renewed.certificate, later.facts.our_certificate)
        self.assertEqual((self.directory / "mx.ocsp").read_bytes(), later.staple)

    def test_bad_renewal(self) -> None:
        """A renewal that does not fit together leaves the old one, with its staple."""
        server = self.server()
        first = Handshake(server)

        self.write("mx", Holder(AUTHORITY.issue().certificate, HOST.key))
        for panics in (0, 1, 1):
            # What is only half written may be whole a moment later.
            server.clock.advance(6)
            later = Handshake(server)

            self.assertEqual(HOST.certificate, later.facts.our_certificate)
            self.assertEqual((first.staple, 4), (later.staple, later.facts.ocsp))
            self.assertEqual(panics, len(server.panics))
        self.assertIn("the earlier one is kept", server.panics[0])

    def test_two_keys(self) -> None:
        """Of two certificates the one that a client gets is vouched for."""
        self.write("rsa", RSA_HOST)
        server = self.server(
            certificate=f"{self.path('mx')} : {self.path('rsa')}",
            responses=f"DER {self.path('mx.ocsp')} : {self.path('rsa.ocsp')}",
        )
        for kind, name in (("ECDSA", "mx"), ("RSA", "rsa")):
            found = Handshake(
                server,
                version=SSL.TLS1_2_VERSION,
                ciphers=f"ECDHE-{kind}-AES128-GCM-SHA256",
            )

            expected = (self.directory / f"{name}.ocsp").read_bytes()
            self.assertEqual(expected, found.staple, kind)

    def test_shorter_list(self) -> None:
        """A certificate without a file is served without a staple."""
        self.write("rsa", RSA_HOST)
        server = self.server(
            certificate=f"{self.path('mx')} : {self.path('rsa')}",
        )

        found = Handshake(
            server, version=SSL.TLS1_2_VERSION, ciphers="ECDHE-RSA-AES128-GCM-SHA256"
        )

        self.assertEqual((b"", 1), (found.staple, found.facts.ocsp))

    def test_server_name(self) -> None:
        """The response is chosen with the certificate, by the name asked for."""
        choose = "${if eq{$tls_in_sni}{other.example}{%s}{%s}}"
        server = self.server(
            certificate=choose % (self.path("other"), self.path("mx")),
            responses=choose % (self.path("other.ocsp"), self.path("mx.ocsp")),
        )
        for version in VERSIONS:
            for asked, name in (("other.example", "other"), ("mx.example", "mx")):
                found = Handshake(server, version=version, name=asked)

                expected = (self.directory / f"{name}.ocsp").read_bytes()
                self.assertEqual(expected, found.staple, asked)
                self.assertEqual((4, asked), (found.facts.ocsp, found.facts.sni))

    def test_hostile_names(self) -> None:
        """What a client asks for is no path, and no name that it sends ends more."""
        server = self.server(
            certificate="${if eq{$tls_in_sni}{other.example}"
            f"{{{self.path('other')}}}{{{self.path('mx')}}}}}",
            responses="${if eq{$tls_in_sni}{}"
            f"{{{self.path('mx.ocsp')}}}{{{self.directory}/$tls_in_sni}}}}",
        )
        for name in ("../mx.ocsp", "mx.ocsp", "a" * 250):
            self.assertRaises(SSL.Error, Handshake, server, name=name)

        self.assertEqual(4, Handshake(server).facts.ocsp)
        self.assertEqual(3, len(server.panics))
        self.assertIn("TLS error: server name ../mx.ocsp", server.panics[0])

    def test_expanded(self) -> None:
        """The option is expanded for each client."""
        server = self.server(
            responses="${if eq{$sender_host_address}{192.0.2.7}"
            f"{{{self.path('mx.ocsp')}}}fail}}"
        )

        self.assertEqual(4, Handshake(server).facts.ocsp)

    def test_unset_by_failure(self) -> None:
        """A forced failure is as good as no file."""
        server = self.server(
            responses=f"${{if eq{{a}}{{b}}{{{self.path('mx.ocsp')}}}fail}}"
        )

        self.assertEqual(1, Handshake(server).facts.ocsp)
        self.assertEqual([], server.logs.lines)

    def test_at_start(self) -> None:
        """A response that cannot be stapled is told of before the first client."""
        server = self.server(responses=self.path("nothing"))
        tls = server.factory.shared.tls
        assert tls is not None

        tls.prepare()

        self.assertEqual(
            [
                f'Failed to open OCSP response file "{self.path("nothing")}": '
                "No such file or directory"
            ],
            server.panics,
        )

    def test_no_exception(self) -> None:
        """Logs that cannot be written to do not end handshakes."""
        server = self.server()
        Handshake(server)
        self.respond("mx", b"garbage")
        server.logs.main = None  # type: ignore[assignment, method-assign]

        self.assertEqual(1, Handshake(server).facts.ocsp)
