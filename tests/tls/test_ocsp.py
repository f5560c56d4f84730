"""What an OCSP response says of a certificate."""

from __future__ import annotations

import math
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.ocsp import Finding, Verdict, der_of_pem, judge
from tests.tls.combined import combined
from tests.tls.proofs import (
    DAY,
    HOUR,
    NOW,
    REVOKED,
    SHA1,
    SHA256,
    UNKNOWN,
    Authority,
    pem,
    unsuccessful,
)
from tests.tls.verdicts import (
    AUTHORITY,
    HOST,
    SAMPLE,
    VerdictTestCase,
    seconds,
    verdict,
)


class StatusTests(VerdictTestCase):
    """What the responder says."""

    def test_good(self) -> None:
        """A good certificate's response is good, and tells its times."""
        found = verdict(AUTHORITY.respond(HOST.certificate))

        self.assertTrue(found.is_good)
        self.assertEqual("good", found.reason)
        self.assertEqual(seconds(NOW - HOUR), found.this_update)
        self.assertEqual(seconds(NOW + DAY), found.next_update)
        self.assertEqual(seconds(NOW + 365 * DAY), found.signer_end)
        self.assertEqual(seconds(NOW + DAY), found.effective_end)
        self.assertEqual(seconds(NOW + DAY) + 300, found.changes_at)

    def test_revoked(self) -> None:
        """A revoked one's says so, and why."""
        reason = x509.ReasonFlags.key_compromise
        response = AUTHORITY.respond(HOST.certificate, REVOKED, reason=reason)

        found = verdict(response)

        self.check(Finding.REVOKED, "keyCompromise", found)
        self.assertEqual("the certificate is revoked: keyCompromise", found.reason)

    def test_unknown(self) -> None:
        """One that the responder never heard of is not good."""
        found = verdict(AUTHORITY.respond(HOST.certificate, UNKNOWN))

        self.check(Finding.UNKNOWN, "", found)

    def test_unsuccessful(self) -> None:
        """A responder that has no answer proves nothing."""
        for status in ocsp.OCSPResponseStatus:
            if status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                found = verdict(unsuccessful(status))

                self.assertIs(Finding.UNSUCCESSFUL, found.finding)
        self.check(Finding.UNSUCCESSFUL, "try later", verdict(unsuccessful()))


class CertificateIdentifierTests(VerdictTestCase):
    """Whom a response is for."""

    def test_hashes(self) -> None:
        """The certificate may be named by SHA-1 and by newer hashes."""
        for algorithm in (SHA1, SHA256, hashes.SHA384(), hashes.SHA512()):
            response = AUTHORITY.respond(HOST.certificate, algorithm=algorithm)

            self.assertTrue(verdict(response).is_good, algorithm.name)

    def test_another(self) -> None:
        """A response for another certificate of the issuer is none for this one."""
        other = AUTHORITY.issue()

        found = verdict(AUTHORITY.respond(other.certificate))

        self.check(Finding.FOREIGN, "", found)

    def test_same_serial(self) -> None:
        """The serial number alone names nobody: the issuer must be the same too."""
        stranger = Authority("Stranger")
        double = stranger.issue(serial=HOST.certificate.serial_number)

        found = verdict(stranger.respond(double.certificate))

        self.check(Finding.FOREIGN, "", found)

    def test_same_name(self) -> None:
        """An issuer of the same name with another key is another issuer."""
        stranger = Authority()
        double = stranger.issue(serial=HOST.certificate.serial_number)

        found = verdict(stranger.respond(double.certificate))

        self.check(Finding.FOREIGN, "", found)

    def test_same_key(self) -> None:
        """So is one of another name with the same key."""
        renamed = Authority("Renamed", key=AUTHORITY.key)
        double = renamed.issue(serial=HOST.certificate.serial_number)

        found = verdict(renamed.respond(double.certificate))

        self.check(Finding.FOREIGN, "", found)

    def test_several(self) -> None:
        """Among what a response says of several certificates ours is found."""
        other = AUTHORITY.respond(AUTHORITY.issue().certificate, REVOKED)
        ours = AUTHORITY.respond(HOST.certificate)

        for responses in ([other, ours], [ours, other]):
            self.assertTrue(verdict(combined(responses, AUTHORITY.key)).is_good)

    def test_contradiction(self) -> None:
        """Where it says several things of one certificate the worst counts."""
        good = AUTHORITY.respond(HOST.certificate)
        unknown = AUTHORITY.respond(HOST.certificate, UNKNOWN, algorithm=SHA256)
        revoked = AUTHORITY.respond(HOST.certificate, REVOKED, algorithm=SHA256)
        for responses, finding in (
            ([good, unknown], Finding.UNKNOWN),
            ([good, revoked], Finding.REVOKED),
            ([unknown, revoked, good], Finding.REVOKED),
        ):
            for order in (responses, responses[::-1]):
                found = verdict(combined(order, AUTHORITY.key))

                self.assertIs(finding, found.finding)

    def test_out_of_date(self) -> None:
        """What is out of date does not count beside what is not."""
        past = AUTHORITY.respond(
            HOST.certificate, REVOKED, begin=NOW - 9 * DAY, end=NOW - 2 * DAY
        )
        good = AUTHORITY.respond(HOST.certificate)

        for responses in ([past, good], [good, past]):
            self.assertTrue(verdict(combined(responses, AUTHORITY.key)).is_good)

    def test_wrong_issuer(self) -> None:
        """Who did not issue the certificate cannot vouch for it."""
        stranger = Authority()
        response = stranger.respond(HOST.certificate)

        found = verdict(response, authority=stranger)

        self.check(Finding.NO_ISSUER, "", found)


class DateTests(VerdictTestCase):
    """When a response is good, give or take five minutes."""

    def setUp(self) -> None:
        self.response = AUTHORITY.respond(HOST.certificate, begin=NOW, end=NOW + DAY)

    def at(self, offset: float, moment: datetime = NOW) -> Verdict:
        """Return the verdict so many seconds from a moment."""
        now = seconds(moment) + offset
        return judge(self.response, HOST.certificate, AUTHORITY.certificate, now)

    def test_not_yet_valid(self) -> None:
        """It is not good more than 300 s before thisUpdate, and says until when."""
        early = self.at(-301)

        self.assertTrue(self.at(-300).is_good)
        self.check(Finding.NOT_YET_VALID, "before 2030-01-01 12:00:00 UTC", early)
        self.assertEqual(seconds(NOW) - 300, early.changes_at)

    def test_expired(self) -> None:
        """It is not good more than 300 s after nextUpdate, nor ever again."""
        late = self.at(301, NOW + DAY)

        self.assertTrue(self.at(300, NOW + DAY).is_good)
        self.check(Finding.EXPIRED, "at 2030-01-02 12:00:00 UTC", late)
        self.assertEqual(math.inf, late.changes_at)

    def test_endless(self) -> None:
        """Without a nextUpdate it is not good at all."""
        found = verdict(AUTHORITY.respond(HOST.certificate, end=None))

        self.check(Finding.ENDLESS, "", found)

    def test_revoked_long_ago(self) -> None:
        """What is out of date says nothing, not even that something was revoked."""
        response = AUTHORITY.respond(
            HOST.certificate, REVOKED, begin=NOW - 9 * DAY, end=NOW - 2 * DAY
        )

        self.assertIs(Finding.EXPIRED, verdict(response).finding)

    def test_end_of_host(self) -> None:
        """The end of the host's certificate is an end too."""
        host = AUTHORITY.issue(end=NOW + HOUR)

        found = verdict(AUTHORITY.respond(host.certificate), host=host)

        self.assertTrue(found.is_good)
        self.assertEqual(seconds(NOW + HOUR), found.effective_end)


class PEMTests(SynchronousTestCase):
    """Responses in PEM files."""

    def test_first(self) -> None:
        """The first response of a file is taken, whatever stands around it."""
        octets = b"comment\n" + HOST.pem + pem(SAMPLE) + pem(b"second")

        self.assertEqual(SAMPLE, der_of_pem(octets))

    def test_carriage_returns(self) -> None:
        """Lines may end in any way."""
        self.assertEqual(SAMPLE, der_of_pem(pem(SAMPLE).replace(b"\n", b"\r\n")))

    def test_none(self) -> None:
        """What holds none, or one that is broken off, gives nothing."""
        for octets in (b"", SAMPLE, HOST.pem, pem(SAMPLE)[:-20], pem(SAMPLE)[10:]):
            self.assertEqual(b"", der_of_pem(octets))

    def test_no_base64(self) -> None:
        """Nor does one with foreign characters inside."""
        self.assertEqual(b"", der_of_pem(pem(SAMPLE).replace(b"A", b"?", 1)))
