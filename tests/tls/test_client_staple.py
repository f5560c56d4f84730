"""What staples are worth to a client, in numbers and words."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from mta.tls import client_staple
from mta.tls.client_staple import (
    Arrival,
    StapleResult,
    StapleVerdicts,
    names_responder,
)
from mta.tls.ocsp import Finding, Verdict
from tests.tls.proofs import DAY, HOUR, NOW, REVOKED, UNKNOWN, Authority

AUTHORITY = Authority()
HOST = AUTHORITY.issue()
SPEAKING = AUTHORITY.issue(responder="http://ocsp.example/")


class ResultTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        """$tls_out_ocsp is 0 to 4 by what came."""
        good = StapleResult(Arrival.JUDGED, Verdict(Finding.GOOD))
        bad = StapleResult(Arrival.JUDGED, Verdict(Finding.EXPIRED))

        numbers = [
            result.number
            for result in (
                StapleResult(),
                StapleResult(Arrival.NONE),
                StapleResult(Arrival.UNTRUSTED),
                StapleResult(Arrival.UNREADABLE),
                bad,
                good,
            )
        ]

        self.assertEqual(numbers, [0, 1, 2, 3, 3, 4])

    def test_each_finding_has_its_text(self) -> None:
        """Every way to fail has a text for the ``==`` line."""
        for finding in Finding:
            text = StapleResult(Arrival.JUDGED, Verdict(finding)).failure_text
            self.assertEqual(bool(text), finding is not Finding.GOOD, finding)

    def test_exims_words(self) -> None:
        """Failures and remarks begin as Exim's do."""
        for finding, failure, remark in (
            (
                Finding.EXPIRED,
                "Server certificate status is out-of-date: x",
                "OCSP dates invalid: x",
            ),
            (
                Finding.REVOKED,
                "Server certificate revoked: x",
                "Server certificate revoked; reason: x",
            ),
            (
                Finding.UNKNOWN,
                "Server certificate has unknown status: x",
                "Server certificate status unknown, in OCSP stapling: x",
            ),
            (
                Finding.UNVERIFIABLE,
                "Received TLS cert status response, itself unverifiable: x",
                "Received TLS cert status response, itself unverifiable: x",
            ),
        ):
            result = StapleResult(Arrival.JUDGED, Verdict(finding, "x"))

            self.assertEqual((result.failure_text, result.log_text), (failure, remark))

    def test_none(self) -> None:
        """A missing staple is worth a word only where it was required."""
        result = StapleResult(Arrival.NONE, detail="why")

        self.assertEqual(
            result.failure_text, "Required TLS certificate status not received (why)"
        )
        self.assertEqual((result.log_text, result.word), ("", "none"))

    def test_words(self) -> None:
        """What was not asked for has no field in the log, all else has."""
        self.assertEqual(StapleResult().word, "")
        for finding in Finding:
            result = StapleResult(Arrival.JUDGED, Verdict(finding))
            self.assertEqual(result.word, finding.name.lower())


class VerdictsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW.timestamp()
        self.verdicts = StapleVerdicts(lambda: self.now)
        self.judged = 0
        real = client_staple.judge

        def count(*arguments: Any, **options: Any) -> Verdict:
            self.judged += 1
            return real(*arguments, **options)

        self.patch(client_staple, "judge", count)

    def found(self, octets: bytes, host: x509.Certificate = HOST.certificate) -> str:
        """Return the word for what a staple says."""
        return self.verdicts.judge(octets, host, AUTHORITY.certificate).word

    def test_remembered(self) -> None:
        """The same staple for the same certificate is judged once."""
        staple = AUTHORITY.respond(HOST.certificate)

        words = [self.found(staple) for _ in range(3)]

        self.assertEqual((words, self.judged), (["good"] * 3, 1))

    def test_forgotten_in_time(self) -> None:
        """A good one is looked at again when it has ended."""
        staple = AUTHORITY.respond(HOST.certificate, end=NOW + HOUR)
        self.found(staple)
        self.now += 2 * HOUR.total_seconds()

        self.assertEqual(self.found(staple), "expired")

    def test_begins(self) -> None:
        """One that is not yet valid becomes good in its time."""
        staple = AUTHORITY.respond(HOST.certificate, begin=NOW + HOUR)
        early = self.found(staple)
        self.now += HOUR.total_seconds()

        self.assertEqual((early, self.found(staple)), ("not_yet_valid", "good"))

    def test_other_certificate(self) -> None:
        """What is good for one certificate says nothing of another."""
        staple = AUTHORITY.respond(HOST.certificate)
        self.found(staple)

        self.assertEqual(self.found(staple, SPEAKING.certificate), "foreign")

    def test_bounded(self) -> None:
        """No more than a number of verdicts is kept."""
        self.patch(client_staple, "REMEMBERED_LIMIT", 3)
        for number in range(10):
            self.found(b"garbage %d" % number)

        self.assertEqual(len(self.verdicts._known), 3)

    def test_bad_ones(self) -> None:
        """Revoked, unknown and unreadable ones keep their names."""
        for octets, word in (
            (AUTHORITY.respond(HOST.certificate, REVOKED), "revoked"),
            (AUTHORITY.respond(HOST.certificate, UNKNOWN), "unknown"),
            (AUTHORITY.respond(HOST.certificate, end=NOW - DAY), "expired"),
            (b"\x30", "unreadable"),
        ):
            self.assertEqual(self.found(octets), word)


class ResponderTests(SynchronousTestCase):
    def test_named(self) -> None:
        """A certificate says who answers for it, or does not."""
        self.assertTrue(names_responder(SPEAKING.certificate))
        self.assertFalse(names_responder(HOST.certificate))

    def test_reason(self) -> None:
        """A staple of a silent authority is missed for that reason."""
        verdicts = StapleVerdicts(NOW.timestamp)
        judged = verdicts.judge

        silent = judged(b"", HOST.certificate, AUTHORITY.certificate)
        lazy = judged(b"", SPEAKING.certificate, AUTHORITY.certificate)

        self.assertEqual(silent.detail, "the certificate names no responder")
        self.assertEqual(lazy.detail, "")
