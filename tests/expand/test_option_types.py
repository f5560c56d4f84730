"""Option values that are expanded when they are used."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.address import Address
from mta.connection import Connection
from mta.errors import (
    ConfigurationError,
    ExpansionError,
    ForcedFailure,
    TemporaryFailure,
)
from mta.expand.context import Context, Site
from mta.expand.option_types import (
    AddressList,
    DomainList,
    Expanded,
    ExpandedBoolean,
    ExpandedInteger,
    ExpandedInterval,
    ExpandedList,
    HostList,
    ItemsExpanded,
    LocalPartList,
    expanded_boolean,
)
from mta.host import Host
from mta.lists.matching import Match
from mta.message import Message
from mta.options import Source
from mta.testing import FakeResolver, PlainLanguage, PlainTemplate, result_of


class FailingTemplate:
    """A template whose expansion fails in one way."""

    constant = None

    def __init__(self, text: str, error: Exception) -> None:
        self.text = text
        self._error = error

    async def expand(self, context: Any) -> str:
        """Fail."""
        raise self._error


class Language(PlainLanguage):
    """Knows ``$name``, ``$forced`` and ``$broken``."""

    def template(self, text: str, source: Source) -> Any:
        """Return the template."""
        if text == "$forced":
            return FailingTemplate(text, ForcedFailure("forced"))
        if text == "$broken":
            return FailingTemplate(text, ExpansionError("broken"))
        if text == "$later":
            return FailingTemplate(text, TemporaryFailure("later"))
        return PlainTemplate(text)


SOURCE = Source("mta.conf", 7, "x", Language())


def context(**values: str) -> Context:
    return Context(Site(resolver=FakeResolver()), values=values)


class ExpandedTests(SynchronousTestCase):
    """Plain strings."""

    def test_constant(self) -> None:
        """A string with nothing to expand needs no language."""
        template = Expanded.parse("a}b", Source())
        self.assertEqual(template.constant, "a}b")
        self.assertEqual(result_of(template.expand(None)), "a}b")

    def test_expanded(self) -> None:
        """Another is handed to the language."""
        template = Expanded.parse("a$b", SOURCE)
        self.assertIsNone(template.constant)
        self.assertEqual(result_of(template.expand(context(b="c"))), "ac")

    def test_without_language(self) -> None:
        """Without a language that is an error which names the place."""
        for text in ("a$b", "a\\b"):
            error = self.assertRaises(
                ConfigurationError, Expanded.parse, text, Source("f", 3, "opt")
            )
            self.assertIn("line 3 of f: opt", str(error))


class ExpandedValueTests(SynchronousTestCase):
    """Numbers, times and truth values."""

    def test_constants(self) -> None:
        """Constants are read with the configuration."""
        for kind, text, expected in (
            (ExpandedInteger, "5M", 5 << 20),
            (ExpandedInterval, "1h30m", 5400),
            (ExpandedBoolean, "Yes", True),
            (ExpandedBoolean, "false", False),
        ):
            value = kind.parse(text, SOURCE)
            self.assertEqual(value.constant, expected)
            self.assertEqual(result_of(value.value(context())), expected)

    def test_malformed_constant(self) -> None:
        """A malformed constant is an error of the configuration."""
        for kind, text in (
            (ExpandedInteger, "many"),
            (ExpandedInterval, "soon"),
            (ExpandedBoolean, "1"),
        ):
            self.assertRaises(ConfigurationError, kind.parse, text, SOURCE)

    def test_expanded(self) -> None:
        """Others are read when they are used."""
        value = ExpandedInteger.parse("$n", SOURCE)
        self.assertIsNone(value.constant)
        self.assertEqual(result_of(value.value(context(n="12"))), 12)
        with self.assertRaises(ExpansionError):
            result_of(value.value(context(n="x")))

    def test_forced_failure(self) -> None:
        """A forced failure comes out, unless the type has a value for it."""
        with self.assertRaises(ForcedFailure):
            result_of(ExpandedBoolean.parse("$forced", SOURCE).value(context()))
        value = expanded_boolean(True).parse("$forced", SOURCE)
        self.assertIs(result_of(value.value(context())), True)

    def test_text(self) -> None:
        """What was written can be shown."""
        self.assertEqual(ExpandedInteger.parse("$n", SOURCE).text, "$n")


class ListTests(SynchronousTestCase):
    """Lists of strings."""

    def test_expanded_list(self) -> None:
        """The whole is expanded, then split."""
        items = ExpandedList.parse("a : $b", SOURCE)
        self.assertEqual(result_of(items.items(context(b="c : d"))), ["a", "c", "d"])
        constant = ExpandedList.parse("<; a ; b", SOURCE)
        self.assertEqual(result_of(constant.items(context())), ["a", "b"])

    def test_items_expanded(self) -> None:
        """The whole is split, then each item expanded; forced failures drop out."""
        items = ItemsExpanded().parse("a : $forced : $b", SOURCE)
        self.assertEqual(result_of(items.items(context(b="c : d"))), ["a", "c : d"])

    def test_other_separator(self) -> None:
        """The option may have a separator of its own."""
        items = ItemsExpanded("\n").parse("X-A: 1\nX-B: 2", SOURCE)
        self.assertEqual(result_of(items.items(context())), ["X-A: 1", "X-B: 2"])


class SubjectListTests(SynchronousTestCase):
    """Lists of domains, addresses and local parts."""

    def test_constant(self) -> None:
        """A constant list is parsed with the configuration."""
        domains = DomainList.parse("*.ex", SOURCE)
        found = result_of(domains.match("a.ex", context()))
        self.assertEqual(found, Match("*.ex", ("a.ex", "a")))
        self.assertIsNone(result_of(domains.match("a.org", context())))

    def test_malformed_constant(self) -> None:
        """A malformed constant list is an error of the configuration."""
        for kind, text in ((DomainList, "^("), (HostList, "1.2.3.4/40")):
            error = self.assertRaises(ConfigurationError, kind.parse, text, SOURCE)
            self.assertIn("line 7 of mta.conf", str(error))

    def test_expanded(self) -> None:
        """Others are expanded for each use."""
        domains = DomainList.parse("$d", SOURCE)
        self.assertIsNotNone(result_of(domains.match("a", context(d="a : b"))))
        self.assertIsNone(result_of(domains.match("a", context(d="!a"))))

    def test_forced_failure(self) -> None:
        """A forced failure means that nothing is in the list."""
        domains = DomainList.parse("$forced", SOURCE)
        self.assertIsNone(result_of(domains.match("a", context())))
        hosts = HostList.parse("$forced", SOURCE)
        self.assertIsNone(result_of(hosts.match_client(context())))

    def test_other_failure(self) -> None:
        """Any other failure is a temporary one, and the log names the option."""
        for text in ("$broken", "$later"):
            domains = DomainList.parse(text, SOURCE)
            with self.assertRaises(TemporaryFailure):
                result_of(domains.match("a", context()))
        with self.assertRaises(TemporaryFailure) as caught:
            result_of(HostList.parse("$broken", SOURCE).match_client(context()))
        self.assertIn("for x: broken", caught.exception.log_text)

    def test_addresses(self) -> None:
        """Addresses are given as text; the null path is empty."""
        senders = AddressList.parse("a@b : :", SOURCE)
        for subject, expected in (("A@b", True), ("", True), ("c@b", False)):
            found = result_of(senders.match(subject, context()))
            self.assertEqual(found is not None, expected, subject)

    def test_caseful(self) -> None:
        """A caller may ask for case to matter."""
        local_parts = LocalPartList.parse("Bob", SOURCE)
        for caseful in (True, False):
            found = result_of(local_parts.match("bob", context(), caseful=caseful))
            self.assertEqual(found is None, caseful)

    def test_named_list(self) -> None:
        """A constant list may name others."""
        there = context()
        there.site.named_lists["domain"] = {"local": Expanded.parse("a : b", SOURCE)}
        domains = DomainList.parse("+local", SOURCE)
        self.assertIsNotNone(result_of(domains.match("b", there)))


class ClientListTests(SynchronousTestCase):
    """Lists of hosts."""

    def test_client(self) -> None:
        """The client of the connection is looked for."""
        hosts = HostList.parse("10.0.0.0/8", SOURCE)
        there = context()
        for ip_address, expected in (("10.1.2.3", True), ("192.0.2.1", False)):
            there.connection = Connection(peer_address=ip_address)
            found = result_of(hosts.match_client(there))
            self.assertEqual(found is not None, expected)

    def test_local_caller(self) -> None:
        """A local caller is only in a list with an empty item, or with all."""
        for text, expected in (("", False), (":", True), ("*", True), ("::1", False)):
            hosts = HostList.parse(text, SOURCE)
            found = result_of(hosts.match_client(context()))
            self.assertEqual(found is not None, expected, text)

    def test_target(self) -> None:
        """A host to deliver to has name and address."""
        hosts = HostList.parse("*.ex : 192.0.2.1 : $more", SOURCE)
        for host, expected in (
            (Host("a.ex", "192.0.2.9"), True),
            (Host("b.org", "192.0.2.1"), True),
            (Host("c.org", "192.0.2.9"), False),
        ):
            found = result_of(hosts.match_host(host, context(more="x.y")))
            self.assertEqual(found is not None, expected, host)


class NullSenderTests(SynchronousTestCase):
    """The sender as a message has it."""

    def test_text(self) -> None:
        """An address's text is what lists are given."""
        message = Message(sender=Address("a", "B.ex"))
        senders = AddressList.parse("*@b.ex", SOURCE)
        found = result_of(senders.match(message.sender.text, context()))
        self.assertIsNotNone(found)
