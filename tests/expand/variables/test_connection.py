"""Tests of the variables that describe the client and the session."""

from __future__ import annotations

import os

from mta.connection import Connection
from mta.host import Outcome
from mta.taint import Tainted
from mta.testing import FakeResolver, MemoryLogs
from tests.expand.expansions import ExpansionTestCase, message


class ClientTests(ExpansionTestCase):
    """A client that said HELO."""

    def setUp(self) -> None:
        """Have a client without a name."""
        super().setUp()
        self.client = self.context.connection = Connection(
            "192.0.2.7",
            4711,
            "198.51.100.1",
            25,
            connection_id="c1",
            host_name="",
            helo_name=Tainted("helo.test"),
        )

    def test_ends(self) -> None:
        """Both ends of the connection."""
        self.check(
            ("$sender_host_address|$sender_host_port", "192.0.2.7|4711"),
            ("$received_ip_address|$received_port", "198.51.100.1|25"),
            ("$interface_address|$interface_port", "198.51.100.1|25"),
            ("$connection_id", "c1"),
        )
        self.assert_trusted("$sender_host_address")

    def test_full_host(self) -> None:
        """The client as logs and Received: fields name it."""
        self.check(
            ("$sender_fullhost", "(helo.test) [192.0.2.7]"),
            ("$sender_rcvhost", "[192.0.2.7] (helo=helo.test)"),
        )
        self.client.host_name = "name.test"
        self.client.ident = Tainted("root")
        self.check(
            ("$sender_fullhost", "name.test (helo.test) [192.0.2.7]"),
            ("$sender_rcvhost", "name.test ([192.0.2.7] helo=helo.test ident=root)"),
        )
        self.assert_tainted("$sender_fullhost")

    def test_same_name(self) -> None:
        """A name in HELO that says nothing more is left out."""
        self.client.host_name = "Helo.test"
        self.check(("$sender_fullhost", "Helo.test [192.0.2.7]"))
        self.client.host_name = ""
        self.client.helo_name = Tainted("[192.0.2.7]")
        self.check(
            ("$sender_fullhost", "[192.0.2.7]"), ("$sender_rcvhost", "[192.0.2.7]")
        )

    def test_port(self) -> None:
        """The port is there where the log selector says so."""
        self.context.site.logs = MemoryLogs(("incoming_port",))
        self.check(
            ("$sender_fullhost", "(helo.test) [192.0.2.7]:4711"),
            ("$sender_rcvhost", "[192.0.2.7] (port=4711 helo=helo.test)"),
        )

    def test_name_is_looked_up(self) -> None:
        """The client's name is looked up when it is asked for, once."""
        self.client.host_name = None
        resolver = FakeResolver(
            {
                ("192.0.2.7", "PTR"): ["name.test"],
                ("name.test", "A"): ["192.0.2.7"],
            }
        )
        self.context.site.resolver = resolver
        self.check(("$sender_host_name", "name.test"), ("$host_lookup_failed", "0"))
        asked = len(resolver.asked)
        self.check(("$sender_host_name", "name.test"))
        self.assertEqual(len(resolver.asked), asked)

    def test_no_name(self) -> None:
        """That there is none, or none to be had now, can be told apart."""
        resolver = self.context.site.resolver = FakeResolver()
        self.client.host_name = None
        self.check(
            ("[$sender_host_name]", "[]"),
            ("$host_lookup_failed$host_lookup_deferred", "10"),
        )
        self.client.host_name = None
        resolver.records["192.0.2.7", "PTR"] = Outcome.AGAIN
        self.check(
            ("[$sender_host_name]", "[]"),
            ("$host_lookup_failed$host_lookup_deferred", "01"),
        )

    def test_greeting(self) -> None:
        """What it said, and whether that was verified."""
        self.check(
            ("$sender_helo_name|$sender_helo_verified|$sender_ident", "helo.test|no|")
        )
        self.assert_tainted("$sender_helo_name")

    def test_dnssec(self) -> None:
        """Whether its names were found securely."""
        self.check(("$sender_host_dnssec|$sender_helo_dnssec", "no|no"))
        self.client.host_dnssec = True
        self.check(("$sender_host_dnssec|$sender_helo_dnssec", "yes|no"))
        self.client.helo_dnssec = True
        self.check(("$sender_host_dnssec|$sender_helo_dnssec", "yes|yes"))

    def test_authentication(self) -> None:
        """Who it proved to be."""
        self.check(
            ("[$sender_host_authenticated$authenticated_id]", "[]"),
            ("$authentication_failed", "0"),
        )
        self.client.authenticator, self.client.authenticated_id = "plain", "ann"
        self.client.authenticated_sender = "ann@x.test"
        self.check(
            ("$sender_host_authenticated|$authenticated_id", "plain|ann"),
            ("$authenticated_sender", "ann@x.test"),
        )
        self.context.message = message(authenticated_sender="b@x.test")
        self.check(("$authenticated_sender", "b@x.test"))

    def test_command(self) -> None:
        """The command in hand, and the protocol."""
        self.client.command = Tainted("RCPT TO:<a@b>")
        self.client.command_argument = Tainted("TO:<a@b>")
        self.client.esmtp = True
        self.check(
            ("$smtp_command|$smtp_command_argument", "RCPT TO:<a@b>|TO:<a@b>"),
            ("$received_protocol", "esmtp"),
        )
        self.assert_tainted("$smtp_command_argument")


class LocalCallerTests(ExpansionTestCase):
    """Somebody who calls the program on this machine."""

    def test_caller(self) -> None:
        """There are no hosts; the user is known."""
        self.context.connection = Connection(
            local_protocol="local", caller_uid=1001, caller_gid=1002, ident="ann"
        )
        self.check(
            ("[$sender_host_address$sender_host_name$sender_fullhost]", "[]"),
            ("[$sender_rcvhost$sender_host_port$received_port]", "[]"),
            ("$caller_uid|$caller_gid|$originator_uid", "1001|1002|1001"),
            ("$originator_gid|$sender_ident|$received_protocol", "1002|ann|local"),
        )

    def test_own(self) -> None:
        """Where nobody else called, it is this process."""
        self.check(("$caller_uid|$caller_gid", f"{os.getuid()}|{os.getgid()}"))
