"""What revocation lists are worth."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from mta.tls import crl
from mta.tls.crl import (
    Finding,
    UnusableList,
    Verdict,
    distribution_urls,
    names_responder,
    read_list,
)
from tests.tls.lists import URL, issue, point, revocation_list, scope
from tests.tls.proofs import DAY, NOW, Authority, Holder

AUTHORITY = Authority()
HOST = issue(AUTHORITY, point(URL))
OTHER = issue(AUTHORITY, point(URL))
SECONDS = NOW.timestamp()


def verdict(
    octets: bytes,
    *,
    host: Holder = HOST,
    authority: Authority = AUTHORITY,
    url: str = URL,
    now: float = SECONDS,
) -> Verdict:
    """Return what a list says of a host's certificate."""
    try:
        found = read_list(octets, authority.certificate, now)
    except UnusableList as error:
        return error.verdict
    return found.judge(host.certificate, url, now)


class ListTests(SynchronousTestCase):
    """Lists that count, and others."""

    def check(self, finding: Finding, octets: bytes, detail: str = "") -> None:
        """Check what a list is worth for HOST."""
        found = verdict(octets)

        self.assertIs(finding, found.finding, found.reason)
        self.assertIn(detail, found.detail)
        self.assertIs(finding in (Finding.GOOD, Finding.REVOKED), found.is_known)

    def test_good(self) -> None:
        """A certificate that is not on its issuer's list is good."""
        self.check(Finding.GOOD, revocation_list(AUTHORITY))
        self.check(Finding.GOOD, revocation_list(AUTHORITY, OTHER.certificate))

    def test_revoked(self) -> None:
        """One that is on it is revoked."""
        listed = revocation_list(AUTHORITY, OTHER.certificate, HOST.certificate)

        self.check(Finding.REVOKED, listed, "at 2030-01-01 10:00:00 UTC")

    def test_pem(self) -> None:
        """A list may come as text."""
        self.check(
            Finding.REVOKED,
            revocation_list(AUTHORITY, HOST.certificate, encoding=Encoding.PEM),
        )

    def test_keys(self) -> None:
        """Authorities have keys of several kinds."""
        for key in (
            rsa.generate_private_key(65537, 2048),
            ec.generate_private_key(ec.SECP384R1()),
            ed25519.Ed25519PrivateKey.generate(),
        ):
            authority = Authority(key=key)
            host = issue(authority, point(URL))

            found = verdict(
                revocation_list(authority, host.certificate),
                host=host,
                authority=authority,
            )

            self.assertIs(Finding.REVOKED, found.finding)

    def test_dates(self) -> None:
        """A list counts from thisUpdate to nextUpdate, five minutes more or less."""
        minute = timedelta(minutes=1)
        for begin, end, finding in (
            (NOW - DAY, NOW - 4 * minute, Finding.GOOD),
            (NOW - DAY, NOW - 6 * minute, Finding.EXPIRED),
            (NOW + 4 * minute, NOW + DAY, Finding.GOOD),
            (NOW + 6 * minute, NOW + DAY, Finding.NOT_YET_VALID),
        ):
            self.check(finding, revocation_list(AUTHORITY, begin=begin, end=end))

    def test_kept_too_long(self) -> None:
        """A list that was good when it was read does not stay so."""
        found = read_list(revocation_list(AUTHORITY), AUTHORITY.certificate, SECONDS)

        late = found.judge(HOST.certificate, URL, SECONDS + 2 * 86400)

        self.assertIs(Finding.EXPIRED, late.finding)

    def test_forged(self) -> None:
        """The key of somebody else makes no list, whatever name it gives."""
        stranger = Authority()
        forged = revocation_list(AUTHORITY, key=stranger.key)

        self.check(Finding.UNVERIFIABLE, forged, "issuer's key")

    def test_other_authority(self) -> None:
        """Nor does a list of another authority say anything."""
        self.check(
            Finding.FOREIGN, revocation_list(Authority("Other")), "another authority"
        )

    def test_weak_signature(self) -> None:
        """Signatures that can be forged do not count."""
        rsa_authority = Authority(key=rsa.generate_private_key(65537, 2048))
        weak = revocation_list(rsa_authority, digest=hashes.SHA224())

        found = verdict(weak, authority=rsa_authority)

        self.assertIs(Finding.UNVERIFIABLE, found.finding)
        self.assertIn("is not accepted", found.detail)

    def test_issuer_may_not_sign(self) -> None:
        """An issuer whose key is not for lists has none."""
        delegate = AUTHORITY.delegate(signs=True)
        octets = revocation_list(
            AUTHORITY, issuer=delegate.certificate.subject, key=delegate.key
        )

        error = self.assertRaises(
            UnusableList, read_list, octets, delegate.certificate, SECONDS
        )

        self.assertIn("may not sign lists", str(error))

    def test_scope(self) -> None:
        """A list says what it is for; what it is not for, it does not clear."""
        other = "http://crl.example/other.crl"
        for stated, finding, detail in (
            (scope(URL), Finding.GOOD, ""),
            (scope(URL, only_contains_user_certs=True), Finding.GOOD, ""),
            (scope(other, URL), Finding.GOOD, ""),
            (scope(other), Finding.FOREIGN, "another distribution point"),
            (scope(only_contains_user_certs=True), Finding.GOOD, ""),
            (scope(only_contains_ca_certs=True), Finding.FOREIGN, "other kinds"),
            (
                scope(only_contains_attribute_certs=True),
                Finding.FOREIGN,
                "other kinds",
            ),
            (scope(URL, indirect_crl=True), Finding.FOREIGN, "only a part"),
            (
                scope(
                    URL,
                    only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}),
                ),
                Finding.FOREIGN,
                "only a part",
            ),
        ):
            octets = revocation_list(AUTHORITY, extensions=[(stated, True)])

            self.check(finding, octets, detail)

    def test_same_list_elsewhere(self) -> None:
        """A point with several URLs has one list, wherever it was fetched."""
        mirror = "http://mirror.example/list.crl"
        host = issue(AUTHORITY, point(mirror, URL))
        octets = revocation_list(AUTHORITY, extensions=[(scope(URL), True)])

        self.assertIs(Finding.GOOD, verdict(octets, host=host, url=mirror).finding)

    def test_delta(self) -> None:
        """A list of changes alone is none; nor one that we do not understand."""
        for extension in (
            x509.DeltaCRLIndicator(1),
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"),
        ):
            octets = revocation_list(AUTHORITY, extensions=[(extension, True)])

            self.check(Finding.FOREIGN, octets, "critical extension")

        number = [(x509.CRLNumber(7), False)]
        self.check(Finding.GOOD, revocation_list(AUTHORITY, extensions=number))

    def test_cut_anywhere(self) -> None:
        """Octets that are no list are nothing but unreadable."""
        octets = revocation_list(AUTHORITY, HOST.certificate)
        for end in range(len(octets)):
            self.assertIs(Finding.UNREADABLE, verdict(octets[:end]).finding, end)

    def test_changed_anywhere(self) -> None:
        """One wrong octet, and a list does not clear a certificate that is on it."""
        octets = revocation_list(AUTHORITY, HOST.certificate)
        for place in range(len(octets)):
            changed = bytearray(octets)
            changed[place] ^= 0x55

            self.assertIsNot(Finding.GOOD, verdict(bytes(changed)).finding, place)

    def test_hostile(self) -> None:
        """What a web server may send instead."""
        for octets in (
            b"<html>not found</html>",
            b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x80" * 5000,
            b"\x00" * 100_000,
            AUTHORITY.certificate.public_bytes(Encoding.DER),
        ):
            self.check(Finding.UNREADABLE, octets)

    def test_too_long(self) -> None:
        """Nobody reads a list without end."""
        self.patch(crl, "SIZE_LIMIT", 100)

        self.check(Finding.UNREADABLE, revocation_list(AUTHORITY), "longer than")


class PointTests(SynchronousTestCase):
    """Where a certificate says that lists are."""

    def test_urls(self) -> None:
        """URLs of HTTP, those of one point and of the next."""
        host = issue(
            AUTHORITY,
            point("ldap://ldap.example/cn=x", "http://a.example/1"),
            point("https://a.example/2"),
            point("http://b.example/3", "http://c.example:8080/4"),
        )

        self.assertEqual(
            ["http://a.example/1", "http://b.example/3", "http://c.example:8080/4"],
            distribution_urls(host.certificate),
        )

    def test_unusable(self) -> None:
        """Points whose list is another's, or only a part, are passed over."""
        host = issue(
            AUTHORITY,
            point(URL, reasons=frozenset({x509.ReasonFlags.ca_compromise})),
            point(URL, issuer="Somebody"),
            point(issuer="Somebody"),
        )

        self.assertEqual([], distribution_urls(host.certificate))

    def test_none(self) -> None:
        """Many certificates name nothing."""
        self.assertEqual([], distribution_urls(issue(AUTHORITY).certificate))

    def test_hostile(self) -> None:
        """URLs that nobody should fetch, and too many of them."""
        bad = (
            "http://",
            "http:///x",
            "http://user@a.example/x",
            "http://a.example:0/x",
            "http://a.example:99999/x",
            "http://[::1/x",
            "http://a.example/x\r\nHost: y",
            "http://a.example/x y",
            "file:///etc/passwd",
            "http://a.example/" + "x" * 1000,
        )
        good = tuple(f"http://a.example/{number}" for number in range(20))

        self.assertEqual(
            list(good[:4]),
            distribution_urls(issue(AUTHORITY, point(*bad, *good)).certificate),
        )

    def test_responder(self) -> None:
        """Whether a certificate has a responder is said in another place."""
        with_one = issue(AUTHORITY, point(URL), responder="http://ocsp.example/")

        self.assertTrue(names_responder(with_one.certificate))
        self.assertFalse(names_responder(HOST.certificate))
