"""Tests for mta.delivery.tls_preview."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_preview import (
    OPTIONS,
    Demand,
    Foreseen,
    Standing,
    foresee,
)
from mta.delivery.tls_results import TLSResult
from mta.errors import ConfigurationError
from mta.expand.context import Context, Site
from mta.testing import FakeResolver, PlainLanguage, result_of
from mta.tls.verdict import TLSVerdict, absent, met, unmet

HOST = "mx.bank.example"
NO_OFFER = unmet("the server did not offer TLS support")
BROKEN = unmet("handshake failure", result_type="validation-failure")
# What hosts may prove, and what each option would have made of it: passes (+),
# fails (-), cannot be told (?); tls, ocsp, dane, verify, sts.
TABLE = {
    "nothing is wrong": (
        {
            "tls": met(),
            "chain": met(),
            "name": met(),
            "ocsp": met(),
            "dane": met(),
            "sts": met(),
        },
        "+++++",
    ),
    "TLS was not tried": ({}, "????+"),
    "no TLS offered": ({"tls": NO_OFFER}, "--?++"),
    "no TLS offered, policy in testing": (
        {"tls": NO_OFFER, "sts": unmet("no TLS")},
        "--?+-",
    ),
    "handshake failed": ({"tls": BROKEN}, "--?-+"),
    "TLS alone": ({"tls": met()}, "+??" + "?+"),
    "not verified": (
        {"tls": met(), "chain": unmet("self-signed certificate")},
        "+??-+",
    ),
    "for another name": (
        {"tls": met(), "chain": met(), "name": unmet("mismatch")},
        "+??-+",
    ),
    "any name will do": ({"tls": met(), "chain": met()}, "+??++"),
    "no staple": (
        {"tls": met(), "chain": met(), "ocsp": absent("none came")},
        "+-?++",
    ),
    "staple out of date": (
        {"tls": met(), "chain": met(), "ocsp": unmet("it has expired")},
        "+-?++",
    ),
    "revoked": (
        {
            "tls": met(),
            "chain": met(),
            "ocsp": unmet("Server certificate revoked; reason: keyCompromise"),
        },
        "+-?-+",
    ),
    "in a revocation list": (
        {"tls": met(), "chain": met(), "crl": unmet("the certificate is revoked")},
        "+??-+",
    ),
    "no TLSA records": (
        {"tls": met(), "chain": met(), "dane": absent("no TLSA records")},
        "+?-++",
    ),
    "no TLSA record fits": (
        {"tls": met(), "chain": met(), "dane": unmet("no record matches")},
        "+?-++",
    ),
    "DANE, and no authority": (
        {"tls": met(), "dane": met()},
        "+?+++",
    ),
    "policy in testing not met": (
        {"tls": met(), "chain": met(), "sts": unmet("in no pattern")},
        "+??+-",
    ),
}
SIGNS = {Standing.PASSES: "+", Standing.FAILS: "-", Standing.UNKNOWN: "?"}
DEMANDS = ("hosts_require_tls", "hosts_require_ocsp", "hosts_require_dane")


def demand(text: str) -> Demand:
    """Return what an option would demand."""
    return Demand.parse(text, PlainLanguage())


def result(verdict: TLSVerdict, deliveries: int = 1) -> TLSResult:
    """Return deliveries under a verdict."""
    return TLSResult(20_000, "bank.example", verdict, 1, deliveries, 0.0)


def foreseen(*demands: str, results: list[TLSResult]) -> list[Foreseen]:
    """Return what would have become of deliveries."""
    context = Context(Site(resolver=FakeResolver()))
    return result_of(foresee(results, [demand(one) for one in demands], context))


def judged(option: str, verdict: TLSVerdict) -> Foreseen:
    """Return what would have become of one delivery."""
    [found] = foreseen(option, results=[result(verdict)])
    return found


class TruthTableTests(SynchronousTestCase):
    """Every option with everything that hosts may prove."""

    def test_table(self) -> None:
        """Each option fails what it would not have let through, and no more."""
        everything = [f"{option}=*" for option in DEMANDS]
        everything += ["tls_verify_hosts=*", "mta_sts=enforce"]
        for situation, (checks, expected) in TABLE.items():
            verdict = TLSVerdict(host=HOST).having(**checks)

            found = [judged(option, verdict).judgement for option in everything]

            signs = "".join(SIGNS[one.standing] for one in found)
            self.assertEqual(signs, expected, situation)
            for one in found:
                self.assertEqual(bool(one.reason), one.standing is not Standing.PASSES)

    def test_reason(self) -> None:
        """What is missing is said in the words of the verdict."""
        verdict = TLSVerdict(host=HOST, tls=met(), ocsp=absent("none came"))

        found = judged("hosts_require_ocsp=*", verdict)

        self.assertEqual(found.option, "hosts_require_ocsp")
        self.assertEqual(found.judgement.reason, "no good OCSP response: none came")


class ListTests(SynchronousTestCase):
    """Which hosts a list is about."""

    def test_lists(self) -> None:
        """Lists are matched as a transport would: by name, address, negation."""
        verdict = TLSVerdict(host=HOST, ip_address="192.0.2.1", tls=NO_OFFER)
        for text, fails in (
            ("*", True),
            ("*.bank.example", True),
            ("MX.BANK.EXAMPLE", True),
            ("192.0.2.0/24", True),
            ("*.other.example : *.bank.example", True),
            ("*.other.example", False),
            ("! *.bank.example : *", False),
            ("192.0.3.0/24", False),
            ("", False),
        ):
            found = judged(f"hosts_require_tls={text}", verdict)

            expected = Standing.FAILS if fails else Standing.PASSES
            self.assertIs(found.judgement.standing, expected, text)

    def test_reduced(self) -> None:
        """Of results without a host only a list of all hosts can tell."""
        verdict = TLSVerdict(host=HOST, tls=NO_OFFER).reduced()

        every = judged("hosts_require_tls=*", verdict).judgement
        some = judged("hosts_require_tls=*.bank.example", verdict).judgement

        self.assertIs(every.standing, Standing.FAILS)
        self.assertIs(some.standing, Standing.UNKNOWN)


class ForeseeTests(SynchronousTestCase):
    """Several results, several demands."""

    def test_only_deliveries(self) -> None:
        """What was not delivered cannot fail."""
        verdict = TLSVerdict(host=HOST, tls=NO_OFFER)

        found = foreseen("hosts_require_tls=*", results=[result(verdict, 0)])

        self.assertEqual(found, [])

    def test_together(self) -> None:
        """Of several demands a failure counts before what cannot be told."""
        verdict = TLSVerdict(host=HOST, tls=NO_OFFER)
        demands = ("hosts_require_dane=*", "hosts_require_tls=*", "tls_verify_hosts=*")

        [found] = foreseen(*demands, results=[result(verdict)])

        self.assertIs(found.judgement.standing, Standing.FAILS)
        self.assertEqual(found.option, "hosts_require_tls")

        [found] = foreseen(demands[0], demands[2], results=[result(verdict)])

        self.assertIs(found.judgement.standing, Standing.UNKNOWN)
        self.assertEqual(found.option, "hosts_require_dane")


class DemandTests(SynchronousTestCase):
    """Options as they are written."""

    def test_names(self) -> None:
        """Each option is taken with its value."""
        for option in OPTIONS:
            value = "enforce" if option == "mta_sts" else "*.example"
            found = demand(f" {option} = {value} ")

            self.assertEqual((found.option, found.text), (option, value))

    def test_wrong(self) -> None:
        """Others are refused with the names that there are."""
        for text in ("", "hosts_require_tls", "hosts_request_ocsp=*", "=*", "x=y"):
            error = self.assertRaises(ConfigurationError, demand, text)
            self.assertIn("hosts_require_dane", str(error))
        error = self.assertRaises(ConfigurationError, demand, "mta_sts=testing")
        self.assertIn("the value is enforce", str(error))

    def test_bad_list(self) -> None:
        """A list that is none is refused."""
        self.assertRaises(ConfigurationError, demand, "hosts_require_tls=192.0.2.0/99")
