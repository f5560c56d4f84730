"""Handshakes that do not come to a session, and what is told of them."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ConfigurationError, TemporaryFailure
from mta.testing import result_of
from mta.tls.policy import Verify
from mta.tls.server import ServerTLS
from tests.reception.certificates import Files
from tests.reception.serving import Client, PretendedTLS, Server
from tests.tls.handshakes import client, serve

NOTQUIT = "n:\n  accept logwrite = ended: $smtp_notquit_reason"
NOTED = "acl_smtp_notquit = n"


class EndedHandshakeTests(SynchronousTestCase):
    """What becomes of the connection."""

    def begin(self, tls: PretendedTLS, options: str = "") -> tuple[Server, Client]:
        """Return a server, and a client whose handshake has begun."""
        server = Server(f"{NOTED}\n{options}", NOTQUIT, tls=tls)
        begun = server.connect().hello()
        self.assertEqual(["220 TLS go ahead"], begun.replies("STARTTLS"))
        return server, begun

    def told(self, server: Server, reason: str) -> None:
        """The log tells of a reason, and the ACL is told the kind of end."""
        self.assertIn(
            "TLS error on connection from [192.0.2.7] (SSL_accept): " + reason,
            server.logs.lines,
        )
        self.assertIn("ended: tls-failed", server.logs.lines)
        self.assertEqual(0, server.connections.count)

    def test_lost(self) -> None:
        """A client may go away."""
        server, begun = self.begin(PretendedTLS())

        begun.hang_up()

        self.told(server, "the connection was lost in the handshake")

    def test_too_slow(self) -> None:
        """One that takes too long is cut off, whatever it trickles."""
        server, begun = self.begin(PretendedTLS(), "smtp_receive_timeout = 10s")

        server.clock.pump([1] * 12)

        self.assertTrue(begun.transport.is_aborted)
        begun.hang_up()
        self.told(server, "timed out")

    def test_refused(self) -> None:
        """What was wrong with the client's offer is told rather than the alert."""
        tls = PretendedTLS()
        server, begun = self.begin(tls)
        tls.refusal = "Bad ALPN presented ('h2')"

        begun.hang_up()

        self.told(server, "Bad ALPN presented ('h2')")

    def test_no_protocol(self) -> None:
        """A client that must name a protocol, and does not, gets no session."""
        tls = PretendedTLS()
        tls.lacks_protocol = lambda handle: True  # type: ignore[method-assign, assignment]
        server, begun = self.begin(tls)

        begun.protocol.handshakeCompleted()

        self.assertTrue(begun.transport.is_aborted)
        self.assertEqual(b"", begun.says(b"EHLO client.example\r\n"))
        begun.hang_up()
        self.told(server, "ALPN required but not negotiated")


class RealTestCase(SynchronousTestCase):
    """Servers with certificates."""

    def setUp(self) -> None:
        self.files = Files()
        self.addCleanup(self.files.remove)

    def server(self, options: str = "") -> Server:
        """Return a server with a certificate, unless options say otherwise."""
        if "tls_certificate" not in options:
            options += f"\ntls_certificate = {self.files.path('mx.example')}"
        return Server(options, tls="real")

    def session(self, server: Server) -> ServerTLS:
        """Return what a new client negotiates with."""
        conversation = server.connect().protocol.conversation
        assert conversation is not None
        assert server.factory.shared.tls is not None
        context = conversation.transaction.context()
        return result_of(server.factory.shared.tls.for_client(context))


class ProtocolTests(RealTestCase):
    """tls_alpn and hosts_require_alpn."""

    def test_default(self) -> None:
        """Mail is what clients may name; they need not."""
        session = self.session(self.server())

        self.assertEqual(frozenset([b"smtp", b"esmtp"]), session.protocols)
        self.assertFalse(session.needs_protocol)

    def test_list(self) -> None:
        """The list is expanded; an empty one does not care."""
        session = self.session(self.server("tls_alpn = ${if eq{a}{a}{x:y}}"))
        self.assertEqual(frozenset([b"x", b"y"]), session.protocols)
        session = self.session(self.server("tls_alpn ="))
        serve(session, client(protocols=[b"h2"]))

    def test_required(self) -> None:
        """Hosts can be made to name one."""
        server = self.server("hosts_require_alpn = ! 192.0.2.8 : *")
        self.assertTrue(self.session(server).needs_protocol)
        server = self.server("hosts_require_alpn = 192.0.2.8")
        self.assertFalse(self.session(server).needs_protocol)


class ServerNameTests(RealTestCase):
    """Names that clients ask for."""

    def ask(self, certificate: str, name: bytes) -> list[str]:
        """Ask for a name that ends the handshake; return the panic log."""
        server = self.server(f"tls_certificate = {certificate}")
        session = self.session(server)
        self.assertRaises(SSL.Error, serve, session, client(name=name))
        return server.panics

    def test_tainted(self) -> None:
        """A name is no path."""
        certificate = (
            "${if def:tls_in_sni{/etc/mta/$tls_in_sni}"
            f"{{{self.files.path('mx.example')}}}}}"
        )
        for name, shown in (
            (b"../../etc/passwd", "../../etc/passwd"),
            (b"mx.example", "mx.example"),
            (b"a\nb", "a\\x0ab"),
            (b"x" * 255, "x" * 91 + "..."),
        ):
            (line,) = self.ask(certificate, name)

            asked = name.decode("ascii")
            self.assertTrue(
                line.startswith(f"TLS error: server name {asked}: Tainted file name ")
            )
            self.assertIn(shown[-20:], line)

    def test_looked_up(self) -> None:
        """A look-up makes a path of a name, if there is such a file, and only then."""
        server = self.server(
            "tls_certificate = ${lookup {$tls_in_sni} dsearch,ret=full "
            f"{{{self.files.directory}}} {{$value}} "
            f"{{{self.files.path('mx.example')}}}}}"
        )
        shown = []
        for name in (b"other.example", b"mx.example", b"nobody.example", b"../x", b""):
            theirs = client(name=name)
            serve(self.session(server), theirs)
            shown.append(theirs.get_peer_certificate(as_cryptography=True))

        self.assertNotEqual(shown[0], shown[1])
        self.assertEqual([shown[1]] * 3, shown[2:])
        self.assertEqual([], server.logs.lines)

    def test_expansion_error(self) -> None:
        """An expansion that fails ends the handshake, with the reason in the log."""
        certificate = (
            "${if def:tls_in_sni{${substr{x}{1}{a}}}"
            f"{{{self.files.path('mx.example')}}}}}"
        )
        (line,) = self.ask(certificate, b"other.example")

        self.assertTrue(line.startswith("TLS error: server name other.example: "), line)

    def test_missing(self) -> None:
        """So does a file that is not there."""
        certificate = (
            f"${{if def:tls_in_sni{{{self.files.path('nothing')}}}"
            f"{{{self.files.path('mx.example')}}}}}"
        )
        (line,) = self.ask(certificate, b"other.example")

        self.assertIn("No such file or directory", line)

    def test_error_before(self) -> None:
        """An error before the handshake leaves the client a session in clear."""
        server = self.server("tls_certificate = ${substr{x}{1}{a}}")
        replies = server.connect().hello().replies("STARTTLS", "NOOP")

        self.assertEqual(["454 TLS currently unavailable", "250 OK"], replies)
        self.assertIn(
            "TLS error on connection from (client.example) [192.0.2.7] (setup): ",
            server.logs.lines[-1],
        )

    def test_unknown(self) -> None:
        """A name that nobody knows gets the certificate for all."""
        server = self.server(
            "tls_certificate = ${if eq{$tls_in_sni}{other.example}"
            f"{{{self.files.path('other.example')}}}{{{self.files.path('mx.example')}}}}}"
        )
        theirs = client(name=b"nobody.example")
        serve(self.session(server), theirs)
        shown = theirs.get_peer_certificate(as_cryptography=True)

        usual = client()
        serve(self.session(server), usual)
        self.assertEqual(usual.get_peer_certificate(as_cryptography=True), shown)


class StartTests(RealTestCase):
    """What is found before there is any client."""

    def prepare(self, options: str) -> Server:
        """Return a server that is ready for clients."""
        server = self.server(options)
        assert server.factory.shared.tls is not None
        server.factory.shared.tls.prepare()
        return server

    def test_errors(self) -> None:
        """Names that mean nothing are errors, with file and line."""
        for option, text in (
            ("tls_require_ciphers = NONSENSE", "tls_require_ciphers invalid: NONSENSE"),
            ("tls_eccurve = P-999", "tls_eccurve: OpenSSL knows no such group: P-999"),
            ("tls_dhparam = ike1", "tls_dhparam ike1: this prime is too weak"),
            ("tls_dh_max_bits = 1000", "tls_dh_max_bits: it is below 1024"),
            (
                "tls_verify_hosts = *\ntls_verify_certificates =",
                "tls_verify_certificates: without any, nobody of tls_verify_hosts",
            ),
        ):
            error = self.assertRaises(ConfigurationError, self.prepare, option)

            self.assertIn(text, str(error))
            self.assertIn("mta.conf", str(error))

    def test_alarms(self) -> None:
        """Files that cannot be used are an alarm; they may come later."""
        missing = self.files.path("nothing")
        for option in (
            f"tls_certificate = {missing}",
            f"tls_verify_hosts = *\ntls_verify_certificates = {missing}",
            f"tls_verify_hosts = *\ntls_crl = {missing}",
        ):
            server = self.prepare(option)

            self.assertEqual(1, len(server.panics), option)
            self.assertIn(missing, server.panics[0])

    def test_long_prime(self) -> None:
        """A prime that clients would not take is left out, and that is told."""
        server = self.prepare("tls_dhparam = ffdhe3072")
        self.assertIn(
            "Warning: tls_dhparam has more bits than tls_dh_max_bits (2236), and is "
            "not used",
            server.logs.lines,
        )
        self.assertEqual([], self.prepare("tls_dhparam = none").logs.lines)
        self.assertEqual([], self.prepare("tls_dhparam = default").logs.lines)

    def test_nothing_wrong(self) -> None:
        """Every option together is fine, and clients get through."""
        server = self.prepare(
            f"tls_verify_hosts = *\n"
            f"tls_verify_certificates = {self.files.path('authority')}\n"
            "tls_eccurve = X25519 : P-256\ntls_dhparam = ffdhe2048\n"
            "openssl_options = +prioritize_chacha -cipher_server_preference\n"
            "tls_require_ciphers = ECDHE+AESGCM\n"
        )

        self.assertEqual([], server.logs.lines)
        self.assertIs(Verify.REQUIRE, self.session(server).verify)

    def test_no_revocations(self) -> None:
        """Without revocation lists that can be read nobody is verified."""
        server = self.server(
            "tls_verify_hosts = *\n"
            f"tls_verify_certificates = {self.files.path('authority')}\n"
            f"tls_crl = {self.files.path('nothing')}"
        )

        error = self.assertRaises(TemporaryFailure, self.session, server)
        self.assertIn("cannot use tls_crl", error.log_text)
