"""Host lists of smtp transports, and the keys of retry times."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.host import Host
from mta.transports.smtp_hosts import (
    host_key,
    interface_for,
    parse_host,
    parse_hosts,
    port_number,
    shuffled,
)


class HostListTests(SynchronousTestCase):
    def test_items(self) -> None:
        """Names and addresses, with and without a port."""
        for item, expected in (
            ("a.example", ("a.example", None)),
            ("a.example:26", ("a.example", 26)),
            ("192.0.2.1:26", ("192.0.2.1", 26)),
            ("2001:db8::1", ("2001:db8::1", None)),
            ("[2001:db8::1]:26", ("2001:db8::1", 26)),
            ("[192.0.2.1]", ("192.0.2.1", None)),
        ):
            self.assertEqual(parse_host(item), expected)

    def test_list(self) -> None:
        """Colons part the items; a doubled one belongs to an item."""
        found = parse_hosts("a.example::26 : b.example : ", randomize=False)

        self.assertEqual(found, [("a.example", 26), ("b.example", None)])

    def test_groups(self) -> None:
        """Random order stays within the groups that a plus parts."""
        orders = set()
        for _ in range(50):
            names = [n for n, _ in parse_hosts("a:b:c:+:d:e", randomize=True)]
            self.assertEqual(set(names[:3]), {"a", "b", "c"})
            orders.add("".join(names))
        self.assertGreater(len(orders), 1)

    def test_shuffled(self) -> None:
        """Hosts with an MX preference stay in order."""
        hosts = [Host(str(n), "192.0.2.1", preference=n) for n in range(9)]

        self.assertEqual(shuffled(hosts), hosts)


class PortTests(SynchronousTestCase):
    def test_ports(self) -> None:
        """Numbers and names of services."""
        self.assertEqual(port_number(" 2525 "), 2525)
        self.assertEqual(port_number("smtp"), 25)
        for text in ("0", "65536", "no-such-service", "-1", ""):
            self.assertRaises(ValueError, port_number, text)


class KeyTests(SynchronousTestCase):
    def test_keys(self) -> None:
        """Port and interface are part of a key where they are not the usual ones."""
        host = Host("a.example", "192.0.2.1")
        for facts, key in (
            ((25, "", True), "T:a.example:192.0.2.1"),
            ((26, "", True), "T:a.example:192.0.2.1:26"),
            ((25, "", False), "T:a.example"),
            ((25, "192.0.2.9", True), "T:a.example:192.0.2.1/192.0.2.9"),
        ):
            port, interface, with_address = facts
            found = host_key(host, port, interface, with_address=with_address)
            self.assertEqual(found, key)

    def test_interface(self) -> None:
        """The first of our addresses that fits the host's family."""
        ours = ["2001:db8::9", "192.0.2.9", "192.0.2.8"]

        self.assertEqual(interface_for("192.0.2.1", ours), "192.0.2.9")
        self.assertEqual(interface_for("2001:db8::1", ours), "2001:db8::9")
        self.assertEqual(interface_for("2001:db8::1", ours[1:]), "")
