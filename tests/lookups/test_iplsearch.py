"""The iplsearch look-up."""

from __future__ import annotations

from mta.errors import ExpansionError
from tests.lookups.files import LookupTestCase

NETWORKS = """\
1.2.3.4:           one
192.168.0.0/16:    net
192.168.1.0/24:    never
"abcd::cdab":      six
"abcd:abcd::/32"   sixnet
*: default
"""


class NetworkSearchTests(LookupTestCase):
    """Networks in a text file."""

    def test_match(self) -> None:
        """The first network that holds the address counts."""
        path = self.file(NETWORKS)
        for key, expected in (
            ("1.2.3.4", "one"),
            ("192.168.1.1", "net"),
            ("abcd::cdab", "six"),
            ("abcd:abcd:1::1", "sixnet"),
            ("ABCD:0::CDAB", "six"),
            ("1.2.3.5", None),
            ("name", None),
        ):
            self.assertEqual(self.find("iplsearch", path, key), expected, key)

    def test_default(self) -> None:
        """The key of the default is found only as such."""
        self.assertEqual(
            self.find("iplsearch*", self.file(NETWORKS), "9.9.9.9"), "default"
        )

    def test_full(self) -> None:
        """ret=full gives key and data."""
        found = self.find("iplsearch,ret=full", self.file(NETWORKS), "192.168.7.7")
        self.assertEqual(found, "192.168.0.0/16 net")
        with self.assertRaises(ExpansionError):
            self.find("iplsearch,ret=half", self.file(NETWORKS), "1.2.3.4")
