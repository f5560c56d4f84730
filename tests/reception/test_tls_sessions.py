"""TLS with real clients on the loopback."""

from __future__ import annotations

import shutil
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Callable
from typing import TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.reception.certificates import Files
from tests.reception.serving import Server

T = TypeVar("T")


class HandshakeTests(TestCase):
    """Sessions of real clients on the loopback."""

    timeout = 30

    def setUp(self) -> None:
        self.files = Files()
        self.addCleanup(self.files.remove)

    async def serve(self, options: str = "", *, on_connect: bool = False) -> int:
        """Start a server; return its port."""
        self.server = Server(
            options, tls="real", selectors="tls_peerdn", reactor=reactor
        )
        factory = self.server.factory
        if on_connect:
            factory = factory.for_tls_on_connect()
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]

        async def stop() -> None:
            factory.close_all()
            await port.stopListening()

        self.addCleanup(lambda: Deferred.fromCoroutine(stop()))
        number: int = port.getHost().port
        return number

    async def talk(self, work: Callable[[], T]) -> T:
        """Run a client that blocks in a thread; wait until its session is over."""
        result: T = await deferToThread(work)
        while self.server.connections.count:
            pause: Deferred[None] = Deferred()
            reactor.callLater(0.01, pause.callback, None)  # type: ignore[attr-defined]
            await pause
        return result

    def send(self, port: int, context: ssl.SSLContext, name: str = "mx.example") -> str:
        """Send a message after STARTTLS; return the subject of the certificate."""
        with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=10) as client:
            # The name is what is asked for, and what the certificate must be for.
            client._host = name
            client.starttls(context=context)
            client.sendmail("a@client.example", ["b@mx.example"], b"\r\ntext\r\n")
            assert isinstance(client.sock, ssl.SSLSocket)
            certificate = client.sock.getpeercert()
            assert certificate is not None
            return str(certificate.get("subjectAltName"))

    async def test_self_signed(self) -> None:
        """Without any setting TLS works, for clients that trust anybody."""
        port = await self.serve()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

        await self.talk(lambda: self.send(port, context))

        arrival = next(line for line in self.server.logs.lines if line[:2] == "<=")
        self.assertRegex(
            arrival, r"P=esmtps X=TLS1\.3:TLS_AES_256_GCM_SHA384:256 CV=no S="
        )
        header = self.server.store.messages[0].header.content
        self.assertIn(b"with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384", header)

    async def test_certificate(self) -> None:
        """The file's certificate is what clients see."""
        port = await self.serve(f"tls_certificate = {self.files.path('mx.example')}")

        names = await self.talk(lambda: self.send(port, self.files.trust()))

        self.assertIn("mx.example", names)

    async def test_server_name(self) -> None:
        """The certificate can depend on the host that the client asks for."""
        port = await self.serve(
            "tls_certificate = ${if eq{$tls_in_sni}{other.example}"
            f"{{{self.files.path('other.example')}}}{{{self.files.path('mx.example')}}}}}"
        )
        trust = self.files.trust()

        first = await self.talk(lambda: self.send(port, trust, "other.example"))
        second = await self.talk(lambda: self.send(port, trust, "mx.example"))

        self.assertIn("other.example", first)
        self.assertIn("mx.example", second)

    async def test_server_name_in_path(self) -> None:
        """What a client asks for cannot choose among the files of this host."""
        port = await self.serve(
            "tls_certificate = ${if def:tls_in_sni"
            f"{{{self.files.directory}/$tls_in_sni}}"
            f"{{{self.files.path('mx.example')}}}}}"
        )

        error = await self.talk(
            lambda: self.assertRaises(
                ssl.SSLError,
                lambda: self.send(port, self.files.trust(), "other.example"),
            )
        )

        self.assertIn("alert", str(error).lower())
        self.assertIn("TLS error: server name other.example", self.server.panics[0])

    async def test_verified(self) -> None:
        """A host of tls_verify_hosts with a good certificate is verified."""
        trust = self.files.trust()
        trust.load_cert_chain(self.files.path("client"))
        port = await self.serve(self.verifying("tls_verify_hosts"))

        await self.talk(lambda: self.send(port, trust))

        arrival = next(line for line in self.server.logs.lines if line[:2] == "<=")
        self.assertRegex(arrival, r' CV=yes DN="/O=trustme ')

    def verifying(self, option: str) -> str:
        """Return the options of a server that asks every client."""
        return (
            f"tls_certificate = {self.files.path('mx.example')}\n"
            f"{option} = *\n"
            f"tls_verify_certificates = {self.files.path('authority')}"
        )

    async def test_wrong_certificate(self) -> None:
        """With another's it gets no session."""
        trust = self.files.trust()
        trust.load_cert_chain(self.files.path("stranger"))
        port = await self.serve(self.verifying("tls_verify_hosts"))

        await self.talk(
            lambda: self.assertRaises(OSError, lambda: self.send(port, trust))
        )

        self.assertEqual([], self.server.store.messages)
        lines = "\n".join(self.server.logs.lines)
        self.assertRegex(
            lines, r"\[127\.0\.0\.1\] SSL verify error: depth=0 error=unable to get "
        )
        self.assertIn("(SSL_accept): certificate verify failed", lines)

    async def test_no_certificate(self) -> None:
        """Nor without one."""
        port = await self.serve(self.verifying("tls_verify_hosts"))

        await self.talk(
            lambda: self.assertRaises(
                OSError, lambda: self.send(port, self.files.trust())
            )
        )

        self.assertEqual([], self.server.store.messages)
        self.assertIn(
            "(SSL_accept): peer did not return a certificate",
            "\n".join(self.server.logs.lines),
        )

    async def test_tried(self) -> None:
        """A host of tls_try_verify_hosts is served all the same."""
        port = await self.serve(self.verifying("tls_try_verify_hosts"))
        trust = self.files.trust()

        await self.talk(lambda: self.send(port, trust))
        trust.load_cert_chain(self.files.path("stranger"))
        await self.talk(lambda: self.send(port, trust))

        arrivals = [line for line in self.server.logs.lines if line[:2] == "<="]
        self.assertEqual([True, True], [" CV=no " in line for line in arrivals])
        self.assertEqual([False, True], [" DN=" in line for line in arrivals])

    async def test_on_connect(self) -> None:
        """On a port where TLS begins at once the greeting comes inside."""
        port = await self.serve(
            f"tls_certificate = {self.files.path('mx.example')}", on_connect=True
        )
        context = self.files.trust()

        def greeting() -> bytes:
            with (
                socket.create_connection(("127.0.0.1", port), 10) as plain,
                context.wrap_socket(plain, server_hostname="mx.example") as secure,
            ):
                return secure.recv(100)

        self.assertEqual(b"220 ", (await self.talk(greeting))[:4])

    async def test_no_tls_at_all(self) -> None:
        """Who speaks no TLS after STARTTLS is cut off, and the log says so."""
        port = await self.serve()

        def talk() -> bytes:
            with socket.create_connection(("127.0.0.1", port), 10) as plain:
                plain.sendall(b"EHLO client.example\r\n")
                while b"250 HELP" not in plain.recv(1000):
                    pass
                plain.sendall(b"STARTTLS\r\n")
                plain.recv(100)
                plain.sendall(b"MAIL FROM:<>\r\n" * 10)
                while octets := plain.recv(1000):
                    if octets[:1].isdigit():
                        return octets
            return b""

        try:
            answer = await self.talk(talk)
        except ConnectionResetError:
            answer = b""

        self.assertEqual(b"", answer)
        self.assertIn("(SSL_accept): ", "\n".join(self.server.logs.lines))

    async def test_openssl(self) -> None:
        """OpenSSL's own client gets through to an encrypted EHLO."""
        if shutil.which("openssl") is None:
            self.skipTest("openssl is not installed")
        port = await self.serve(
            f"tls_certificate = {self.files.path('mx.example')}\n"
            "smtp_enforce_sync = false"
        )
        command = [
            "openssl", "s_client", "-starttls", "smtp", "-quiet", "-verify_return_error",
            "-CAfile", self.files.path("authority"), "-servername", "mx.example",
            "-connect", f"127.0.0.1:{port}",
        ]  # fmt: skip

        done = await self.talk(
            lambda: subprocess.run(
                command,
                input=b"EHLO inside.example\r\nQUIT\r\n",
                capture_output=True,
                timeout=20,
                check=False,
            )
        )

        self.assertIn(b"221 mx.example closing connection", done.stdout)
