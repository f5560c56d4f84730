"""Tests of the dnslookup router."""

from __future__ import annotations

from collections.abc import Sequence

from mta.host import Answer, Outcome
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Verdict
from tests.routers.routing import RouterTestCase


class DNSTestCase(RouterTestCase):
    """A test case with a DNS."""

    def setUp(self) -> None:
        """Have three mail hosts."""
        super().setUp()
        self.have("a.test", A=["192.0.2.11"])
        self.have("b.test", A=["192.0.2.12"], AAAA=["2001:db8::12"])
        self.have("c.test", A=["192.0.2.13"])

    def have(
        self, name: str, /, **records: Sequence[object] | Outcome | Answer
    ) -> None:
        """Give a name records by kind."""
        for kind, value in records.items():
            self.resolver.records[name, kind] = value

    def look_up(self, domain: str = "x.test", /, **texts: str) -> Decision:
        """Return what a router with options says of an address."""
        self.last: RoutedAddress = self.address(f"ann@{domain}")
        return self.decide(self.router("dnslookup", **texts), self.last)

    def hosts(self, domain: str = "x.test", /, **texts: str) -> list[str]:
        """Return the IP addresses of the hosts of an accepted address, in order."""
        decision = self.look_up(domain, **texts)
        self.assertEqual(decision.verdict, Verdict.ACCEPT, decision.text)
        return [host.ip_address for host in self.last.hosts]

    def names(self, /, **texts: str) -> list[str]:
        """Return the names of the hosts of an accepted address, in order."""
        self.hosts(**texts)
        return [host.name for host in self.last.hosts]


class MailExchangerTests(DNSTestCase):
    """Domains with MX records."""

    def test_order(self) -> None:
        """The host with the lowest number comes first; IPv6 before IPv4."""
        self.have("x.test", MX=[(20, "a.test"), (10, "b.test")])

        self.assertEqual(self.hosts(), ["2001:db8::12", "192.0.2.12", "192.0.2.11"])
        self.assertEqual([h.preference for h in self.last.hosts], [10, 10, 20])

    def test_mail_domain(self) -> None:
        """A host tells whose MX record names it, and is the same for all domains."""
        self.have("x.test", MX=[(10, "a.test")])
        self.have("y.test", MX=[(10, "a.test")])

        self.hosts("x.test")
        [host] = self.last.hosts
        self.hosts("y.test")

        self.assertEqual(host.mail_domain, "x.test")
        self.assertEqual(self.last.hosts[0].mail_domain, "y.test")
        self.assertEqual(self.last.hosts, [host])
        self.assertEqual(self.names(), ["a.test"])

    def test_spread(self) -> None:
        """Hosts with the same number come in random order."""
        self.have("x.test", MX=[(10, "a.test"), (10, "c.test"), (5, "b.test")])

        orders = {tuple(self.names(ipv4_only="yes")) for _ in range(60)}

        self.assertEqual(
            orders, {("b.test", "a.test", "c.test"), ("b.test", "c.test", "a.test")}
        )

    def test_addresses_spread(self) -> None:
        """So do the addresses of one host."""
        self.have("x.test", MX=[(10, "d.test")])
        self.have("d.test", A=["192.0.2.21", "192.0.2.22"])

        self.assertEqual(len({tuple(self.hosts()) for _ in range(60)}), 2)

    def test_families(self) -> None:
        """IPv4 can come first, or be all."""
        self.have("x.test", MX=[(10, "b.test")])

        found = self.hosts(ipv4_prefer="${if eq{a}{a}}")
        self.assertEqual(found, ["192.0.2.12", "2001:db8::12"])
        self.assertEqual(self.hosts(ipv4_only="yes"), ["192.0.2.12"])
        self.assertNotIn(("b.test", "AAAA"), self.resolver.asked[-1:])
        self.assertEqual(len(self.hosts(ipv4_only="${if eq{a}{b}{x}fail}")), 2)

    def test_repeated(self) -> None:
        """A host or address that is named twice is tried once."""
        self.have("x.test", MX=[(10, "a.test"), (20, "A.test"), (30, "d.test")])
        self.have("d.test", A=["192.0.2.11"])

        self.assertEqual(self.hosts(), ["192.0.2.11"])

    def test_null(self) -> None:
        """A null MX says that the domain takes no mail (RFC 7505)."""
        for name in (".", ""):
            self.have("x.test", MX=[(0, name)], A=["192.0.2.11"])
            self.assert_decision(
                self.look_up(),
                Verdict.FAIL,
                "an MX or SRV record indicated no SMTP service",
            )

    def test_no_such_hosts(self) -> None:
        """MX records of nothing but unknown hosts decline, and say why."""
        self.have(
            "x.test", MX=[(10, "none.test"), (20, "192.0.2.11")], A=["192.0.2.11"]
        )
        self.assert_decision(
            self.look_up(),
            Verdict.DECLINE,
            "all relevant MX records point to non-existent hosts",
        )

    def test_host_unknown_now(self) -> None:
        """A host that cannot be looked up now is left out, unless there is no other."""
        self.have("x.test", MX=[(10, "later.test"), (20, "a.test")])
        self.have("later.test", A=Outcome.AGAIN, AAAA=Outcome.AGAIN)
        self.assertEqual(self.hosts(), ["192.0.2.11"])

        self.have("x.test", MX=[(10, "later.test")])
        decision = self.look_up()
        self.assertEqual(decision.verdict, Verdict.DEFER)
        self.assertIn("later.test", decision.text)

    def test_many(self) -> None:
        """A domain cannot have us look up hosts without end."""
        self.have("x.test", MX=[(n, f"h{n}.test") for n in range(1000)])
        self.look_up()
        self.assertLess(len(self.resolver.asked), 300)


class SelfTests(DNSTestCase):
    """This host among the hosts of a domain."""

    def setUp(self) -> None:
        """Have a name for this host."""
        super().setUp()
        self.have("me.test", A=["192.0.2.1"])

    def test_secondary(self) -> None:
        """Hosts at or above our own number are left out: mail never goes back."""
        self.have(
            "x.test",
            MX=[(10, "a.test"), (20, "me.test"), (20, "b.test"), (30, "c.test")],
        )
        self.assertEqual(self.names(), ["a.test"])

    def test_primary(self) -> None:
        """Where this host is first, ``self`` says what happens."""
        self.have("x.test", MX=[(10, "me.test"), (20, "a.test")])
        decision = self.look_up()
        text = "remote host address is the local host"
        self.assert_decision(decision, Verdict.DEFER, text)
        self.assertTrue(decision.freeze)

    def test_equal(self) -> None:
        """The same where another host has the same number."""
        self.have("x.test", MX=[(10, "a.test"), (10, "me.test")])
        for _ in range(20):
            self.assertEqual(self.look_up(self="fail").verdict, Verdict.FAIL)

    def test_address_record(self) -> None:
        """And where the domain itself is this host."""
        self.have("x.test", A=["192.0.2.1"])
        self.assertEqual(self.look_up(self="fail").verdict, Verdict.FAIL)

    def test_check_secondary(self) -> None:
        """A router can be only for domains that this host is a secondary for."""
        self.have("x.test", MX=[(10, "a.test"), (20, "me.test")])
        self.assertEqual(self.names(check_secondary_mx="yes"), ["a.test"])
        self.have("x.test", MX=[(10, "a.test")])
        decision = self.look_up(check_secondary_mx="yes")
        self.assertEqual(decision.verdict, Verdict.DECLINE)

    def test_ignored(self) -> None:
        """Addresses that are ignored vanish before this host is looked for."""
        self.have("x.test", MX=[(10, "me.test"), (20, "a.test")])
        self.assertEqual(self.names(ignore_target_hosts="192.0.2.1"), ["a.test"])


class AddressRecordTests(DNSTestCase):
    """Domains without MX records."""

    def test_mail_domain(self) -> None:
        """No MX record names such a host."""
        self.hosts("a.test")

        self.assertEqual(self.last.hosts[0].mail_domain, "")

    def test_fall_back(self) -> None:
        """The domain is its own mail host."""
        self.have("x.test", A=["192.0.2.14"], AAAA=["2001:db8::14"])
        self.assertEqual(self.hosts(), ["2001:db8::14", "192.0.2.14"])
        self.assertEqual(self.last.hosts[0].preference, -1)

    def test_no_fall_back(self) -> None:
        """Not for domains that must have MX records."""
        self.have("x.test", A=["192.0.2.14"])
        decision = self.look_up(mx_domains="*.test")
        self.assertEqual(decision.verdict, Verdict.DECLINE)

    def test_unknown(self) -> None:
        """An unknown domain declines; no address record is asked for."""
        self.assertEqual(self.look_up("none.test").verdict, Verdict.DECLINE)
        self.assertEqual(self.resolver.asked, [("none.test", "MX")])

    def test_nothing(self) -> None:
        """So does one that has no record of use."""
        self.have("x.test", TXT=[b"hello"])
        self.assertEqual(self.look_up().verdict, Verdict.DECLINE)

    def test_literal(self) -> None:
        """An IP address in brackets is for another router."""
        self.assertEqual(self.look_up("[192.0.2.11]").verdict, Verdict.DECLINE)
        self.assertEqual(self.resolver.asked, [])

    def test_fail_defer(self) -> None:
        """Domains that may come to be await retry."""
        decision = self.look_up("none.test", fail_defer_domains="none.test")
        self.assertEqual(decision.verdict, Verdict.DEFER)
        decision = self.look_up("nil.test", fail_defer_domains="none.test")
        self.assertEqual(decision.verdict, Verdict.DECLINE)


class TroubleTests(DNSTestCase):
    """A DNS that does not answer."""

    def test_mail_exchanger(self) -> None:
        """No answer about MX records is never taken as none."""
        self.have("x.test", MX=Outcome.AGAIN, A=["192.0.2.14"])
        self.assert_decision(
            self.look_up(), Verdict.DEFER, "host lookup did not complete"
        )

    def test_tolerated(self) -> None:
        """But for domains whose DNS is known to be broken."""
        self.have("x.test", MX=Outcome.AGAIN, A=["192.0.2.14"])
        self.assertEqual(self.hosts(mx_fail_domains="x.test"), ["192.0.2.14"])

    def test_address(self) -> None:
        """No answer about addresses is none either."""
        self.have("x.test", MX=Outcome.NO_DATA, A=Outcome.AGAIN, AAAA=Outcome.AGAIN)
        self.assertEqual(self.look_up().verdict, Verdict.DEFER)

    def test_pass_on_timeout(self) -> None:
        """Another router can be asked then."""
        self.have("x.test", MX=Outcome.AGAIN)
        self.assertEqual(self.look_up(pass_on_timeout="yes").verdict, Verdict.PASS)


class SecureTests(DNSTestCase):
    """``dnssec_require_domains`` and ``dnssec_request_domains``."""

    def test_insecure(self) -> None:
        """Hosts whose records are not authenticated are not tried."""
        self.have("x.test", MX=[(10, "a.test")])
        self.assert_decision(
            self.look_up(dnssec_require_domains="*"),
            Verdict.DEFER,
            "host lookup done insecurely",
        )
        self.assertEqual(self.names(dnssec_require_domains="y.test"), ["a.test"])

    def test_secure(self) -> None:
        """Both MX and address records must be."""
        self.have(
            "x.test", MX=Answer(Outcome.FOUND, ((1, "a.test"), (2, "b.test")), True)
        )
        self.have("a.test", A=Answer(Outcome.FOUND, ("192.0.2.11",), True))
        self.have("a.test", AAAA=Answer(Outcome.NO_DATA, (), True))
        self.assertEqual(self.names(dnssec_require_domains="*"), ["a.test"])
        self.assertTrue(self.last.hosts[0].secure)

    def test_lookup_dnssec(self) -> None:
        """``$lookup_dnssec_authenticated`` tells of the first host."""
        records = ((1, "a.test"), (2, "b.test"))
        self.have("x.test", MX=Answer(Outcome.FOUND, records, True))
        for secure, texts, expected in (
            (True, {}, "yes"),
            (False, {}, "no"),
            (True, {"dnssec_request_domains": "y.test"}, ""),
            (True, {"dnssec_require_domains": "x.test"}, "yes"),
        ):
            self.have("a.test", A=Answer(Outcome.FOUND, ("192.0.2.11",), secure))
            self.names(**texts)
            self.assertEqual(self.context.lookup_dnssec, expected, texts)
            [host, *_] = self.last.hosts
            self.assertEqual(host.lookup_dnssec, expected)

    def test_secure_mx(self) -> None:
        """A name from a secure MX record is known for certain, wherever it is."""
        records = ((1, "a.test"),)
        self.have("a.test", A=Answer(Outcome.FOUND, ("192.0.2.11",)))
        for secure, texts, expected in (
            (True, {}, True),
            (False, {}, False),
            (True, {"dnssec_request_domains": "y.test"}, False),
        ):
            self.have("x.test", MX=Answer(Outcome.FOUND, records, secure))
            self.assertEqual(self.names(**texts), ["a.test"])
            [host] = self.last.hosts
            self.assertEqual((host.secure, host.mx_secure), (False, expected), texts)

    def test_requested(self) -> None:
        """Records count as authenticated only where that was asked for."""
        secure = Answer(Outcome.FOUND, ((1, "a.test"),), True)
        self.have("x.test", MX=secure)
        self.have("a.test", A=Answer(Outcome.FOUND, ("192.0.2.11",), True))
        self.have("a.test", AAAA=Answer(Outcome.NO_DATA, (), True))
        for texts, expected in (
            ({}, True),
            ({"dnssec_request_domains": "y.test"}, False),
            (
                {
                    "dnssec_request_domains": "y.test",
                    "dnssec_require_domains": "x.test",
                },
                True,
            ),
        ):
            self.assertEqual(self.names(**texts), ["a.test"])
            self.assertEqual(self.last.hosts[0].secure, expected, texts)
