"""DNSSEC's part in which hosts are tried."""

from __future__ import annotations

from mta.host import Answer, Host, Outcome
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Verdict
from mta.routers.dnssec import is_literal
from tests.routers.routing import RouterTestCase

SECURE = Answer(Outcome.FOUND, ("192.0.2.11",), True)
INSECURE = Answer(Outcome.FOUND, ("192.0.2.12",))
MX = Answer(Outcome.FOUND, ((1, "safe.test"), (2, "open.test")), True)


class ManualRouteTests(RouterTestCase):
    """``dnssec_request_domains`` and ``dnssec_require_domains`` of manualroute."""

    def setUp(self) -> None:
        super().setUp()
        self.resolver.records.update(
            {
                ("safe.test", "A"): SECURE,
                ("open.test", "A"): INSECURE,
                ("both.test", "MX"): MX,
            }
        )
        self.resolver.system["safe.test"] = ["192.0.2.11"]

    def route(self, hosts: str, **texts: str) -> tuple[Decision, RoutedAddress]:
        """Return where mail for a domain goes that has these hosts."""
        router = self.router("manualroute", route_list=f"* {hosts}", **texts)
        address = self.address("joe@x.test")
        return self.decide(router, address), address

    def hosts(self, hosts: str, **texts: str) -> list[tuple[str, bool]]:
        """Return the names of the hosts, and whether they are secure."""
        decision, address = self.route(hosts, **texts)
        self.assertIs(decision.verdict, Verdict.ACCEPT, decision.text)
        return [(host.name, host.secure) for host in address.hosts]

    def test_requested(self) -> None:
        """Hosts are as secure as their records, where that is asked for."""
        pair = [("safe.test", True), ("open.test", False)]

        self.assertEqual(self.hosts("safe.test:open.test"), pair)
        self.assertEqual(self.hosts("both.test/mx"), pair)
        self.assertEqual(
            self.hosts("safe.test", dnssec_request_domains="open.test"),
            [("safe.test", False)],
        )

    def test_required(self) -> None:
        """Those that are not, and must be, make mail wait."""
        for hosts in ("open.test", "safe.test:open.test", '"safe.test" byname'):
            decision, _ = self.route(hosts, dnssec_require_domains="*")

            self.assertIs(decision.verdict, Verdict.DEFER)
            self.assertIn(" done insecurely in r", decision.text)
            self.assertEqual(decision.error_name, "lookup")
        self.assertEqual(
            self.hosts("open.test", dnssec_require_domains="safe.test"),
            [("open.test", False)],
        )

    def test_required_of_mx(self) -> None:
        """Of the hosts of MX records those remain that are secure."""
        self.assertEqual(
            self.hosts("both.test/mx", dnssec_require_domains="both.test"),
            [("safe.test", True)],
        )

    def test_literal(self) -> None:
        """An IP address needs no records, and is secured by none."""
        self.assertEqual(
            self.hosts("192.0.2.99", dnssec_require_domains="*"),
            [("192.0.2.99", False)],
        )
        self.assertTrue(is_literal(Host("192.0.2.99", "192.0.2.99")))
        self.assertFalse(is_literal(Host("safe.test", "192.0.2.11")))

    def test_system(self) -> None:
        """What the operating system says is not secure."""
        self.assertEqual(self.hosts('"safe.test" byname'), [("safe.test", False)])
