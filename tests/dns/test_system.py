"""What the operating system knows of names and name servers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.dns.system import ResolverFile, ask_system, read_resolv_conf
from mta.host import Outcome

CONF = """\
# comment
nameserver 192.0.2.53
nameserver 2001:db8::53
nameserver 192.0.2.54
nameserver 192.0.2.55
options ndots:2 timeout:3 attempts:9 rotate
search example
"""


class ResolvConfTests(SynchronousTestCase):
    def read(self, text: str) -> ResolverFile:
        """Return what a file with a text says."""
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return read_resolv_conf(path)

    def test_file(self) -> None:
        """Three servers at most, time limit and attempts within bounds."""
        servers = [("192.0.2.53", 53), ("2001:db8::53", 53), ("192.0.2.54", 53)]

        self.assertEqual(self.read(CONF), ResolverFile(servers, 3.0, 5))

    def test_trust(self) -> None:
        """The option ``trust-ad`` is heeded, not what merely resembles it."""
        for options, trusts in (
            ("options edns0 trust-ad", True),
            ("options trust-ad:0", False),
            ("#options trust-ad", False),
            ("search trust-ad", False),
        ):
            self.assertIs(self.read(options + "\n").trusts_ad, trusts, options)

    def test_nothing(self) -> None:
        """Without a file or servers in it, this machine is asked."""
        default = ResolverFile([("127.0.0.1", 53)], 5.0, 2)

        self.assertEqual(self.read("options timeout:x\nnameserver\n"), default)
        self.assertEqual(read_resolv_conf("/nowhere/resolv.conf"), default)


class AskSystemTests(SynchronousTestCase):
    def test_localhost(self) -> None:
        """This machine has a name."""
        self.assertIn("127.0.0.1", ask_system("localhost").records)

    def test_no_name(self) -> None:
        """A name that is none does not exist."""
        self.assertIs(ask_system("a" * 70 + ".invalid").outcome, Outcome.NO_DOMAIN)
