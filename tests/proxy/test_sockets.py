"""Tests of PROXY headers on real sockets, with and without TLS."""

from __future__ import annotations

import resource
import socket
import ssl
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.proxy.headers import BINARY, BINARY6, LINE, LINE6
from tests.proxy.talking import AUTHORITY, TalkingServer

V1, V2 = b"192.0.2.7 4660 proxied v1\n", b"192.0.2.7 4660 proxied v2\n"


def client_context() -> ssl.SSLContext:
    """Return a client's context that trusts the tests' authority."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


class Caller:
    """A client with blocking sockets, for a thread."""

    def __init__(self, port: int) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.socket.settimeout(20)

    def send(self, octets: bytes) -> None:
        """Send octets."""
        self.socket.sendall(octets)

    def line(self) -> bytes:
        """Return the next line."""
        found = b""
        while not found.endswith(b"\n"):
            octet = self.socket.recv(1)
            if not octet:
                break
            found += octet
        return found

    def begin_tls(self) -> None:
        """Shake hands."""
        self.socket = client_context().wrap_socket(
            self.socket, server_hostname="mx.example"
        )

    def glue_tls(self, header: bytes) -> None:
        """Shake hands, with the header in one segment with the ClientHello."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context().wrap_bio(
            incoming, outgoing, server_hostname="mx.example"
        )
        self.tls, self.incoming, self.outgoing = tls, incoming, outgoing
        self.glued = header
        self.exchange(tls.do_handshake)

    def exchange(self, act: Any, *arguments: Any) -> Any:
        """Do something with the TLS session, and what that takes on the wire."""
        while True:
            try:
                result = act(*arguments)
            except ssl.SSLWantReadError:
                result = None
            pending = self.glued + self.outgoing.read()
            self.glued = b""
            if pending:
                self.socket.sendall(pending)
            if (
                result is not None
                or act == self.tls.do_handshake
                and self.tls.version()
            ):
                return result
            octets = self.socket.recv(65536)
            if not octets:
                raise EOFError
            self.incoming.write(octets)

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


class SocketTests(TestCase):
    """A server on a loopback port."""

    timeout = 60

    def serve(self, *arguments: Any, **options: Any) -> TalkingServer:
        """Start a server, which is stopped after the test."""
        server = TalkingServer(*arguments, **options)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        return server

    async def call(self, server: TalkingServer, conversation: Any) -> Any:
        """Have a conversation in a thread; return its result."""

        def converse() -> Any:
            caller = Caller(server.port)
            try:
                return conversation(caller)
            finally:
                caller.close()

        return await deferToThread(converse)

    async def test_clear(self) -> None:
        """Header and conversation in clear."""

        def conversation(caller: Caller) -> list[bytes]:
            caller.send(LINE + b"one\n")
            return [caller.line(), caller.line()]

        lines = await self.call(self.serve(), conversation)

        self.assertEqual(lines, [V1, b"one\n"])

    async def test_trickled(self) -> None:
        """The header comes in many segments."""

        def conversation(caller: Caller) -> bytes:
            caller.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in BINARY6:
                caller.send(bytes([octet]))
            return caller.line()

        line = await self.call(self.serve(), conversation)

        self.assertEqual(line, b"2001:db8::7 4660 proxied v2\n")

    async def test_starttls(self) -> None:
        """TLS begins later; the client stays who the header said."""

        def conversation(caller: Caller) -> list[bytes]:
            caller.send(LINE)
            lines = [caller.line()]
            caller.send(b"STARTTLS\n")
            lines.append(caller.line())
            caller.begin_tls()
            caller.send(b"PEER\n")
            return [*lines, caller.line()]

        lines = await self.call(self.serve(), conversation)

        self.assertEqual(lines, [V1, b"go ahead\n", b"192.0.2.7 4660\n"])

    async def test_tls_behind_the_header(self) -> None:
        """TLS begins at once behind the header, by a layer or by the protocol."""
        for layers in ("outside", "own"):
            for header, greeting in ((LINE, V1), (BINARY, V2)):

                def conversation(caller: Caller, header: bytes = header) -> list[bytes]:
                    caller.send(header)
                    caller.begin_tls()
                    caller.send(b"PEER\n")
                    return [caller.line(), caller.line()]

                lines = await self.call(self.serve(layers), conversation)

                self.assertEqual(lines, [greeting, b"192.0.2.7 4660\n"])

    async def test_glued_tls(self) -> None:
        """The ClientHello comes in one segment with the header."""
        for layers in ("outside", "own"):
            for header, greeting in ((LINE, V1), (BINARY, V2)):

                def conversation(caller: Caller, header: bytes = header) -> bytes:
                    caller.glue_tls(header)
                    return bytes(caller.exchange(caller.tls.read, 1000))

                line = await self.call(self.serve(layers), conversation)

                self.assertEqual(line, greeting)

    async def test_tls_around_the_header(self) -> None:
        """The header may itself come inside TLS."""
        for header, greeting in ((LINE, V1), (BINARY, V2)):

            def conversation(caller: Caller, header: bytes = header) -> list[bytes]:
                caller.begin_tls()
                caller.send(header + b"one\n")
                return [caller.line(), caller.line()]

            lines = await self.call(self.serve("inside"), conversation)

            self.assertEqual(lines, [greeting, b"one\n"])

    async def test_bulk(self) -> None:
        """Much content passes whole, in clear and inside TLS."""
        content = b"".join(b"%07d\n" % number for number in range(40000))
        for layers in ("proxy", "own", "inside"):

            def conversation(caller: Caller, layers: str = layers) -> bytes:
                if layers == "inside":
                    caller.begin_tls()
                caller.send(LINE)
                if layers == "own":
                    caller.begin_tls()
                caller.line()
                found = b""
                for start in range(0, len(content), 80000):
                    caller.send(content[start : start + 80000])
                    while len(found) < start + 80000:
                        found += caller.socket.recv(65536)
                return found

            self.assertEqual(await self.call(self.serve(layers), conversation), content)

    async def test_tls_hello_in_clear(self) -> None:
        """A handshake where a header was due is refused and named."""
        server = self.serve(serves_failures=False)

        def conversation(caller: Caller) -> bool:
            try:
                caller.begin_tls()
            except OSError:
                return True
            return False

        self.assertTrue(await self.call(server, conversation))
        self.assertEqual(server.reasons, ["TLS hello where a header was due"])

    async def test_silence(self) -> None:
        """After the time limit the silent peer is greeted."""
        server = self.serve(timeout=0.2)

        line = await self.call(server, Caller.line)

        self.assertEqual(line.split()[2:], [b"timeout", b"v0"])
        self.assertEqual(server.reasons, ["no header in 0.2s"])

    async def test_half_header_and_end(self) -> None:
        """An end inside of the header costs no time and leaves nothing."""
        server = self.serve(timeout=50)
        before = resource.getrusage(resource.RUSAGE_SELF)
        for header in (LINE6, BINARY):

            def conversation(caller: Caller, header: bytes = header) -> bytes:
                caller.send(header[:-5])
                caller.socket.shutdown(socket.SHUT_WR)
                return caller.line()

            self.assertEqual(await self.call(server, conversation), b"")
        await deferLater(reactor, 1, lambda: None)
        after = resource.getrusage(resource.RUSAGE_SELF)

        self.assertEqual(server.reasons, ["end in the header"] * 2)
        self.assertEqual(server.factory.waiting, set())
        self.assertLess(after.ru_utime - before.ru_utime, 0.8)

    async def test_slow_decision(self) -> None:
        """While it is not known whether a header is due, all octets are kept."""

        async def requires(_transport: Any) -> bool:
            await deferLater(reactor, 0.1, lambda: None)
            return True

        for layers in ("proxy", "inside"):

            def conversation(caller: Caller, layers: str = layers) -> list[bytes]:
                if layers == "inside":
                    caller.begin_tls()
                caller.send(LINE + b"one\n")
                return [caller.line(), caller.line()]

            server = self.serve(layers, requires=requires)
            lines = await self.call(server, conversation)

            self.assertEqual(lines, [V1, b"one\n"])
