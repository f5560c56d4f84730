"""One question to a responder, whatever that does."""

from __future__ import annotations

import base64
import socket
import time
from urllib.parse import unquote_to_bytes

from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp.exchange import ExchangeError, ask
from mta.tls.ocsp import SIZE_LIMIT
from tests.ocsp.scripted import ScriptedResponder, Serve, answered

REQUEST = b"\x30\x00?+/="
WAIT = 20.0


class ExchangeTests(SynchronousTestCase):
    """What a responder may do."""

    def respond(self, serve: Serve | bytes) -> ScriptedResponder:
        """Return a responder that does this."""
        responder = ScriptedResponder(serve)
        self.addCleanup(responder.stop)
        return responder

    def failure(self, serve: Serve | bytes, limit: float = WAIT) -> str:
        """Return what is said of a responder that does this."""
        url = self.respond(serve).url
        return str(self.assertRaises(ExchangeError, ask, url, REQUEST, limit))

    def test_post(self) -> None:
        """The question is posted, with its media type."""
        responder = self.respond(answered(b"an answer"))
        self.assertEqual(b"an answer", ask(responder.url, REQUEST, WAIT))
        head, _, body = responder.requests[0].partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"POST /ca HTTP/1.1\r\n"))
        self.assertIn(b"\r\nContent-Type: application/ocsp-request", head)
        self.assertIn(b"\r\nHost: 127.0.0.1:", head)
        self.assertEqual(REQUEST, body)

    def test_get(self) -> None:
        """A responder that takes no POST is asked by GET."""

        def serve(connection: socket.socket, request: bytes) -> None:
            posted = request.startswith(b"POST")
            status = b"405 Method Not Allowed" if posted else b"200 OK"
            connection.sendall(answered(b"got", status=status))

        responder = self.respond(serve)
        self.assertEqual(b"got", ask(responder.url, REQUEST, WAIT))
        path = responder.requests[1].split(b" ")[1]
        self.assertTrue(path.startswith(b"/ca/"))
        text = unquote_to_bytes(path[len(b"/ca/") :])
        self.assertEqual(REQUEST, base64.b64decode(text))
        self.assertNotIn(b"+", path)

    def test_chunked(self) -> None:
        """An answer may come in chunks."""
        responder = self.respond(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        self.assertEqual(b"abcde", ask(responder.url, REQUEST, WAIT))

    def test_silent(self) -> None:
        """Who says nothing is not waited for longer than the limit."""

        def serve(connection: socket.socket, request: bytes) -> None:
            connection.recv(1)

        self.assertEqual("no answer within 0.2 s", self.failure(serve, 0.2))

    def test_trickle(self) -> None:
        """Who sends an octet now and then gets no more time for that."""

        def serve(connection: socket.socket, request: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(2000):
                connection.sendall(b"a")
                time.sleep(0.01)

        began = time.monotonic()
        self.assertEqual("no answer within 0.3 s", self.failure(serve, 0.3))
        self.assertLess(time.monotonic() - began, 10)

    def test_endless_continue(self) -> None:
        """Nor does who always tells to go on."""

        def serve(connection: socket.socket, request: bytes) -> None:
            for _ in range(2000):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                time.sleep(0.01)

        self.assertEqual("no answer within 0.3 s", self.failure(serve, 0.3))

    def test_redirect(self) -> None:
        """A redirection is not followed, but told."""
        octets = answered(b"", b"Location: http://127.0.0.1/x", status=b"302 Found")
        self.assertEqual("it redirects, to http://127.0.0.1/x", self.failure(octets))

    def test_large(self) -> None:
        """Ten megabytes are not read."""

        def serve(connection: socket.socket, request: bytes) -> None:
            connection.sendall(answered(b"a" * 10_000_000))

        self.assertEqual(f"it sends more than {SIZE_LIMIT} octets", self.failure(serve))

    def test_html(self) -> None:
        """A page for people is no response."""
        octets = answered(b"<html>", b"Content-Type: text/html; charset=utf-8")
        self.assertEqual(
            "it sends text/html; charset=utf-8, not an OCSP response",
            self.failure(octets),
        )

    def test_status(self) -> None:
        """Another status is told as the POST had it."""
        octets = answered(b"", status=b"503 Busy")
        self.assertEqual("HTTP status 503 Busy", self.failure(octets))

    def test_not_http(self) -> None:
        """Who speaks another protocol, or nothing, is told in a line."""
        for octets in (
            b"220 mx.example ESMTP\r\n",
            b"",
            b"\x15\x03\x01\x00\x02\x02\x0a",
        ):
            text = self.failure(octets)
            self.assertTrue(text)
            self.assertNotIn("\n", text.rstrip())

    def test_closed(self) -> None:
        """Where nobody listens that is told."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        url = f"http://127.0.0.1:{port}/"
        error = self.assertRaises(ExchangeError, ask, url, REQUEST, WAIT)
        self.assertEqual("Connection refused", str(error))

    def test_tls(self) -> None:
        """A responder with HTTPS must prove who it is."""
        responder = self.respond(answered(b""))
        url = responder.url.replace("http:", "https:")
        self.assertRaises(ExchangeError, ask, url, REQUEST, WAIT)

    def test_url(self) -> None:
        """Only URLs of HTTP are asked: a certificate may name anything."""
        for url in (
            "ldap://ca.example/cn=a",
            "file:///etc/passwd",
            "http://",
            "http://[::1",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:0/",
            "",
        ):
            error = self.assertRaises(ExchangeError, ask, url, REQUEST, WAIT)
            self.assertEqual("its URL is not one of HTTP", str(error))

    def test_url_with_controls(self) -> None:
        """Nothing can be smuggled into the request by a URL."""
        responder = self.respond(answered(b"x"))
        for end in ("/a b", "/a\x01b", "/\u00e9"):
            error = self.assertRaises(
                ExchangeError, ask, responder.url + end, REQUEST, WAIT
            )
            self.assertNotIn("\n", str(error))
        self.assertEqual([b""] * len(responder.requests), responder.requests)
