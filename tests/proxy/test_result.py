"""Tests of what is kept of a header."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.proxy.peer import ClientAddress
from mta.proxy.result import Endpoint, ProxyResult, ProxyStatus, plain

PROXY, OURS = Endpoint("10.0.0.1", 4711), Endpoint("::1", 25)


class ResultTests(SynchronousTestCase):
    """What came of a header."""

    def test_statuses(self) -> None:
        """Failures and health checks can be told from all others."""
        results = {status: ProxyResult(status, PROXY, OURS) for status in ProxyStatus}

        failed = {status.value for status, one in results.items() if one.has_failed}
        local = {status.value for status, one in results.items() if one.is_local}
        self.assertEqual((failed, local), ({"timeout", "invalid"}, {"local"}))

    def test_own_end(self) -> None:
        """A proxy that names its own end of the connection speaks for itself."""
        for client, is_local in (
            (PROXY, True),
            (Endpoint(PROXY.ip_address, 1), False),
            (None, False),
        ):
            result = ProxyResult(ProxyStatus.PROXIED, PROXY, OURS, client=client)
            self.assertIs(result.is_local, is_local)

    def test_words(self) -> None:
        """The words of $proxy_status."""
        self.assertEqual(
            {status.value for status in ProxyStatus},
            {"none", "proxied", "local", "unknown", "timeout", "invalid"},
        )

    def test_ends(self) -> None:
        """An end is written as logs write it."""
        self.assertEqual(f"{PROXY} {OURS}", "[10.0.0.1]:4711 [::1]:25")

    def test_mapped(self) -> None:
        """An IPv4 address in IPv6 clothes is IPv4, and nothing else is."""
        self.assertEqual(plain("::ffff:192.0.2.7"), "192.0.2.7")
        for other in ("::ffff:0:1", "192.0.2.7", "2001:db8::7", ""):
            self.assertEqual(plain(other), other)

    def test_peers(self) -> None:
        """Two clients are the same by address and port, whoever their proxy is."""
        here = ProxyResult(ProxyStatus.LOCAL, PROXY, OURS)
        there = ProxyResult(ProxyStatus.PROXIED, OURS, PROXY)

        one, other = (ClientAddress("TCP", "192.0.2.7", 1, r) for r in (here, there))
        self.assertEqual(one, other)
        self.assertNotEqual(one, ClientAddress("TCP", "192.0.2.7", 2, here))
