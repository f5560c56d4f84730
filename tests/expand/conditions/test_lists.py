"""Tests of ``mta.expand.conditions.lists``."""

from __future__ import annotations

from mta.errors import ExpansionError
from mta.options import Source
from tests.expand.expansions import LANGUAGE, ExpansionTestCase, routed


class InListTests(ExpansionTestCase):
    """``inlist`` and ``inlisti``."""

    def test_membership(self) -> None:
        """The subject must be one of the items, with or without regard to case."""
        self.check(
            ("${if inlist{b}{a:b}{y}{n}}${if inlist{B}{a:b}{y}{n}}", "yn"),
            ("${if inlisti{B}{a:b}{y}{n}}${if inlist{b}{<, a,b}{y}{n}}", "yy"),
        )

    def test_value(self) -> None:
        """``$value`` is the list's own item, for the branch only."""
        self.context.values["value"] = "outer"

        self.check(("${if inlisti{NEEDLE}{a:nEEdle}{$value}}/$value", "nEEdle/outer"))

    def test_detaint(self) -> None:
        """The item of a trusted list is trusted."""
        self.context.address = routed("user@example.com")

        self.assert_trusted("${if inlist{$local_part}{root:user}{$value}}")


class MatchListTests(ExpansionTestCase):
    """``match_domain``, ``match_address``, ``match_local_part``."""

    def setUp(self) -> None:
        """Have a recipient and a named list."""
        super().setUp()
        self.context.address = routed("user@example.com")
        self.context.site.named_lists["domain"] = {
            "mine": LANGUAGE.template("a.example : example.com", Source())
        }

    def test_kinds(self) -> None:
        """Each takes what its kind of list may hold."""
        self.check(
            ("${if match_domain{$domain}{*.org:*.com}{y}{n}}", "y"),
            ("${if match_domain{$domain}{!*.com:*}{y}{n}}", "n"),
            (r"${if match_domain{$domain}{\N^ex(.*)\.com$\N}{$1}}", "ample"),
            ("${if match_address{$local_part@$domain}{*@example.com}{y}{n}}", "y"),
            ("${if match_local_part{$local_part}{root:USER}{y}{n}}", "y"),
        )

    def test_named_list(self) -> None:
        """A named list may be referred to."""
        self.check(("${if match_domain{$domain}{+mine}{y}{n}}", "y"))

    def test_list_is_not_expanded(self) -> None:
        """A dollar in the list is no variable."""
        self.check(("${if match_domain{$domain}{$domain}{y}{n}}", "n"))

    def test_value_is_trusted(self) -> None:
        """``$value`` comes from the list, and so may be a file name."""
        self.check(("${if match_domain{$domain}{+mine}{$value}}", "example.com"))
        self.assert_trusted("${if match_domain{$domain}{example.com}{$value}}")
        self.assertNotIn("value", self.context.values)


class MatchIPTests(ExpansionTestCase):
    """``match_ip``."""

    def test_items(self) -> None:
        """Addresses, networks, an asterisk and an empty item match."""
        self.check(
            ("${if match_ip{192.0.2.9}{10.0.0.1:192.0.2.0/24}{y}{n}}", "y"),
            ("${if match_ip{192.0.3.9}{192.0.2.0/24}{y}{n}}", "n"),
            ("${if match_ip{}{:192.0.2.1}{y}{n}}${if match_ip{}{1.2.3.4}{y}{n}}", "yn"),
            ("${if match_ip{2001:db8::5}{<; 2001:db8::/32}{y}{n}}", "y"),
            ("${if match_ip{127.0.0.1}{@[]}{y}{n}}", "y"),
        )

    def test_lookup_by_address(self) -> None:
        """A look-up's key is the address, as if ``net-`` stood before it."""
        self.context.site.lookups = _OneFile({"192.0.2.9"})

        self.check(
            ("${if match_ip{192.0.2.9}{10.0.0.1 : lsearch;/f}{y}{n}}", "y"),
            ("${if match_ip{192.0.2.8}{10.0.0.1 : net-lsearch;/f}{y}{n}}", "n"),
        )

    def test_name(self) -> None:
        """A name is no IP address."""
        self.check_errors(ExpansionError, "${if match_ip{host.example}{*}}")


class _OneFile:
    def __init__(self, keys: set[str]) -> None:
        self.keys = keys

    def is_query(self, type_text: str) -> bool:
        return False

    async def find(
        self, type_text: str, source: str, key: str, context: object = None
    ) -> str | None:
        return "found" if key in self.keys else None
