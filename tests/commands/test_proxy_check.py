"""What a server makes of PROXY headers."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout

import trustme
from twisted.trial.unittest import SynchronousTestCase

from mta.commands.arguments import Arguments
from mta.commands.proxy_check import (
    USAGE,
    Outcome,
    check_proxy,
    conclusion,
    find_out,
)

LINE = b"PROXY TCP4 192.0.2.1 "
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REFUSED = b"503 Command refused\r\n"
LATE = 0.1


class Scripted:
    """A server on a loopback port; ``serve`` has the connection and its first octets.

    Where nothing comes for a while these are empty.
    """

    def __init__(self, serve: Callable[[socket.socket, bytes], None]) -> None:
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.first: list[bytes] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with closing(connection), contextlib.suppress(OSError):
                connection.settimeout(LATE)
                try:
                    first = connection.recv(4096)
                except TimeoutError:
                    first = b""
                if first == b"stop":
                    self._listening.close()
                    return
                connection.settimeout(20)
                self.first.append(first)
                self._serve(connection, first)

    def stop(self) -> None:
        """Close the port."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"stop")
            self._thread.join(30)


def talk(
    connection: socket.socket, hello: bytes, greeting: bytes = b"220 x\r\n"
) -> None:
    """Greet, answer EHLO, and await QUIT."""
    connection.sendall(greeting)
    if connection.recv(4096).startswith(b"EHLO "):
        connection.sendall(hello)
        connection.recv(4096)


def behind_proxies(connection: socket.socket, first: bytes) -> None:
    """Serve who sends a header."""
    if first.startswith(LINE) or first[:13] == SIGNATURE[:12] + b"\x21":
        hello = b"250-mx Hello [x] [192.0.2.1]\r\n250 HELP\r\n"
        talk(connection, hello, b"220-mx\r\n220 hello\r\n")
    else:
        talk(connection, REFUSED)


def plain_server(connection: socket.socket, first: bytes) -> None:
    """Take a header for commands."""
    if first:
        connection.sendall(b"220 x\r\n500 unknown\r\n")
        connection.recv(4096)
    else:
        talk(connection, b"250 mx Hello [127.0.0.1]\r\n")


class FindingTests(SynchronousTestCase):
    """One connection."""

    def outcome(
        self, hello: bytes, greeting: bytes = b"220 x\r\n", version: int = 1
    ) -> Outcome:
        """Return what is made of a server's replies."""
        server = Scripted(lambda connection, _: talk(connection, hello, greeting))
        self.addCleanup(server.stop)
        found = find_out("127.0.0.1", server.port, False, version=version, limit=0.5)
        return found.outcome

    def test_replies(self) -> None:
        """The reply to EHLO tells."""
        for hello, outcome in (
            (b"250 mx Hello x [192.0.2.1]\r\n", Outcome.KNOWN),
            (b"250 mx Hello [192.0.2.1] [127.0.0.1]\r\n", Outcome.MISTAKEN),
            (b"250-mx\r\n250 AUTH [\r\n", Outcome.UNNAMED),
            (b"250 mx [192.0.2.1\r\n", Outcome.UNNAMED),
            (b"503 no\r\n", Outcome.REFUSED),
            (b"250-mx\r\n", Outcome.SILENT),
            (b"", Outcome.SILENT),
        ):
            self.assertIs(self.outcome(hello), outcome, hello)
        self.assertIs(
            self.outcome(b"250 mx [192.0.2.1]\r\n", version=0), Outcome.SERVED
        )

    def test_greetings(self) -> None:
        """So does another greeting than 220, or none."""
        self.assertIs(self.outcome(b"", b"554 no\r\n"), Outcome.REFUSED)
        self.assertIs(self.outcome(b"", b"220 x"), Outcome.SILENT)
        closing_server = Scripted(lambda connection, _: None)
        self.addCleanup(closing_server.stop)
        found = find_out("127.0.0.1", closing_server.port, False, version=2)
        self.assertIs(found.outcome, Outcome.CLOSED)

    def test_flood(self) -> None:
        """A reply without end is not read for ever."""

        def flood(connection: socket.socket, _: bytes) -> None:
            while True:
                connection.sendall(b"220-x\r\n" * 1000)

        server = Scripted(flood)
        self.addCleanup(server.stop)
        found = find_out("127.0.0.1", server.port, False, version=0, limit=20)

        self.assertIs(found.outcome, Outcome.CLOSED)

    def test_tls(self) -> None:
        """The header comes before the handshake, where TLS comes first."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("mx.example").configure_cert(context)

        def serve(connection: socket.socket, first: bytes) -> None:
            # The handshake stands behind the header's line, perhaps glued to it.
            self.assertTrue(first.startswith(LINE))
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            inner = context.wrap_bio(incoming, outgoing, server_side=True)
            incoming.write(first.partition(b"\n")[2])
            steps: list[Callable[[], object]] = [
                inner.do_handshake,
                lambda: inner.write(b"220 x\r\n"),
                lambda: inner.read(100),
                lambda: inner.write(b"250 x [192.0.2.1]\r\n"),
                lambda: inner.read(100),
            ]
            while steps:
                try:
                    steps[0]()
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(65536))
                else:
                    steps.pop(0)
                    connection.sendall(outgoing.read())

        server = Scripted(serve)
        self.addCleanup(server.stop)
        found = find_out("localhost", server.port, True, version=1, limit=20)

        self.assertIs(found.outcome, Outcome.KNOWN, found)

    def test_nobody(self) -> None:
        """A port on which nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        found = find_out("127.0.0.1", port, False, version=0)

        self.assertIs(found.outcome, Outcome.UNREACHABLE)


class ConclusionTests(SynchronousTestCase):
    """What three outcomes come to."""

    def test_statuses(self) -> None:
        """Zero is for a server that understands both and asks for them."""
        known, refused, served = Outcome.KNOWN, Outcome.REFUSED, Outcome.SERVED
        for outcomes, status, words in (
            ([refused, known, known], 0, "must send a header"),
            ([Outcome.CLOSED, known, Outcome.UNNAMED], 0, "must send a header"),
            ([served, known, known], 1, "need not"),
            ([refused, known, refused], 1, "version 2 are not"),
            ([refused, Outcome.MISTAKEN, known], 1, "version 1 are not"),
            ([served, refused, refused], 1, "not known as a proxy"),
        ):
            verdict, found = conclusion(outcomes)
            self.assertEqual(found, status, outcomes)
            self.assertIn(words, verdict)


class CommandTests(SynchronousTestCase):
    """``mta proxy-check``."""

    def call(self, *operands: str) -> tuple[int, str, str]:
        """Return exit status and what is printed."""
        output, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            status = check_proxy(Arguments(operands=list(operands)))
        return status, output.getvalue(), errors.getvalue()

    def test_behind_proxies(self) -> None:
        """A server that takes this host for a proxy."""
        server = Scripted(behind_proxies)
        self.addCleanup(server.stop)

        status, output, _ = self.call(f"127.0.0.1:{server.port}")

        self.assertEqual(status, 0, output)
        lines = output.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[0], r"^no header: after \d\.\d s 220 x; EHLO: 503 .*")
        for line in lines[1:3]:
            self.assertIn(Outcome.KNOWN.value, line)
        port = str(server.port).encode()
        self.assertEqual(server.first[1], LINE + b"127.0.0.1 54321 " + port + b"\r\n")
        self.assertEqual(server.first[2][:12], SIGNATURE[:12])

    def test_plain(self) -> None:
        """A server that does not."""
        server = Scripted(plain_server)
        self.addCleanup(server.stop)

        status, output, _ = self.call(f"[127.0.0.1]:{server.port}")

        self.assertEqual(status, 1)
        self.assertIn("500 unknown", output)
        self.assertIn("not known as a proxy", output)

    def test_control_characters(self) -> None:
        """What a server says does nothing to a terminal."""
        server = Scripted(lambda c, _: talk(c, b"250 \x1b[2J [192.0.2.1]\r\n"))
        self.addCleanup(server.stop)

        self.assertNotIn("\x1b", self.call(f"127.0.0.1:{server.port}")[1])

    def test_wrong_use(self) -> None:
        """Anything else is told how it is used."""
        for operands in ((), ("a:b",), ("a", "b"), ("a:70000",), ("a:0",), (":25",)):
            self.assertEqual(self.call(*operands), (1, "", USAGE + "\n"), operands)

    def test_no_configuration(self) -> None:
        """It needs none, and works where it is broken."""
        from mta.commands.command_line import main  # noqa: PLC0415

        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "broken.conf")
            with redirect_stderr(io.StringIO()) as errors:
                self.assertEqual(main(["mta", "-C", path, "proxy-check"]), 1)
        self.assertEqual(errors.getvalue(), USAGE + "\n")
