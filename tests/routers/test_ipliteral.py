"""Tests of the ipliteral router."""

from __future__ import annotations

from mta.routers.base import Verdict
from tests.routers.routing import RouterTestCase


class IPLiteralTests(RouterTestCase):
    """Domains that are an IP address in brackets."""

    def test_host(self) -> None:
        """The address is the host, in either notation."""
        self.router("ipliteral")
        for domain, expected in (
            ("[192.0.2.9]", "192.0.2.9"),
            ("[IPv6:2001:DB8::9]", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
        ):
            (host,) = self.accepted(f"ann@{domain}").hosts
            self.assertEqual((host.name, host.ip_address), (expected, expected))

    def test_others(self) -> None:
        """All else is for other routers."""
        router = self.router("ipliteral")
        for domain in ("x.test", "[nonsense]", "[300.0.0.1]"):
            decision = self.decide(router, f"ann@{domain}")
            self.assertEqual(decision.verdict, Verdict.DECLINE, domain)

    def test_ignored(self) -> None:
        """A host that is to be ignored does not exist."""
        router = self.router("ipliteral", ignore_target_hosts="192.0.2.0/24")
        decision = self.decide(router, "ann@[192.0.2.9]")
        self.assertEqual(decision.verdict, Verdict.DECLINE)

    def test_self(self) -> None:
        """``self`` is for this host."""
        router = self.router("ipliteral", self="fail")
        self.assertEqual(self.decide(router, "a@[192.0.2.1]").verdict, Verdict.FAIL)
        router = self.router("ipliteral", self="send")
        self.assertEqual(self.decide(router, "a@[127.0.0.1]").verdict, Verdict.ACCEPT)
