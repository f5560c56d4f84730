"""Policies are fetched from hosts that prove who they are, and from no others."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable
from typing import Any

import trustme
from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater

from mta.errors import TemporaryFailure
from mta.host import Answer, Outcome
from mta.tls.host_names import is_for
from mta.tls.sts import FETCH_ERROR, WEBPKI_INVALID, FetchFailure
from mta.tls.sts_fetch import PolicyFetcher
from mta.tls.web_channel import SecureWebChannel
from tests.tls.policy_host import (
    AUTHORITY,
    DOMAIN,
    HOST,
    POLICY,
    PolicyHost,
    WebServerCase,
    answer,
)

STRANGER = trustme.CA()
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


class FetchCase(WebServerCase):
    """Fetches from a policy host."""

    async def fetch(self, host: PolicyHost, **options: Any) -> bytes:
        """Fetch from a policy host."""
        fetcher = PolicyFetcher(
            reactor,
            self.resolver,
            port=host.port,
            **{"certificates": self.authority, **options},
        )
        return await fetcher.fetch(DOMAIN)

    async def refused(self, fetched: Awaitable[bytes]) -> FetchFailure:
        """Return why there is no policy."""
        try:
            octets = await fetched
        except FetchFailure as failure:
            return failure
        raise AssertionError(f"fetched {octets!r}")


class FetchTests(FetchCase):
    """Responses of HTTP."""

    async def test_fetched(self) -> None:
        """The file of the well-known place is asked for, once, and returned."""
        host = self.serve()

        self.assertEqual(await self.fetch(host), POLICY)

        self.assertEqual(host.names, [HOST.encode()])
        [request] = host.requests
        lines = request.decode().split("\r\n")
        self.assertEqual(lines[0], "GET /.well-known/mta-sts.txt HTTP/1.1")
        self.assertIn(f"Host: {HOST}:{host.port}", lines)

    async def test_forms(self) -> None:
        """Chunks, parameters of the media type and an early response are understood."""
        chunks = b"".join(b"1\r\n%c\r\n" % octet for octet in POLICY) + b"0\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: TEXT/Plain; charset=utf-8\r\n"
        for said in (
            head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
            head + b"Content-Length: %d\r\n\r\n%s" % (len(POLICY), POLICY),
            b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(),
            answer(POLICY, "200 OK", "Content-Encoding: identity"),
        ):
            self.assertEqual(await self.fetch(self.serve(said)), POLICY, said[:60])

    async def test_refused(self) -> None:
        """What is no policy file is refused with a reason."""
        for said, reason in (
            (
                answer(b"", "302 Found", "Location: https://x.test/"),
                "redirects, to htt",
            ),
            (answer(b"", "301 Moved"), "it redirects, to nowhere"),
            (answer(POLICY, "404 Not Found"), "HTTP status 404"),
            (answer(POLICY, "206 Partial Content"), "HTTP status 206"),
            (answer(kind="text/html"), 'it is "text/html", not text/plain'),
            (answer(kind=""), 'it is "", not text/plain'),
            (answer(kind="text/plainer"), "not text/plain"),
            (answer(POLICY, "200 OK", "Content-Encoding: gzip"), "compressed"),
            (answer(b"x" * 65537), "more than 65536 octets"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "HTTP"),
            (b"\x00" * 1000 + b"\r\n", "ParseError"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "non-decimal"),
            (b"HTTP/1.1 two OK\r\n\r\n", "does not speak HTTP"),
        ):
            host = self.serve(said)
            host.closes = True

            failure = await self.refused(self.fetch(host))

            self.assertIn(reason, str(failure), said[:60])
            self.assertEqual(failure.result_type, FETCH_ERROR)
            self.assertLess(len(str(failure)), 400)

    async def test_greatest(self) -> None:
        """64 KiB are taken."""
        body = POLICY + b"\n" * (65536 - len(POLICY))

        self.assertEqual(await self.fetch(self.serve(answer(body))), body)

    async def test_endless(self) -> None:
        """Endless heads, fields, chunks and contents are cut off."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        for start, endless in (
            (b"x", b"x" * 10000),
            (head, b"X-Filler: " + b"y" * 10000 + b"\r\n"),
            (head, b"X: y\r\n" * 1000),
            (head + b"X: ", b"y" * 10000),
            (head + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000),
            (head + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 1000),
            (head + b"\r\n", b"x" * 10000),
            (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 C\r\n\r\n" * 100),
        ):
            host = self.serve(start)
            host.endless = endless

            failure = await self.refused(self.fetch(host))

            self.assertEqual(failure.result_type, FETCH_ERROR, start)
        self.flushLoggedErrors()

    async def test_cut(self) -> None:
        """A content whose end did not come is not taken for a whole one."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        whole = answer()
        for said in (
            head + b"\r\n" + POLICY,
            head + b"Transfer-Encoding: chunked\r\n\r\n40\r\n" + POLICY,
            head + b"Transfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%s\r\n" % (len(POLICY), POLICY),
            *(whole[:end] for end in range(1, len(whole), 23)),
        ):  # fmt: skip
            host = self.serve(said)
            host.closes = True
            await self.refused(self.fetch(host))

    async def test_silent(self) -> None:
        """A host that stops speaking costs no more than the limit."""
        for said in (b"HTTP", answer()[:40], answer()[:-1]):
            failure = await self.refused(self.fetch(self.serve(said), time_limit=0.3))
            self.assertEqual("it did not come within 0.3 s", str(failure))

    async def test_cancelled(self) -> None:
        """Who does not wait any more is not told of a failure, but of that."""
        for said in (b"HTTP/1.1 200 OK\r\n", answer()[:-1]):
            host = self.serve(said)
            fetched = Deferred.fromCoroutine(self.fetch(host))
            while not host.requests:
                await deferLater(reactor, 0.01)

            fetched.cancel()

            await self.assertFailure(fetched, CancelledError)


class TrustTests(FetchCase):
    """Certificates of policy hosts."""

    async def test_certificates(self) -> None:
        """A certificate that does not prove the host gets no request."""
        for issued, reason in (
            (STRANGER.issue_cert(HOST), "certificate"),
            (AUTHORITY.issue_cert("mta-sts.other.test"), "name mismatch"),
            (AUTHORITY.issue_cert(DOMAIN), "name mismatch"),
            (AUTHORITY.issue_cert("*.mta-sts.example.test"), "name mismatch"),
            (AUTHORITY.issue_cert("127.0.0.1"), "name mismatch"),
            (AUTHORITY.issue_cert("127.0.0.1", common_name=HOST), "name mismatch"),
            (AUTHORITY.issue_cert(HOST, not_after=LONG_AGO), "expired"),
        ):
            host = self.serve(issued=issued)

            failure = await self.refused(self.fetch(host))

            self.assertIn(reason, str(failure))
            self.assertEqual(failure.result_type, WEBPKI_INVALID)
            self.assertEqual(host.requests, [])

    async def test_unreadable(self) -> None:
        """A certificate over which our own code stumbles proves nothing."""
        host = self.serve()

        def stumble(*_: object) -> None:
            raise ZeroDivisionError

        self.patch(SecureWebChannel, "_certificate_problem", stumble)
        failure = await self.refused(self.fetch(host))

        self.assertIn("unreadable certificate (ZeroDivisionError)", str(failure))
        self.assertEqual(host.requests, [])

    async def test_wildcard(self) -> None:
        """A certificate for all names of the domain will do."""
        host = self.serve(issued=AUTHORITY.issue_cert(f"*.{DOMAIN}"))

        self.assertEqual(await self.fetch(host), POLICY)

    async def test_system(self) -> None:
        """The system does not know the tests' authority."""
        failure = await self.refused(self.fetch(self.serve(), certificates="system"))

        self.assertEqual(failure.result_type, WEBPKI_INVALID)

    async def test_no_certificates(self) -> None:
        """Without our file of authorities nobody can tell, and nobody is asked."""
        host = self.serve()

        with self.assertRaises(TemporaryFailure) as caught:
            await self.fetch(host, certificates="/nonexistent")

        self.assertIn("mta_sts_certificates = /nonexistent", caught.exception.log_text)
        self.assertEqual(host.connections, 0)

    async def test_no_tls(self) -> None:
        """A host that speaks HTTP in clear is refused."""
        failure = await self.refused(
            self.fetch(self.serve(issued=None), time_limit=0.5)
        )

        self.assertEqual(failure.result_type, FETCH_ERROR)

    def test_subject(self) -> None:
        """The common name does not count for policy hosts."""
        issued = AUTHORITY.issue_cert("192.0.2.1", common_name=HOST)
        leaf = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())

        self.assertTrue(is_for(leaf, HOST))
        self.assertFalse(is_for(leaf, HOST, by_subject=False))


class AddressTests(FetchCase):
    """Where policy hosts are."""

    async def test_next_address(self) -> None:
        """An address where nobody listens is passed over."""
        host = self.serve()
        self.resolver.records[HOST, "A"] = ["127.0.0.2", "127.0.0.1"]

        self.assertEqual(await self.fetch(host), POLICY)

    async def test_none_answers(self) -> None:
        """No more than four addresses are tried."""
        host = self.serve()
        self.resolver.records[HOST, "A"] = [f"127.0.0.{n}" for n in (2, 3, 4, 5, 1)]

        failure = await self.refused(self.fetch(host))

        self.assertIn("mta-sts.example.test [127.0.0.5]: Connection", str(failure))
        self.assertEqual(host.connections, 0)

    async def test_no_address(self) -> None:
        """A policy host that the DNS does not know is no host."""
        host = self.serve()
        for records, reason in (
            (Outcome.NO_DOMAIN, "no IP address"),
            (Outcome.NO_DATA, "no IP address"),
            (Answer(Outcome.AGAIN, text="no answer"), "no answer"),
        ):
            self.resolver.records = {(HOST, "A"): records, (HOST, "AAAA"): records}
            failure = await self.refused(self.fetch(host))
            self.assertEqual(f"{HOST}: {reason}", str(failure))

    def test_slow_resolver(self) -> None:
        """The limit counts from the question for the address."""
        clock = Clock()

        class Stuck:
            async def addresses(self, name: str) -> Answer:
                return await Deferred()

        fetcher = PolicyFetcher(clock, Stuck())
        result = Deferred.fromCoroutine(self.refused(fetcher.fetch(DOMAIN)))
        clock.advance(59)
        self.assertNoResult(result)
        clock.advance(1)

        self.assertEqual(
            "it did not come within 60 s", str(self.successResultOf(result))
        )
