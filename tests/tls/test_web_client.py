"""Questions to web servers: limits, and what becomes of failures."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from mta.errors import TemporaryFailure
from mta.tls.web_channel import UntrustedHost, WebFailure
from mta.tls.web_client import (
    BrokenExchange,
    HTTPSClient,
    Limits,
    WebRequest,
    content_of,
)
from tests.tls.policy_host import HOST, WebServerCase, answer


async def whole(response: Any) -> bytes:
    """Return the content up to 100 octets."""
    return await content_of(response, 100)


class ExchangeTests(WebServerCase):
    """A web server with a certificate."""

    async def exchange(self, server: Any, take: Any = whole, **options: Any) -> Any:
        """Return what is taken of an answer."""
        limits = Limits(1000, "more than 1000", "nothing", options.pop("seconds", 30))
        client = HTTPSClient(
            reactor,
            self.resolver,
            limits=limits,
            **{"certificates": self.authority, **options},
        )
        request = WebRequest("PUT", f"https://{HOST}/a", {"X-A": "b"}, b"\r\n\r\n")
        return await client.exchange(HOST, server.port, request, take)

    async def failure(self, error: type[Exception], *given: Any, **options: Any) -> str:
        """Return why an exchange fails."""
        asked = Deferred.fromCoroutine(self.exchange(*given, **options))
        return str(await self.assertFailure(asked, error))

    async def test_asked(self) -> None:
        """Method, fields and content are sent; the answer is taken."""
        server = self.serve(answer(b"yes"))

        self.assertEqual(await self.exchange(server), b"yes")

        head = server.requests[0].decode().split("\r\n")
        self.assertEqual(head[0], "PUT /a HTTP/1.1")
        self.assertIn("X-A: b", head)
        self.assertIn("User-Agent: mta", head)
        self.assertIn("Content-Length: 4", head)

    async def test_limits(self) -> None:
        """Contents, whole answers and time are limited, each with its text."""
        for said, reason, error in (
            (answer(b"x" * 101), "it has more than 100 octets", WebFailure),
            (answer(b"", "200 OK", "X: " + "y" * 1000), "more than 1000", WebFailure),
        ):
            self.assertEqual(await self.failure(error, self.serve(said)), reason)
        silent = self.serve(answer()[:10])
        reason = await self.failure(WebFailure, silent, seconds=0.2)
        self.assertEqual(reason, "nothing within 0.2 s")

    async def test_no_http(self) -> None:
        """What is not HTTP is told with its cause."""
        reason = await self.failure(BrokenExchange, self.serve(b"220 hello\r\n\r\n"))

        self.assertIn("ParseError", reason)

    async def test_taking_fails(self) -> None:
        """Whatever taking an answer raises is a failure of the exchange."""

        async def stumble(_response: Any) -> None:
            raise ZeroDivisionError("zero")

        reason = await self.failure(BrokenExchange, self.serve(), stumble)

        self.assertEqual(reason, "ZeroDivisionError: zero")

    async def test_cut(self) -> None:
        """A content without a marked end is not whole, unless that will do."""
        server = self.serve(b"HTTP/1.0 200 OK\r\n\r\ncontent")
        server.closes = True
        self.assertEqual(await self.failure(WebFailure, server), "its end did not come")

        async def unmarked(response: Any) -> bytes:
            return await content_of(response, 100, takes_unmarked_end=True)

        self.assertEqual(await self.exchange(server, unmarked), b"content")

    async def test_trust(self) -> None:
        """Who is not vouched for gets no request, nor does anybody without our file."""
        server = self.serve()
        await self.failure(UntrustedHost, server, certificates="system")
        await self.failure(TemporaryFailure, server, certificates="/nonexistent")

        self.assertEqual(server.requests, [])

    async def test_allowed(self) -> None:
        """An address that is not allowed is not connected to."""
        server = self.serve()
        reason = await self.failure(WebFailure, server, is_allowed=lambda _a: False)

        self.assertIn("none of the Internet", reason)
        self.assertEqual(server.connections, 0)

    async def test_cancelled(self) -> None:
        """Who gives up is told of nothing else."""
        asked = Deferred.fromCoroutine(self.exchange(self.serve(answer()[:10])))
        asked.cancel()

        await self.assertFailure(asked, CancelledError)
