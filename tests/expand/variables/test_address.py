"""Tests of the variables that describe the address in hand."""

from __future__ import annotations

from mta.host import Host
from tests.expand.expansions import ExpansionTestCase, routed


class AddressTests(ExpansionTestCase):
    """An address in a router or an ACL."""

    def setUp(self) -> None:
        """Have an address that a router took apart."""
        super().setUp()
        self.address = self.context.address = routed(
            "Owner-Ann+x@Example.COM",
            prefix="owner-",
            suffix="+x",
            suffix_variable="x",
            local_part_data="ann",
            domain_data="example.com",
            address_data="data",
            router="r1",
            home="/home/ann",
            self_hostname="me.test",
            variables={"r_v": "1"},
        )
        self.address.local_part = "ann"

    def test_parts(self) -> None:
        """The parts, without affixes; the domain in lower case."""
        self.check(
            ("$local_part@$domain", "ann@example.com"),
            ("$local_part_prefix|$local_part_suffix", "owner-|+x"),
            ("$local_part_prefix_v|$local_part_suffix_v", "|x"),
            ("$local_part_data@$domain_data", "ann@example.com"),
        )

    def test_taint(self) -> None:
        """What the client sent is tainted, what lists gave is not."""
        self.assert_tainted("$domain")
        self.assert_trusted("$local_part_data@$domain_data")

    def test_routing(self) -> None:
        """What routers said."""
        self.check(
            ("$address_data|$router_name|$home", "data|r1|/home/ann"),
            ("$self_hostname|$r_v|$r_other", "me.test|1|"),
        )

    def test_originals(self) -> None:
        """Without a parent the address is its own original."""
        self.check(
            ("$original_local_part@$original_domain", "owner-ann+x@example.com"),
            ("$parent_local_part@$parent_domain", "@"),
        )

    def test_child(self) -> None:
        """A child knows its parent, and where all began."""
        child = routed("b@b.test", parent=self.address)
        self.context.address = routed("c@c.test", parent=child)
        self.check(
            ("$parent_local_part@$parent_domain", "b@b.test"),
            ("$original_local_part@$original_domain", "owner-ann+x@example.com"),
        )

    def test_pipe_and_file(self) -> None:
        """A command's local part is its parent's."""
        child = routed("owner-ann@example.com", parent=self.address, file_name="/f")
        self.context.address = child
        self.check(
            ("$address_file|$address_pipe|$local_part", "/f||ann"),
        )
        child.file_name, child.pipe_command = None, "/bin/cat"
        self.check(("$address_file|$address_pipe", "|/bin/cat"))

    def test_several(self) -> None:
        """For several addresses the local part is empty; the domain if they differ."""
        other = routed("b@example.com")
        self.context.addresses = [self.address, other]
        self.check(
            ("$local_part|$domain|$original_local_part", "|example.com|"),
        )
        other.domain = "example.org"
        self.check(("[$domain]", "[]"))

    def test_nothing(self) -> None:
        """Without an address all are empty."""
        self.context.address = None
        names = "local_part domain local_part_data address_data router_name home host"
        self.check(*((f"[${name}]", "[]") for name in names.split()))

    def test_host(self) -> None:
        """The host of a transport, or the first that a router found."""
        self.address.hosts = [Host("a.test", "192.0.2.1"), Host("b.test", "192.0.2.2")]
        self.check(("$host|$host_address|$host_port", "a.test||"))
        self.context.host = Host("b.test", "192.0.2.2", 26)
        self.context.transport_name = "smtp"
        self.check(
            ("$host|$host_address|$host_port", "b.test|192.0.2.2|26"),
            ("$transport_name", "smtp"),
        )
