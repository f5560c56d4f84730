"""The dnsdb look-up."""

from __future__ import annotations

from mta.errors import ExpansionError, TemporaryFailure
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.host import Answer, Outcome
from mta.lookups.base import Lookups
from mta.lookups.dnsdb import parse_query
from mta.options import Source
from mta.taint import Tainted
from mta.testing import FakeResolver, result_of
from tests.lookups.files import LookupTestCase

LANGUAGE = Language.load()


class DNSDatabaseTests(LookupTestCase):
    """Records as text."""

    def setUp(self) -> None:
        super().setUp()
        self.resolver = FakeResolver(
            {
                ("a.ex", "A"): ["192.0.2.1", "192.0.2.2"],
                ("a.ex", "AAAA"): ["2001:db8::1"],
                ("a.ex", "MX"): [(10, "mx.ex"), (20, "mx2.ex")],
                ("a.ex", "TXT"): [b"v=spf1 -all"],
                ("a.ex", "SRV"): [(1, 2, 25, "s.ex")],
                ("a.ex", "TLSA"): [(3, 1, 1, b"\xab\xcd")],
                ("ex", "NS"): ["ns.ex"],
                ("192.0.2.1", "PTR"): ["a.ex"],
                ("2001:db8::1", "PTR"): ["six.ex"],
                ("slow.ex", "A"): Outcome.AGAIN,
                ("safe.ex", "A"): Answer(Outcome.FOUND, ("192.0.2.9",), secure=True),
            }
        )
        self.lookups = Lookups.load(resolver=self.resolver)

    def query(self, text: str) -> str | None:
        return self.find("dnsdb", "", text)

    def test_types(self) -> None:
        """Each type has its form."""
        for text, expected in (
            ("a=a.ex", "192.0.2.1\n192.0.2.2"),
            ("A = a.ex", "192.0.2.1\n192.0.2.2"),
            ("aaaa=a.ex", "2001:db8::1"),
            ("a+=a.ex", "2001:db8::1\n192.0.2.1\n192.0.2.2"),
            ("mx=a.ex", "10 mx.ex\n20 mx2.ex"),
            ("mxh=a.ex", "mx.ex\nmx2.ex"),
            ("txt=a.ex", "v=spf1 -all"),
            ("srv=a.ex", "1 2 25 s.ex"),
            ("tlsa=a.ex", "3 1 1 abcd"),
            ("zns=x.y.ex", "ns.ex"),
            ("ptr=192.0.2.1", "a.ex"),
            ("ptr=2001:db8::1", "six.ex"),
            ("a=none.ex", None),
        ):
            self.assertEqual(self.query(text), expected, text)

    def test_default_type(self) -> None:
        """Without a type TXT records are asked for."""
        self.assertEqual(self.query("a.ex"), "v=spf1 -all")

    def test_separators(self) -> None:
        """Record and field separators may be chosen."""
        self.assertEqual(self.query(">: a=a.ex"), "192.0.2.1:192.0.2.2")
        self.assertEqual(self.query(">;,/ mx=a.ex"), "10/mx.ex;20/mx2.ex")

    def test_several_names(self) -> None:
        """All names' records come together."""
        self.assertEqual(
            self.query("a=a.ex:safe.ex:none.ex"), "192.0.2.1\n192.0.2.2\n192.0.2.9"
        )

    def test_tainted(self) -> None:
        """What the DNS says is an outsider's text."""
        self.assertIsInstance(self.query("a=a.ex"), Tainted)

    def test_authenticated(self) -> None:
        """``$lookup_dnssec_authenticated`` tells whether all answers were."""
        for text, expected in (
            ("a=safe.ex", "yes"),
            ("dnssec_strict,a=safe.ex", "yes"),
            ("a=a.ex", "no"),
            ("a=safe.ex:a.ex", "no"),
            ("a=safe.ex:none.ex", "no"),
            ("a=none.ex", "no"),
            ("defer_never,a=slow.ex", "no"),
            ("dnssec_never,a=safe.ex", ""),
        ):
            context = Context(Site(lookups=self.lookups), lookup_dnssec="before")
            template = LANGUAGE.template(
                f"${{lookup dnsdb {{{text}}}}}|$lookup_dnssec_authenticated",
                Source("test"),
            )
            result = result_of(template.expand(context))
            self.assertEqual(result.rpartition("|")[2], expected, text)

    def test_not_authenticated(self) -> None:
        """The variable is there though the look-up must wait."""
        context = Context(Site(), lookup_dnssec="yes")
        asking = self.lookups.find("dnsdb", "", "dnssec_strict,a=a.ex", context)
        self.assertRaises(TemporaryFailure, result_of, asking)
        self.assertEqual(context.lookup_dnssec, "no")

    def test_trouble(self) -> None:
        """What happens when a name cannot be asked is the query's choice."""
        self.assertEqual(self.query("a=slow.ex:safe.ex"), "192.0.2.9")
        self.assertIsNone(self.query("defer_never,a=slow.ex"))
        for text in ("a=slow.ex", "defer_strict,a=safe.ex:slow.ex"):
            with self.assertRaises(TemporaryFailure):
                self.query(text)

    def test_dnssec_strict(self) -> None:
        """An answer without authentication counts as trouble."""
        self.assertEqual(self.query("dnssec_strict,a=safe.ex"), "192.0.2.9")
        with self.assertRaises(TemporaryFailure):
            self.query("dnssec_strict,a=a.ex")

    def test_unsupported(self) -> None:
        """What is not supported is an error."""
        for text in ("soa=a.ex", "csa=a.ex", "retry_3,a=a.ex", "x=a.ex"):
            with self.assertRaises(ExpansionError):
                self.query(text)

    def test_cut(self) -> None:
        """A query cut anywhere is read or refused, never more."""
        text = ">;,/ defer_strict,dnssec_lax,mx=<; a.ex ; b.ex"
        for end in range(len(text) + 1):
            try:
                parse_query(text[:end])
            except ExpansionError:
                continue
