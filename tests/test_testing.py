"""The fakes behave as what they stand for."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ExpansionError, TemporaryFailure
from mta.host import Outcome
from mta.options import Source
from mta.taint import Tainted, is_tainted
from mta.testing import (
    FakeResolver,
    FakeVerification,
    FakeVerifier,
    MemoryLogs,
    MemoryLookups,
    PlainLanguage,
    result_of,
)


class ResultOfTests(SynchronousTestCase):
    """Driving a coroutine that never waits."""

    def test_waiting(self) -> None:
        """A coroutine that waits is an error of the test."""

        async def wait() -> None:
            await Deferred()

        self.assertRaises(AssertionError, result_of, wait())


class FakeResolverTests(SynchronousTestCase):
    """The DNS from a dictionary."""

    def setUp(self) -> None:
        self.resolver = FakeResolver(
            {
                ("Example.com", "MX"): [(10, "mx.example.com")],
                ("mx.example.com", "A"): ["192.0.2.1"],
                ("mx.example.com", "AAAA"): ["2001:db8::1"],
                ("slow.example", "A"): Outcome.AGAIN,
                ("192.0.2.1", "PTR"): ["mx.example.com"],
            }
        )

    def test_found(self) -> None:
        """Records are found without regard to case or a final dot."""
        answer = result_of(self.resolver.query("EXAMPLE.com.", "MX"))

        self.assertEqual(((10, "mx.example.com"),), answer.records)

    def test_no_data_and_no_domain(self) -> None:
        """A known name without the kind is told from an unknown name."""
        self.assertIs(
            Outcome.NO_DATA, result_of(self.resolver.query("example.com", "A")).outcome
        )
        self.assertIs(
            Outcome.NO_DOMAIN,
            result_of(self.resolver.query("nil.example", "A")).outcome,
        )

    def test_addresses(self) -> None:
        """IPv6 comes first, and one family that cannot be asked gives AGAIN."""
        found = result_of(self.resolver.addresses("mx.example.com"))
        again = result_of(self.resolver.addresses("slow.example"))
        ipv4 = result_of(self.resolver.addresses("mx.example.com", ipv6=False))

        self.assertEqual(("2001:db8::1", "192.0.2.1"), found.records)
        self.assertIs(Outcome.AGAIN, again.outcome)
        self.assertEqual(("192.0.2.1",), ipv4.records)

    def test_reverse_and_system(self) -> None:
        """PTR records stand under the address; the system's names come first."""
        self.resolver.system["localhost"] = ["127.0.0.1"]

        self.assertEqual(
            ("mx.example.com",), result_of(self.resolver.reverse("192.0.2.1")).records
        )
        self.assertEqual(
            ("127.0.0.1",),
            result_of(self.resolver.system_addresses("localhost")).records,
        )


class PlainLanguageTests(SynchronousTestCase):
    """The expansion language for tests."""

    def test_values(self) -> None:
        """Names stand for values, and taint is carried."""
        template = PlainLanguage().template("<$who> ${what}", Source())
        context = SimpleNamespace(values={"who": Tainted("a"), "what": "b"})

        result = result_of(template.expand(context))

        self.assertEqual("<a> b", result)
        self.assertTrue(is_tainted(result))

    def test_unknown_name(self) -> None:
        """An unknown name is an error."""
        template = PlainLanguage().template("$nothing", Source())

        self.assertRaises(
            ExpansionError, result_of, template.expand(SimpleNamespace(values={}))
        )

    def test_constant(self) -> None:
        """Text without a dollar sign is constant."""
        self.assertEqual("a", PlainLanguage().template("a", Source()).constant)
        self.assertIsNone(PlainLanguage().template("$a", Source()).constant)


class MemoryTests(SynchronousTestCase):
    """Logs, look-ups and the verifier."""

    def test_logs(self) -> None:
        """A rejection stands in main and reject log, its detail apart."""
        logs = MemoryLogs()

        logs.main("a")
        logs.reject("b", "id", "\nheaders")

        self.assertEqual(["a", "b"], logs.lines)
        self.assertEqual([("b", "id")], logs.reject_lines)
        self.assertEqual(["\nheaders"], logs.details)

    def test_lookups(self) -> None:
        """A missing key is None, a missing file a temporary failure."""
        lookups = MemoryLookups({("lsearch", "/f"): {"k": "v"}})

        self.assertEqual("v", result_of(lookups.find("lsearch", "/f", "k")))
        self.assertIsNone(result_of(lookups.find("lsearch", "/f", "x")))
        self.assertRaises(
            TemporaryFailure, result_of, lookups.find("lsearch", "/g", "k")
        )

    def test_verifier(self) -> None:
        """What was asked is kept, and addresses have their own results."""
        verifier = FakeVerifier(recipients={"a@b": FakeVerification("fail", "no")})

        self.assertEqual(
            "fail", result_of(verifier.verify_recipient("a@b", None)).outcome
        )
        self.assertEqual("ok", result_of(verifier.verify_sender("a@b", None)).outcome)
        self.assertEqual([("recipient", "a@b"), ("sender", "a@b")], verifier.asked)
