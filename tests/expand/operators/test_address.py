"""Tests of ``mta.expand.operators.address``."""

# ruff: noqa: UP031 - braces abound in expansions, and would have to be doubled

from __future__ import annotations

from mta.errors import ExpansionError
from mta.taint import Tainted
from tests.expand.expansions import ExpansionTestCase


class MailAddressTests(ExpansionTestCase):
    """Operators on addresses as header fields write them."""

    def test_parts(self) -> None:
        """The address, its domain and its local part are taken out."""
        self.check(
            ("${address:Some One <some@one.example> (or two)}", "some@one.example"),
            ("${domain:<some@one.example>}", "one.example"),
            ("${local_part:some@one.example}", "some"),
        )

    def test_malformed(self) -> None:
        """What is no address gives nothing."""
        self.check(("${address:a b@c}${domain:@}${local_part:<a@b}", ""))

    def test_list(self) -> None:
        """The separator may be chosen, and is doubled inside an item."""
        self.check(
            ("${addresses:A <a@x>, bad address, (c) b@y}", "a@x:b@y"),
            ("${addresses:>& Chief <ceo@up.stairs>, sec@base.ment (dogsbody)}", CHIEFS),
            ("${addresses:>, a@[IPv6:::1]}", "a@[IPv6:::1]"),
            ("${addresses:a@[IPv6:::1]}", "a@[IPv6::::::1]"),
        )

    def test_taint(self) -> None:
        """Parts of a tainted string are tainted."""
        self.context.values["value"] = Tainted("a@b")

        self.assert_tainted("${domain:$value}")
        self.assert_tainted("${addresses:$value}")


CHIEFS = "ceo@up.stairs&sec@base.ment"


class IPAddressTests(ExpansionTestCase):
    """Operators on IP addresses."""

    def test_mask(self) -> None:
        """The host's bits are cleared; dots stand for colons, or not."""
        full = "3ffe:ffff:836f:0a00:000a:0800:200a:c031"
        self.check(
            ("${mask:10.111.131.206/28}", "10.111.131.192/28"),
            ("${mask:%s/99}" % full, "3ffe.ffff.836f.0a00.000a.0800.2000.0000/99"),
            ("${mask_n:%s/32}" % full, "3ffe:ffff::/32"),
            ("${mask:1.2.3.4/0}${mask:1.2.3.4/32}", "0.0.0.0/01.2.3.4/32"),
        )
        self.check_errors(
            ExpansionError, "${mask:1.2.3.4}", "${mask:1.2.3.4/33}", "${mask:x/1}"
        )

    def test_normal_forms(self) -> None:
        """IPv6 addresses have a short and a full form; IPv4 ones are mapped."""
        self.check(
            ("${ipv6norm:2001:0db8:0:0:0:0:0:1}", "2001:db8::1"),
            ("${ipv6norm:192.0.2.1}", "::ffff:c000:201"),
            ("${ipv6norm:::1.2.3.4}", "::102:304"),
            ("${ipv6norm:::ffff:1.2.3.4}", "::ffff:102:304"),
            ("${ipv6norm:::1}", "::1"),
            ("${ipv6denorm:::1}", "0000:" * 7 + "0001"),
            ("${ipv6denorm:1.2.3.4}", "0000:0000:0000:0000:0000:ffff:0102:0304"),
        )

    def test_reverse(self) -> None:
        """The order is that of the DNS."""
        self.check(
            ("${reverse_ip:192.0.2.4}", "4.2.0.192"),
            ("${reverse_ip:2001:db8::1}", "1." + "0." * 23 + "8.b.d.0.1.0.0.2"),
        )
        self.check_errors(ExpansionError, "${reverse_ip:x}", "${ipv6norm:1.2}")

    def test_result_is_trusted(self) -> None:
        """Digits of an address hold nothing dangerous."""
        self.context.values["value"] = Tainted("192.0.2.1")

        self.assert_trusted("${reverse_ip:$value}${mask:$value/8}")


class InternationalTests(ExpansionTestCase):
    """Operators that convert to and from A-labels."""

    def test_domain(self) -> None:
        """A domain goes there and back."""
        self.check(
            ("${utf8_domain_to_alabel:bücher.example}", "xn--bcher-kva.example"),
            ("${utf8_domain_from_alabel:xn--bcher-kva.example}", "bücher.example"),
            ("${utf8_domain_to_alabel:plain.example}", "plain.example"),
        )
        self.check_errors(ExpansionError, "${utf8_domain_to_alabel:é..}")

    def test_local_part(self) -> None:
        """A local part goes there and back."""
        self.check(
            ("${utf8_localpart_to_alabel:bücher}", "xn--bcher-kva"),
            ("${utf8_localpart_from_alabel:xn--bcher-kva}", "bücher"),
            ("${utf8_localpart_to_alabel:a}${utf8_localpart_from_alabel:b}", "ab"),
        )
        self.check_errors(ExpansionError, "${utf8_localpart_from_alabel:xn--é}")
