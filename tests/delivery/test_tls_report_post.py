"""Reports are posted to servers that prove who they are, and to no others."""

from __future__ import annotations

from typing import Any

import trustme
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_report_post import PostFailure, ReportPoster, is_public
from mta.host import Outcome
from mta.testing import FakeResolver
from tests.tls.policy_host import AUTHORITY, PolicyHost, WebServerCase, answer

HOST = "reports.example.test"
OTHER = AUTHORITY.issue_cert("other.example.test")
STRANGE = trustme.CA().issue_cert(HOST)
CONTENT = b"\x1f\x8b" + bytes(range(256)) * 8


class Receiver(PolicyHost):
    """Answers once it has the whole content, as web servers do."""

    def buildProtocol(self, addr: Any) -> Any:
        protocol: Any = super().buildProtocol(addr)

        def received(data: bytes) -> None:
            protocol._asked += data
            if self.closes:
                protocol.transport.loseConnection()
            if protocol._asked.endswith(CONTENT):
                self.requests.append(protocol._asked)
                protocol.transport.write(self.said)

        protocol.dataReceived = received
        return protocol


class PostTests(WebServerCase):
    """A web server on the loopback."""

    host = HOST
    server = Receiver

    def poster(self, **options: Any) -> ReportPoster:
        """Return a poster that may speak to the loopback."""
        options = {
            "certificates": self.authority,
            "is_allowed": lambda _address: True,
            **options,
        }
        return ReportPoster(options.pop("reactor", reactor), self.resolver, **options)

    async def failure(self, port: int, **options: Any) -> str:
        """Return why a report is not taken."""
        try:
            url = f"https://{HOST}:{port}/v1/tlsrpt"
            await self.poster(**options).post(url, CONTENT)
        except PostFailure as failure:
            return str(failure)
        raise AssertionError("it was taken")

    async def test_posted(self) -> None:
        """The octets are posted to the place that the URL names, with their type."""
        host = self.serve()
        url = f"https://{HOST}:{host.port}/v1/tlsrpt?x=y"
        await self.poster().post(url, CONTENT)

        [request] = host.requests
        head, _, content = request.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.assertEqual(lines[0], "POST /v1/tlsrpt?x=y HTTP/1.1")
        self.assertIn("Content-Type: application/tlsrpt+gzip", lines)
        self.assertIn(f"Content-Length: {len(CONTENT)}", lines)
        self.assertIn(f"Host: {HOST}:{host.port}", lines)
        self.assertEqual(content, CONTENT)

    async def test_refused(self) -> None:
        """What is no success is a failure; redirections are not followed."""
        for said, reason in (
            (answer(b"", "302 Found", "Location: https://x.test/"), "HTTP status 302"),
            (answer(b"", "400 Bad"), "HTTP status 400"),
            (answer(b"", "503 Later"), "HTTP status 503"),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "ParseError"),
        ):
            host = self.serve(said)

            self.assertIn(reason, await self.failure(host.port), said)
            self.assertEqual(len(host.requests), 1)

    async def test_untrusted(self) -> None:
        """A server that cannot prove its name gets nothing."""
        for issued, reason in (
            (OTHER, "certificate name mismatch"),
            (STRANGE, "unable to get local issuer certificate"),
        ):
            host = self.serve(b"", issued)

            self.assertIn(reason, await self.failure(host.port))
            self.assertEqual(host.requests, [])

    async def test_no_tls(self) -> None:
        """Nor does one that speaks no TLS."""
        host = self.serve(b"", None)
        host.closes = True

        self.assertLess(len(await self.failure(host.port)), 300)
        self.assertEqual(host.requests, [])

    async def test_inner_network(self) -> None:
        """What is no address of the Internet is not connected to."""
        host = self.serve()

        reason = await self.failure(host.port, is_allowed=is_public)

        self.assertIn("none of the Internet", reason)
        self.assertEqual(host.connections, 0)

    async def test_nobody_there(self) -> None:
        """A port where nobody listens, and a name without address, are told."""
        host = Receiver(self.good)
        await host.stop()
        self.assertIn(f"{HOST} [127.0.0.1]: ", await self.failure(host.port))

        self.resolver.records[HOST, "A"] = Outcome.NO_DOMAIN
        self.assertIn("no IP address", await self.failure(host.port))

    async def test_no_certificates(self) -> None:
        """Without certificates to trust nothing is posted."""
        host = self.serve()

        reason = await self.failure(host.port, certificates="/nonexistent")

        self.assertIn("/nonexistent", reason)

    async def test_endless_answer(self) -> None:
        """A server that answers without end is cut off."""
        host = self.serve(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000)

        self.assertLess(len(await self.failure(host.port)), 300)
        self.flushLoggedErrors()


class TimeTests(SynchronousTestCase):
    """A server that does not answer."""

    def test_time_limit(self) -> None:
        """It is given up after a while."""
        clock = Clock()

        class Silent(FakeResolver):
            async def addresses(self, name: str, **_: Any) -> Any:
                return await Deferred()

        poster = ReportPoster(clock, Silent(), time_limit=60)
        posting = Deferred.fromCoroutine(poster.post(f"https://{HOST}/", CONTENT))
        clock.advance(59)
        self.assertNoResult(posting)
        clock.advance(2)

        failure = self.failureResultOf(posting, PostFailure)
        self.assertIn("no answer within 60 s", failure.getErrorMessage())


class PublicTests(SynchronousTestCase):
    """Addresses that a stranger may make us connect to."""

    def test_addresses(self) -> None:
        """Those of the Internet, and none of our own networks."""
        for address in ("192.0.43.8", "2a00:1450::1"):
            self.assertTrue(is_public(address), address)
        for address in (
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",  # noqa: S104 - it is refused
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
        ):
            self.assertFalse(is_public(address), address)
