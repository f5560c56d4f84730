"""OCSP over HTTP."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_from_bytes

from cryptography.x509 import ocsp
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from mta.ocsp import web
from tests.ocsp.case import GOOD_SERIAL, ResponderCase
from tests.ocsp.test_responder import request


class WebTests(ResponderCase):
    """Requests over HTTP, and what is none."""

    def setUp(self) -> None:
        """Begin to serve."""
        super().setUp()
        self.clock = Clock()
        self.factory = web.OCSPFactory(
            self.responder(), reactor=self.clock, now=lambda: self.now
        )

    def connect(self) -> tuple[Any, Any]:
        """Return a client's connection, and what it can write to."""
        protocol: Any = self.factory.buildProtocol(None)
        transport: Any = StringTransport()
        transport.abortConnection = transport.loseConnection
        protocol.makeConnection(transport)
        self.addCleanup(self.lose, protocol)
        return protocol, transport

    def lose(self, protocol: Any) -> None:
        """End a connection if it has not ended."""
        if protocol.transport is not None:
            protocol.connectionLost()
            protocol.transport = None

    def answer(self, octets: bytes) -> tuple[bytes, bytes]:
        """Return head and body of the answer to what a client writes."""
        protocol, transport = self.connect()
        protocol.dataReceived(octets)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        return head, body

    def post(self, body: bytes) -> bytes:
        """Return a request by POST."""
        return (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    def assert_good(self, head: bytes, body: bytes) -> None:
        """Fail unless this is an answer for a certificate that is good."""
        self.assertTrue(head.startswith(b"HTTP/1.1 200"))
        self.assertIn(b"Content-Type: application/ocsp-response", head)
        read = ocsp.load_der_ocsp_response(body)
        self.assertIs(ocsp.OCSPCertStatus.GOOD, read.certificate_status)

    def test_post(self) -> None:
        """A request may come by POST, and be kept by proxies for its life."""
        head, body = self.answer(self.post(request(GOOD_SERIAL)))
        self.assert_good(head, body)
        self.assertIn(b"max-age=86400, public", head)

    def test_pieces(self) -> None:
        """It does not matter how the octets come."""
        protocol, transport = self.connect()
        for octet in self.post(request(GOOD_SERIAL)):
            protocol.dataReceived(bytes((octet,)))
        head, _, body = transport.value().partition(b"\r\n\r\n")
        self.assert_good(head, body)

    def test_get(self) -> None:
        """A request may come by GET, with its special characters quoted or not."""
        text = base64.b64encode(request(GOOD_SERIAL))
        quoted = quote_from_bytes(text, safe="").encode()
        for path in (text, quoted, text.rstrip(b"="), b"ca/ocsp/" + text):
            self.assert_good(
                *self.answer(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            )

    def test_by_proxy(self) -> None:
        """A client may write the whole URL."""
        text = base64.b64encode(request(GOOD_SERIAL))
        self.assert_good(
            *self.answer(b"GET http://a:80/%s HTTP/1.1\r\nHost: a\r\n\r\n" % text)
        )

    def test_head(self) -> None:
        """HEAD has the head of GET alone."""
        text = base64.b64encode(request(GOOD_SERIAL))
        head, body = self.answer(b"HEAD /%s HTTP/1.1\r\nHost: a\r\n\r\n" % text)
        self.assertIn(b"Content-Type: application/ocsp-response", head)
        self.assertEqual(b"", body)

    def test_several_on_a_connection(self) -> None:
        """A connection may carry several requests."""
        protocol, transport = self.connect()
        protocol.dataReceived(self.post(request(GOOD_SERIAL)) * 3)
        self.assertEqual(3, transport.value().count(b"HTTP/1.1 200"))

    def test_malformed(self) -> None:
        """What is no OCSP request is answered by an OCSP response that says so."""
        head, body = self.answer(self.post(b"nonsense"))
        read = ocsp.load_der_ocsp_response(body)
        self.assertIs(ocsp.OCSPResponseStatus.MALFORMED_REQUEST, read.response_status)
        self.assertIn(b"Cache-Control: no-store", head)

    def test_wrong(self) -> None:
        """Whatever else comes has an HTTP answer, or ends the connection."""
        for octets, code in (
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"GET /%%%!! HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            (b"nonsense\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00\r\n\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000, 400),
            (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
            (
                b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"4000\r\n" + b"a" * 0x4000 + b"\r\n4000\r\n" + b"a" * 0x4000,
                413,
            ),
        ):
            head, _ = self.answer(octets)
            self.assertTrue(head.startswith(b"HTTP/1.1 %d" % code), (octets[:40], head))
        self.assertEqual([], self.flushLoggedErrors())

    def test_refused_once(self) -> None:
        """Who was refused for size is not listened to any more."""
        protocol, transport = self.connect()
        protocol.dataReceived(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
        protocol.dataReceived(b"a" * 100_000 + self.post(request(GOOD_SERIAL)))
        self.assertTrue(transport.disconnecting)
        self.assertEqual(1, transport.value().count(b"HTTP/1.1"))

    def test_silent(self) -> None:
        """Who is silent is cut off soon, and who is slow a little later."""
        protocol, transport = self.connect()
        self.clock.advance(web.IDLE_LIMIT)
        self.assertTrue(transport.disconnecting)
        protocol, transport = self.connect()
        for _ in range(web.LIFE_LIMIT - 1):
            protocol.dataReceived(b"G")
            self.clock.advance(1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)

    def test_too_many(self) -> None:
        """There is a limit to connections, and room where one ends."""
        self.patch(web, "CONNECTIONS_LIMIT", 2)
        protocol, _ = self.connect()
        self.connect()
        self.assertIsNone(self.factory.buildProtocol(None))
        self.lose(protocol)
        self.connect()
