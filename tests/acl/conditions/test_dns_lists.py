"""Tests of mta.acl.conditions.dns_lists."""

from __future__ import annotations

from mta.errors import ConfigurationError
from mta.expand.context import Context
from mta.expand.registry import Language
from mta.host import Outcome
from mta.options import Source
from mta.taint import Tainted
from mta.testing import result_of
from tests.acl.case import ACLCase

LISTED = "7.2.0.192.bl.example"


class DNSListCase(ACLCase):
    """A resolver with some lists."""

    def setUp(self) -> None:
        super().setUp()
        self.resolver.records[LISTED, "A"] = ["127.0.0.2", "127.0.0.4"]
        self.resolver.records[LISTED, "TXT"] = [b"open relay", b"more"]

    def is_listed(self, lists: str) -> bool:
        """Return what the condition comes to."""
        return self.is_true(f"dnslists = {lists}")

    def variables(self) -> list[str]:
        """Return domain, key and value of what was found."""
        names = ("dnslist_domain", "dnslist_matched", "dnslist_value")
        return [self.run.context.values.get(name, "") for name in names]


class ListTests(DNSListCase):
    """What is asked, and what is found."""

    def test_client(self) -> None:
        """The client's address is the key by default; the first hit counts."""
        self.assertTrue(self.is_listed("other.example : bl.example : last.example"))

        self.assertEqual(
            ["bl.example", "192.0.2.7", "127.0.0.2, 127.0.0.4"], self.variables()
        )
        self.assertEqual(
            [("7.2.0.192.other.example", "A"), (LISTED, "A")], self.resolver.asked
        )

    def test_not_listed(self) -> None:
        """Nothing is told of a client that is on no list."""
        self.connection.peer_address = "192.0.2.8"

        self.assertFalse(self.is_listed("bl.example"))
        self.assertEqual(["", "", ""], self.variables())

    def test_local(self) -> None:
        """A local caller has no address, and is on no list."""
        self.connection.peer_address = ""

        self.assertFalse(self.is_listed("bl.example"))
        self.assertEqual([], self.resolver.asked)

    def test_keys(self) -> None:
        """Keys may be given: names and addresses."""
        self.resolver.records["tld.example.bl.example", "A"] = ["127.0.0.1"]

        verdict = self.verdict(
            "accept dnslists = bl.example/192.0.2.9::$domain",
            values={"domain": Tainted("tld.example")},
        )

        self.assertEqual("accept", verdict.outcome.value)
        self.assertEqual(["bl.example", "tld.example", "127.0.0.1"], self.variables())

    def test_restriction(self) -> None:
        """Only some answers may count."""
        self.assertTrue(self.is_listed("bl.example=127.0.0.4"))
        self.assertFalse(self.is_listed("bl.example=127.0.0.3"))
        self.assertFalse(self.is_listed("bl.example==127.0.0.4"))

    def test_two_domains(self) -> None:
        """The first domain is the one that is told, if it has the key as well."""
        self.assertFalse(self.is_listed("sub.example,bl.example=127.0.0.2"))
        self.resolver.records["7.2.0.192.sub.example", "A"] = ["127.0.0.9"]
        self.assertFalse(self.is_listed("sub.example,bl.example=127.0.0.3"))
        self.assertTrue(self.is_listed("sub.example,bl.example=127.0.0.2"))

        self.assertEqual("sub.example", self.variables()[0])

    def test_hijacked(self) -> None:
        """Answers that no list gives are left out, and logged."""
        self.resolver.records[LISTED, "A"] = ["198.51.100.1"]

        self.assertFalse(self.is_listed("bl.example"))
        self.assertEqual(
            [
                "DNS list lookup for 192.0.2.7 at bl.example returned 198.51.100.1; "
                "not in 127.0/8 and discarded"
            ],
            self.logs.lines,
        )

    def test_long(self) -> None:
        """A name that the DNS cannot have is not asked for."""
        key = Tainted("a." * 200)

        self.verdict("accept dnslists = bl.example/$x", values={"x": key})

        self.assertEqual([], self.resolver.asked)
        self.assertIn("query is too long (ignored)", self.logs.panic_lines[0][0])

    def test_wrong(self) -> None:
        """A wrong argument is an error, when it is read if it can be."""
        self.assertRaises(
            ConfigurationError, self.parse, "accept dnslists = a.example=x"
        )
        verdict = self.verdict("accept dnslists = a.example=$x", values={"x": "y"})
        self.assertEqual("error", verdict.outcome.value)

    def test_no_resolver(self) -> None:
        """Without a resolver nothing can be decided."""
        self.site.resolver = None

        self.assertEqual("error", self.outcome("accept dnslists = bl.example"))


class TextTests(DNSListCase):
    """$dnslist_text."""

    def text(self) -> str:
        """Return the text after a condition."""
        template = Language.load().template("$dnslist_text", Source())
        context: Context = self.run.context
        return result_of(template.expand(context))

    def test_text(self) -> None:
        """It is looked up when it is wanted."""
        self.is_listed("bl.example")
        self.assertNotIn((LISTED, "TXT"), self.resolver.asked)

        self.assertEqual("open relay", self.text())
        self.assertIn((LISTED, "TXT"), self.resolver.asked)

    def test_none(self) -> None:
        """Without a hit, or a record, it is empty."""
        self.is_listed("other.example")
        self.assertEqual("", self.text())
        del self.resolver.records[LISTED, "TXT"]
        self.is_listed("bl.example")
        self.assertEqual("", self.text())


class DoubtTests(DNSListCase):
    """A list that cannot be asked."""

    def setUp(self) -> None:
        super().setUp()
        self.resolver.records["7.2.0.192.down.example", "A"] = Outcome.AGAIN

    def test_excluded(self) -> None:
        """It has nothing, and the next one is asked."""
        self.assertFalse(self.is_listed("down.example"))
        self.assertTrue(self.is_listed("down.example : bl.example"))
        self.assertEqual(
            "DNS list lookup defer (probably timeout) for "
            "7.2.0.192.down.example: assumed not in list",
            self.logs.lines[0],
        )

    def test_included(self) -> None:
        """It may be taken to have the client."""
        self.assertTrue(self.is_listed("+include_unknown : down.example"))
        self.assertEqual(["down.example", "192.0.2.7", ""], self.variables())
        self.assertIn("assumed in list", self.logs.lines[0])

    def test_deferred(self) -> None:
        """The client may be told to come again."""
        verdict = self.verdict("deny dnslists = +defer_unknown : down.example")

        self.assertEqual("defer", verdict.outcome.value)
        self.assertEqual("", verdict.message)

    def test_what_follows(self) -> None:
        """A word is about what follows it, up to the next."""
        self.assertFalse(self.is_listed("down.example : +include_unknown"))
        self.assertFalse(
            self.is_listed("+include_unknown : +exclude_unknown : down.example")
        )

    def test_other_key(self) -> None:
        """Another key of the same list that is found overrides the doubt."""
        self.resolver.records["x.down.example", "A"] = ["127.0.0.2"]

        self.assertTrue(self.is_listed("+defer_unknown : down.example/192.0.2.7::x"))
