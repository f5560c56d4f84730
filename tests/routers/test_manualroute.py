"""Tests of the manualroute router."""

from __future__ import annotations

from typing import Any

from mta.errors import ExpansionError
from mta.host import Outcome
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Verdict
from mta.testing import result_of
from tests.routers.routing import RouterTestCase


class ManualRouteTestCase(RouterTestCase):
    """A test case with hosts to route to."""

    def setUp(self) -> None:
        """Have three hosts in the DNS and one in the system's files."""
        super().setUp()
        for number, name in enumerate(("a.test", "b.test", "c.test")):
            self.resolver.records[name, "A"] = [f"192.0.2.1{number}"]
        self.resolver.system["files"] = ["192.0.2.20"]

    def decision(self, domain: str = "x.test", /, **texts: str) -> Decision:
        """Return what a router with options says of an address."""
        self.last: RoutedAddress = self.address(f"ann@{domain}")
        return self.decide(self.router("manualroute", **texts), self.last)

    def hosts(self, domain: str = "x.test", /, **texts: str) -> list[str]:
        """Return the hosts of an accepted address, in order, with their ports."""
        decision = self.decision(domain, **texts)
        self.assertEqual(decision.verdict, Verdict.ACCEPT, decision.text)
        return [
            f"{host.ip_address}:{host.port}" if host.port else host.ip_address
            for host in self.last.hosts
        ]


class RuleTests(ManualRouteTestCase):
    """Which rule is for a domain."""

    def test_first(self) -> None:
        """The first rule that fits has the address."""
        rules = "x.test a.test; *.test b.test; !*.org c.test"
        self.assertEqual(self.hosts("x.test", route_list=rules), ["192.0.2.10"])
        self.assertEqual(self.hosts("Y.test", route_list=rules), ["192.0.2.11"])
        self.assertEqual(self.hosts("y.net", route_list=rules), ["192.0.2.12"])
        self.assertEqual(
            self.decision("y.org", route_list=rules).verdict, Verdict.DECLINE
        )

    def test_captures(self) -> None:
        """What the asterisk stood for can name the host; ``$0`` is the domain."""
        self.assertEqual(
            self.hosts("a.sub.test", route_list="*.sub.test $1.test"), ["192.0.2.10"]
        )
        self.assertEqual(self.hosts("b.test", route_list="b.test $0"), ["192.0.2.11"])

    def test_lookup(self) -> None:
        """A rule can look the domain up; what is found is ``$value``."""
        path = self.file("x.test: a.test\n")
        rule = f"lsearch;;{path} $value"
        self.assertEqual(self.hosts("x.test", route_list=rule), ["192.0.2.10"])
        self.assertEqual(
            self.decision("y.test", route_list=rule).verdict, Verdict.DECLINE
        )

    def test_lookup_fails(self) -> None:
        """A file that is missing makes the address wait."""
        router = self.router("manualroute", route_list="lsearch;;/nonesuch $value")
        self.routers = {"r1": router}
        self.assertEqual(len(self.route("a@x.test").deferred), 1)

    def test_named_list(self) -> None:
        """A rule can be for a named list."""
        self.site.named_lists["domain"] = {
            "ours": self.router("accept", transport="x.test : y.test").transport  # type: ignore[dict-item]
        }
        rule = "+ours a.test"
        self.assertEqual(self.hosts("y.test", route_list=rule), ["192.0.2.10"])
        self.assertEqual(
            self.decision("z.test", route_list=rule).verdict, Verdict.DECLINE
        )

    def test_forced_failure(self) -> None:
        """A forced failure among the hosts declines."""
        rule = 'x.test "${if eq{a}{b}{x}fail}"; * a.test'
        self.assertEqual(self.decision(route_list=rule).verdict, Verdict.DECLINE)

    def test_wrong(self) -> None:
        """Files as patterns and two transports are refused at once."""
        text = self.refusal("manualroute", route_list="/etc/x a.test")
        self.assertIn("may not be a file", text)
        text = self.refusal("manualroute", route_list="* a.test one two")
        self.assertIn('unknown routing option "two"', text)
        text = self.refusal("manualroute")
        self.assertIn("but not both", text)
        text = self.refusal("manualroute", route_list="* a", route_data="a")
        self.assertIn("but not both", text)


class DataTests(ManualRouteTestCase):
    """``route_data``."""

    def test_hosts(self) -> None:
        """Hosts and options in one text."""
        self.assertEqual(self.hosts(route_data="a.test"), ["192.0.2.10"])
        self.assertEqual(
            self.hosts(route_data='"a.test : b.test" byname'),
            ["192.0.2.10", "192.0.2.11"],
        )

    def test_lookup(self) -> None:
        """As operators use it: from a file, by domain."""
        path = self.file("x.test: a.test::2525 ipv4_only\n")
        data = f"${{lookup{{$domain}}lsearch{{{path}}}}}"
        self.assertEqual(self.hosts(route_data=data), ["192.0.2.10:2525"])
        decision = self.decision("y.test", route_data=data)
        self.assertEqual(decision.verdict, Verdict.DECLINE)

    def test_forced_failure(self) -> None:
        """A forced failure declines."""
        data = "${if eq{a}{b}{x}fail}"
        self.assertEqual(self.decision(route_data=data).verdict, Verdict.DECLINE)

    def test_wrong_option(self) -> None:
        """Options that are not known make the address wait."""
        router = self.router("manualroute", route_data="a.test one two")
        address = self.address("a@x.test")
        self.assertRaises(
            ExpansionError, result_of, router.route(address, self.context)
        )


class HostTests(ManualRouteTestCase):
    """Lists of hosts."""

    def test_order(self) -> None:
        """Hosts are tried in the order of the list, each once."""
        self.assertEqual(
            self.hosts(route_list="* b.test:a.test:b.test"),
            ["192.0.2.11", "192.0.2.10"],
        )

    def test_random(self) -> None:
        """On request in random order, but groups between plus signs stay apart."""
        for texts in (
            {"route_list": "* a.test:b.test:+:c.test randomize"},
            {"route_list": "* a.test:b.test:+:c.test", "hosts_randomize": "yes"},
        ):
            orders = {tuple(self.hosts(**texts)) for _ in range(60)}
            self.assertEqual(
                orders,
                {
                    ("192.0.2.10", "192.0.2.11", "192.0.2.12"),
                    ("192.0.2.11", "192.0.2.10", "192.0.2.12"),
                },
            )

    def test_not_random(self) -> None:
        """A rule can except itself; plus signs then mean nothing."""
        texts = {
            "route_list": "* a.test:+:b.test no_randomize",
            "hosts_randomize": "true",
        }
        orders = {tuple(self.hosts(**texts)) for _ in range(20)}
        self.assertEqual(orders, {("192.0.2.10", "192.0.2.11")})

    def test_ports(self) -> None:
        """A port may follow; another separator saves doubling colons."""
        for rule, expected in (
            ("* a.test::26", ["192.0.2.10:26"]),
            (
                '* "<; a.test:26 ; [2001:db8::1]:27; [192.0.2.30]"',
                [
                    "192.0.2.10:26",
                    "2001:db8::1:27",
                    "192.0.2.30",
                ],
            ),
            ('* "<, 2001:db8::2"', ["2001:db8::2"]),
            ("* 192.0.2.31::465", ["192.0.2.31:465"]),
        ):
            doubled = rule.replace(";", ";;")
            self.assertEqual(self.hosts(route_list=doubled), expected, rule)

    def test_wrong_host(self) -> None:
        """A malformed host makes the address wait."""
        for item in ("a.test::0", "a.test::99999", "a.test::x", "[192.0.2.1", "/mx"):
            router = self.router("manualroute", route_list=f"* {item}")
            self.assertRaises(
                ExpansionError,
                result_of,
                router.route(self.address("a@x.test"), self.context),
            )

    def test_by_mail_exchanger(self) -> None:
        """``/MX`` asks for the mail hosts of a domain."""
        self.resolver.records["y.test", "MX"] = [(20, "a.test"), (10, "b.test")]
        self.assertEqual(
            self.hosts(route_list="* y.test/MX::26:c.test"),
            ["192.0.2.11:26", "192.0.2.10:26", "192.0.2.12"],
        )

    def test_system(self) -> None:
        """Names are looked up in the DNS, then by the system; each can be all."""
        self.assertEqual(self.hosts(route_list="* files"), ["192.0.2.20"])
        self.assertEqual(self.hosts(route_list="* files byname"), ["192.0.2.20"])
        decision = self.decision(route_list="* files bydns")
        self.assertEqual(decision.verdict, Verdict.DEFER)

    def test_family(self) -> None:
        """A rule can ask for IPv4 alone, or first."""
        self.resolver.records["a.test", "AAAA"] = ["2001:db8::1"]
        rule = "* a.test"
        self.assertEqual(self.hosts(route_list=rule), ["2001:db8::1", "192.0.2.10"])
        rule = "* a.test ipv4_only"
        self.assertEqual(self.hosts(route_list=rule), ["192.0.2.10"])
        rule = "* a.test ipv4_prefer"
        self.assertEqual(self.hosts(route_list=rule), ["192.0.2.10", "2001:db8::1"])

    def test_transport(self) -> None:
        """A rule can name the transport, before the router's own."""
        self.router(
            "manualroute", route_list="x.test a.test one; * a.test", transport="two"
        )
        self.assertEqual(self.accepted("a@x.test").transport, "one")
        self.assertEqual(self.accepted("a@y.test").transport, "two")

    def test_local_transport(self) -> None:
        """For a transport on this machine nothing is looked up: the text is kept."""
        router = self.router(
            "manualroute", route_data="a b c".replace(" ", ":"), transport="pipe"
        )
        router.attach(transports={"pipe": _Local()})
        address = self.address("a@x.test")

        self.assertEqual(self.decide(router, address).verdict, Verdict.ACCEPT)
        self.assertEqual([host.name for host in address.hosts], ["a:b:c"])
        self.assertEqual(self.resolver.asked, [])


class _Local:
    is_remote = False


class TroubleTests(ManualRouteTestCase):
    """Hosts that are not to be found."""

    def test_find_failed(self) -> None:
        """What happens where a host does not exist can be chosen."""
        for word, verdict in (
            ("freeze", Verdict.DEFER),
            ("defer", Verdict.DEFER),
            ("fail", Verdict.FAIL),
            ("decline", Verdict.DECLINE),
            ("pass", Verdict.PASS),
        ):
            decision = self.decision(
                route_list="* none.test:a.test", host_find_failed=word
            )
            self.assertEqual(decision.verdict, verdict, word)
            self.assertEqual(decision.freeze, word == "freeze", word)
        decision = self.decision(route_list="* none.test")
        self.assertTrue(decision.freeze)
        self.assertIn('lookup of host "none.test" failed', decision.text)

    def test_ignored(self) -> None:
        """A host that does not exist can be passed over, for as long as one is left."""
        options = {"host_find_failed": "ignore"}
        self.assertEqual(
            self.hosts(route_list="* none.test:a.test", **options), ["192.0.2.10"]
        )
        decision = self.decision(route_list="* none.test:nil.test", **options)
        text = f"lookup of all hosts failed in {list(self.routers)[-1]} router"
        self.assert_decision(decision, Verdict.DEFER, text)
        self.assertFalse(decision.freeze)

    def test_all_ignored(self) -> None:
        """What happens where no host is left can be chosen too."""
        for word, verdict in (
            ("decline", Verdict.DECLINE),
            ("fail", Verdict.FAIL),
            ("pass", Verdict.PASS),
        ):
            decision = self.decision(
                route_list="* a.test:b.test",
                ignore_target_hosts="192.0.2.0/24",
                host_all_ignored=word,
            )
            self.assertEqual(decision.verdict, verdict, word)

    def test_no_answer(self) -> None:
        """Where the DNS does not answer the address waits."""
        self.resolver.records["later.test", "A"] = Outcome.AGAIN
        self.resolver.records["later.test", "AAAA"] = Outcome.AGAIN
        decision = self.decision(route_list="* later.test:a.test")
        self.assertEqual(decision.verdict, Verdict.DEFER)
        self.assertIn('host lookup for "later.test" did not complete', decision.text)
        decision = self.decision(route_list="* later.test", pass_on_timeout="yes")
        self.assertEqual(decision.verdict, Verdict.PASS)

    def test_no_hosts(self) -> None:
        """Without any host the address waits."""
        decision = self.decision(route_list="x.test")
        self.assert_decision(
            decision, Verdict.DEFER, "no host(s) specified for domain x.test"
        )

    def test_unknown_word(self) -> None:
        """Other words are refused when the configuration is read."""
        options: dict[str, Any] = {"host_all_ignored": "ignore"}
        text = self.refusal("manualroute", route_list="* a", **options)
        self.assertIn("is not one of", text)


class SelfTests(ManualRouteTestCase):
    """This host among the hosts of a rule."""

    def test_first(self) -> None:
        """``self`` says what happens where this host comes first."""
        for word, verdict in (("fail", Verdict.FAIL), ("send", Verdict.ACCEPT)):
            decision = self.decision(route_list="* 127.0.0.1:a.test", self=word)
            self.assertEqual(decision.verdict, verdict, word)

    def test_later(self) -> None:
        """Where it comes later it ends the list."""
        self.assertEqual(
            self.hosts(route_list="* a.test:127.0.0.1:b.test"), ["192.0.2.10"]
        )
