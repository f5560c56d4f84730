"""Tests of ``mta.expand.items.lookup``."""

from __future__ import annotations

from mta.errors import (
    ConfigurationError,
    ExpansionError,
    ForcedFailure,
    TemporaryFailure,
)
from mta.lookups.base import LookupResult
from mta.taint import Tainted
from tests.expand.expansions import LANGUAGE, ExpansionTestCase, routed


class FakeLookups:
    """Look-ups that find what a dictionary has, and remember what was asked."""

    def __init__(self, found: dict[str, str]) -> None:
        self.found = found
        self.asked: list[tuple[str, str, str]] = []

    def is_query(self, type_text: str) -> bool:
        """Return whether the type is ``sqlite``; raise for one type."""
        if type_text == "nonesuch":
            raise ExpansionError('unknown lookup type "nonesuch"')
        return type_text.startswith("sqlite")

    async def find(
        self, type_text: str, source: str, key: str, context: object = None
    ) -> str | None:
        """Return what the dictionary has."""
        self.asked.append((type_text, source, key))
        if key == "later":
            raise TemporaryFailure("try again")
        return self.found.get(key)


class LookupTests(ExpansionTestCase):
    """``lookup``."""

    def setUp(self) -> None:
        """Have some data, and a recipient."""
        super().setUp()
        self.lookups = FakeLookups({"user": "User Name", "select 1": "one"})
        self.context.site.lookups = self.lookups
        self.context.address = routed("user@example.com")

    def test_single_key(self) -> None:
        """The key, the type and the file are handed on, expanded."""
        self.check(
            (
                "${lookup{$local_part}partial-lsearch*,ret=key{/etc/$primary_hostname}}",
                N,
            )
        )
        asked = ("partial-lsearch*,ret=key", "/etc/localhost", "user")
        self.assertEqual(self.lookups.asked, [asked])

    def test_partial(self) -> None:
        """The two parts of a partial match are ``$1`` and ``$2`` in the choice."""
        found = LookupResult("data")
        found.captures = ("a.b", "example.com")
        self.lookups.found["a.b.example.com"] = found
        text = "${lookup{a.b.example.com}partial-lsearch{/f}{$1/$2/$value}}"
        self.check((f"{text}[$1]", "a.b/example.com/data[]"))

    def test_query(self) -> None:
        """A query has no file."""
        self.check(("${lookup sqlite,file=/f {select 1}{<$value>}{no}}", "<one>"))
        self.assertEqual(self.lookups.asked, [("sqlite,file=/f", "", "select 1")])

    def test_not_found(self) -> None:
        """Without a result it is the second string, nothing, or a forced failure."""
        self.check(
            ("${lookup{x}lsearch{/f}{y}{n}}${lookup{x}lsearch{/f}}", "n"),
            ("${lookup{x}lsearch{/f}{y}{${lookup{user}lsearch{/f}}}}", N),
        )
        self.check_errors(ForcedFailure, "${lookup{x}lsearch{/f}{$value}fail}")

    def test_value(self) -> None:
        """``$value`` nests, and is put back."""
        self.check(
            (
                "${lookup{user}lsearch{/f}{${lookup{$value}lsearch{/f}{y}{$value}}}}$value",
                N,
            )
        )

    def test_taint(self) -> None:
        """What is found for an outsider's key is trusted."""
        self.assert_trusted("${lookup{$local_part}lsearch{/f}}")

    def test_tainted_result(self) -> None:
        """What a look-up itself calls tainted stays so."""
        self.lookups.found["user"] = Tainted("from the net")

        self.assert_tainted("${lookup{user}lsearch{/f}}")

    def test_defer(self) -> None:
        """A look-up that should be tried again says so to the caller."""
        self.check_errors(TemporaryFailure, "${lookup{later}lsearch{/f}{y}{n}}")

    def test_without_lookups(self) -> None:
        """Where nothing can be looked up, it fails."""
        self.context.site.lookups = None

        self.check_errors(ExpansionError, "${lookup{a}lsearch{/f}}")

    def test_style(self) -> None:
        """A type must be given what it takes, and be known."""
        self.patch(LANGUAGE, "lookups", self.lookups)

        self.check(("${lookup{user}lsearch{/f}}", N))
        self.check_errors(
            ConfigurationError,
            "${lookup lsearch{/f}}",
            "${lookup{key}sqlite{/f}}",
            "${lookup{key}nonesuch{/f}}",
            "${lookup{key}{/f}}",
            "${lookup{key}lsearch}",
        )


N = "User Name"
