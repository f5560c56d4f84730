"""One question to a responder, whatever that does."""

from __future__ import annotations

import base64
import socket
import threading
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

    def test_get(self) -> None:
        """A short question is asked by GET, which caches can answer."""
        responder = self.respond(answered(b"an answer"))
        self.assertEqual(b"an answer", ask(responder.url, REQUEST, WAIT))
        head, _, body = responder.requests[0].partition(b"\r\n\r\n")
        method, path, version = head.partition(b"\r\n")[0].split(b" ")
        self.assertEqual((b"GET", b"HTTP/1.1", b""), (method, version, body))
        self.assertTrue(path.startswith(b"/ca/"))
        text = unquote_to_bytes(path[len(b"/ca/") :])
        self.assertEqual(REQUEST, base64.b64decode(text))
        self.assertNotIn(b"+", path)
        self.assertIn(b"\r\nHost: 127.0.0.1:", head)

    def check_posted(self, request: bytes, wanted: bytes = REQUEST) -> None:
        """Check that a question was posted, with its media type."""
        head, _, body = request.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"POST /ca HTTP/1.1\r\n"))
        self.assertIn(b"\r\nContent-Type: application/ocsp-request", head)
        self.assertEqual(wanted, body)

    def test_post(self) -> None:
        """A responder that takes no GET is asked by POST."""
        for refusal in (
            answered(b"", status=b"405 Method Not Allowed"),
            answered(b"<html>", b"Content-Type: text/html"),
            answered(bytes.fromhex("30030a0101")),
        ):
            responder = self.respond(
                lambda connection, request, refusal=refusal: connection.sendall(
                    refusal if request.startswith(b"GET") else answered(b"posted")
                )
            )
            self.assertEqual(b"posted", ask(responder.url, REQUEST, WAIT))
            self.assertEqual(2, len(responder.requests))
            self.check_posted(responder.requests[1])

    def test_long(self) -> None:
        """A question that makes a long URL is posted at once."""
        responder = self.respond(answered(b"posted"))
        self.assertEqual(b"posted", ask(responder.url, b"x" * 200, WAIT))
        self.assertEqual(1, len(responder.requests))
        self.check_posted(responder.requests[0], b"x" * 200)

    def test_query(self) -> None:
        """So is one to a URL that has a query already."""
        responder = self.respond(answered(b"posted"))
        self.assertEqual(b"posted", ask(responder.url + "?ca=1", REQUEST, WAIT))
        self.assertTrue(responder.requests[0].startswith(b"POST /ca?ca=1 HTTP/1.1"))

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
        """Another status is told."""
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

    def test_both_hang(self) -> None:
        """GET and POST together have no more time than the limit."""

        def serve(connection: socket.socket, request: bytes) -> None:
            time.sleep(0.2)
            if request.startswith(b"GET"):
                connection.sendall(answered(b"", status=b"405 No"))
            else:
                connection.recv(1)

        began = time.monotonic()
        self.assertEqual("no answer within 0.5 s", self.failure(serve, 0.5))
        self.assertLess(time.monotonic() - began, 10)

    def test_resolver_hangs(self) -> None:
        """Nor does the system's resolver get more."""
        released = threading.Event()
        self.addCleanup(released.set)

        def look_up(*_words: object, **_names: object) -> list[object]:
            released.wait(30)
            return []

        self.patch(socket, "getaddrinfo", look_up)
        error = self.assertRaises(
            ExchangeError, ask, "http://ca.example/", REQUEST, 0.1
        )
        self.assertEqual("no answer within 0.1 s", str(error))


class ProxyTests(SynchronousTestCase):
    """Asking through an HTTP proxy."""

    def proxy(self, answer: bytes) -> ScriptedResponder:
        """Return a proxy that answers so."""
        proxy = ScriptedResponder(answer)
        self.addCleanup(proxy.stop)
        return proxy

    def test_http(self) -> None:
        """The proxy is asked for the whole URL; the responder is not looked up."""
        proxy = self.proxy(answered(b"proxied"))
        url = proxy.url.removesuffix("/ca")
        said = ask("http://ca.invalid/ocsp", REQUEST, WAIT, url)
        self.assertEqual(b"proxied", said)
        head = proxy.requests[0]
        self.assertTrue(head.startswith(b"GET http://ca.invalid/ocsp/MAA"))
        self.assertIn(b"\r\nHost: ca.invalid\r\n", head)

    def test_tunnel(self) -> None:
        """A responder with HTTPS is reached through a tunnel, if there is one."""
        for answer, text in (
            (b"HTTP/1.1 403 No\r\n\r\n", "the proxy opens no tunnel: HTTP/1.1 403 No"),
            (b"HTTP/1.1 200", "the proxy opens no tunnel"),
        ):
            proxy = self.proxy(answer)
            error = self.assertRaises(
                ExchangeError, ask, "https://ca.invalid/", REQUEST, WAIT, proxy.url[:-3]
            )
            self.assertEqual(text, str(error))
            self.assertTrue(
                proxy.requests[0].startswith(b"CONNECT ca.invalid:443 HTTP/1.1\r\n")
            )

    def test_tunneled_handshake(self) -> None:
        """In the tunnel TLS begins."""
        seen: list[bytes] = []

        def serve(connection: socket.socket, _request: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            seen.append(connection.recv(1))

        proxy = ScriptedResponder(serve)
        self.addCleanup(proxy.stop)
        self.assertRaises(
            ExchangeError, ask, "https://ca.invalid/", REQUEST, WAIT, proxy.url[:-3]
        )
        self.assertEqual([b"\x16"], seen)

    def test_unusable(self) -> None:
        """What names no proxy is told."""
        for proxy in ("https://127.0.0.1:1/", "http://a:b@127.0.0.1:1", "127.0.0.1:1"):
            error = self.assertRaises(
                ExchangeError, ask, "http://ca.invalid/", REQUEST, WAIT, proxy
            )
            self.assertEqual(
                f'"{proxy}" is not a proxy like http://HOST:PORT', str(error)
            )
