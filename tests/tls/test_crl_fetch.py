"""Fetching lists from web servers."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.trial.unittest import TestCase

from mta.tls import crl_fetch
from mta.tls.crl_fetch import CRLFetcher, CRLFetchError

OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    b"/list": OK + b"Content-Length: 4\r\n\r\nlist",
    b"/chunked": OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nlist\r\n0\r\n\r\n",
    b"/unmeasured": b"HTTP/1.0 200 OK\r\n\r\nlist",
    b"/cut": OK + b"Content-Length: 40\r\n\r\nlist",
    b"/missing": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"/moved": b"HTTP/1.1 302 Found\r\nLocation: /list\r\nContent-Length: 0\r\n\r\n",
    b"/mail": b"220 mx.example ESMTP\r\n\r\n",
    b"/long": OK + b"\r\n" + b"x" * 3000,
    b"/announced": OK + b"Content-Length: 999999\r\n\r\n" + b"x" * 3000,
    b"/fields": OK + b"X: y\r\n" * 600,
    b"/line": OK + b"X: " + b"y" * 3000,
    b"/silent": None,
}


class _Server(Protocol):
    def dataReceived(self, data: bytes) -> None:
        path = data.split()[1]
        answer = ANSWERS[path]
        if answer is not None:
            transport: Any = self.transport
            transport.write(answer)
            if path in (b"/unmeasured", b"/cut"):
                transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        factory: Any = self.factory
        factory.count -= 1
        if factory.empty is not None and not factory.count:
            factory.empty.callback(None)

    def connectionMade(self) -> None:
        factory: Any = self.factory
        factory.count += 1


class FetcherTests(TestCase):
    """What comes of a URL."""

    def setUp(self) -> None:
        self.factory: Any = ServerFactory.forProtocol(_Server)
        self.factory.noisy = False
        self.factory.count, self.factory.empty = 0, None
        listening: Any = reactor
        self.port = listening.listenTCP(0, self.factory, interface="127.0.0.1")
        self.number = self.port.getHost().port
        self.addCleanup(self.port.stopListening)
        self.patch(crl_fetch, "SIZE_LIMIT", 1000)
        self.patch(crl_fetch, "HEADER_LIMIT", 1000)

    async def fetch(self, path: str) -> bytes:
        """Return what is there; no connection is left over."""
        url = f"http://127.0.0.1:{self.number}/{path}"
        try:
            return await CRLFetcher(reactor).fetch(url)
        finally:
            if self.factory.count:
                self.factory.empty = Deferred()
                await self.factory.empty
                self.factory.empty = None

    async def test_content(self) -> None:
        """A list comes in all the ways that HTTP has."""
        for path in ("list", "chunked", "unmeasured"):
            octets = await Deferred.fromCoroutine(self.fetch(path))

            self.assertEqual(b"list", octets, path)

    async def test_none(self) -> None:
        """Errors, redirections and what is not HTTP are no list."""
        for path, reason in (
            ("missing", "HTTP status 404"),
            ("moved", "HTTP status 302"),
            ("cut", "no whole answer"),
            ("mail", "no whole answer"),
        ):
            fetching = Deferred.fromCoroutine(self.fetch(path))
            error = await self.assertFailure(fetching, CRLFetchError)

            self.assertIn(reason, str(error), path)

    async def test_too_much(self) -> None:
        """A server that sends without end is left, whatever it sends."""
        for path in ("long", "announced", "fields", "line"):
            fetching = Deferred.fromCoroutine(self.fetch(path))
            error = await self.assertFailure(fetching, CRLFetchError)

            self.assertIn("more than 1000 octets", str(error), path)

    async def test_silent(self) -> None:
        """A server that says nothing is left after a while."""
        self.patch(crl_fetch, "TIME_LIMIT", 0.05)

        fetching = Deferred.fromCoroutine(self.fetch("silent"))
        error = await self.assertFailure(fetching, CRLFetchError)

        self.assertEqual("no answer within 0.05 s", str(error))

    async def test_nobody(self) -> None:
        """Nor need there be a server at all."""
        await self.port.stopListening()

        fetching = Deferred.fromCoroutine(self.fetch("list"))
        error = await self.assertFailure(fetching, CRLFetchError)

        self.assertIn("refused", str(error))

    async def test_given_up(self) -> None:
        """Who gives up the fetching closes the connection."""
        fetching = Deferred.fromCoroutine(self.fetch("silent"))
        listening: Any = reactor
        for _ in range(200):
            if self.factory.count:
                break
            pause: Deferred[None] = Deferred()
            listening.callLater(0.01, pause.callback, None)
            await pause
        fetching.cancel()

        error = await self.assertFailure(fetching, Exception)

        self.assertEqual(0, self.factory.count, error)
