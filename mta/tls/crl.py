"""Is this certificate on that revocation list, and does the list count (RFC 5280)?

Nothing here reads a file, asks anybody, or raises for what a list holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from mta.tls.signatures import is_signed_by, is_trusted_algorithm

SKEW = 300.0
SIZE_LIMIT = 16 * 1024 * 1024
URL_LIMIT = 1000
POINTS_LIMIT = 4
_PEM = b"-----BEGIN X509 CRL-----"
_UNDERSTOOD = (ExtensionOID.ISSUING_DISTRIBUTION_POINT,)


class Finding(Enum):
    """What a list says of a certificate, or why it says nothing."""

    GOOD = "the certificate is not revoked"
    REVOKED = "the certificate is revoked"
    UNAVAILABLE = "there is no list"
    UNREADABLE = "it is not a CRL"
    FOREIGN = "it is for other certificates"
    UNVERIFIABLE = "its signature cannot be verified"
    NOT_YET_VALID = "it is not yet valid"
    EXPIRED = "it has expired"
    ENDLESS = "it does not say when it ends (nextUpdate)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a list is worth for one certificate; ``detail`` says more."""

    finding: Finding
    detail: str = ""

    @property
    def is_known(self) -> bool:
        """True where a list that counts says yes or no."""
        return self.finding in (Finding.GOOD, Finding.REVOKED)

    @property
    def reason(self) -> str:
        """The finding in words, for logs."""
        text = self.finding.value
        return f"{text}: {self.detail}" if self.detail else text


class UnusableList(Exception):
    """Octets that are no list which counts; ``verdict`` says why."""

    def __init__(self, finding: Finding, detail: str = "") -> None:
        self.verdict = Verdict(finding, detail)
        super().__init__(self.verdict.reason)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list that its issuer signed; times are in seconds since the epoch."""

    crl: x509.CertificateRevocationList
    this_update: float
    next_update: float
    size: int

    def is_current(self, now: float) -> bool:
        """Return whether the list may still be relied upon."""
        return now <= self.next_update + SKEW

    def judge(self, certificate: x509.Certificate, url: str, now: float) -> Verdict:
        """Return what the list says of a certificate that named this URL."""
        try:
            return self._judge(certificate, url, now)
        except Exception:
            # The library reads entries and extensions late, and raises what it likes.
            return Verdict(Finding.UNREADABLE)

    def _judge(self, certificate: x509.Certificate, url: str, now: float) -> Verdict:
        if not self.is_current(now):
            return Verdict(Finding.EXPIRED, f"at {_date(self.next_update)}")
        if problem := _why_foreign(self.crl, certificate, url):
            return Verdict(Finding.FOREIGN, problem)
        entry = self.crl.get_revoked_certificate_by_serial_number(
            certificate.serial_number
        )
        if entry is None:
            return Verdict(Finding.GOOD)
        return Verdict(Finding.REVOKED, f"at {_date(entry.revocation_date_utc)}")


def read_list(octets: bytes, issuer: x509.Certificate, now: float) -> RevocationList:
    """Return the list in some octets (DER or PEM) that this issuer signed.

    Raises UnusableList.
    """
    if len(octets) > SIZE_LIMIT:
        raise UnusableList(Finding.UNREADABLE, f"longer than {SIZE_LIMIT} octets")
    try:
        return _read_list(octets, issuer, now)
    except UnusableList:
        raise
    except Exception as error:
        raise UnusableList(Finding.UNREADABLE) from error


def _read_list(octets: bytes, issuer: x509.Certificate, now: float) -> RevocationList:
    load = x509.load_der_x509_crl
    if octets.lstrip().startswith(_PEM):
        load = x509.load_pem_x509_crl
    crl = load(octets)
    if crl.issuer != issuer.subject:
        raise UnusableList(Finding.FOREIGN, "another authority made it")
    if problem := _why_unverifiable(crl, issuer):
        raise UnusableList(Finding.UNVERIFIABLE, problem)
    for extension in crl.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            # Delta lists are among those.
            name = extension.oid.dotted_string
            raise UnusableList(Finding.FOREIGN, f"critical extension {name}")
    begin = crl.last_update_utc.timestamp()
    if begin > now + SKEW:
        raise UnusableList(Finding.NOT_YET_VALID, f"before {_date(begin)}")
    if crl.next_update_utc is None:
        raise UnusableList(Finding.ENDLESS)
    end = crl.next_update_utc.timestamp()
    if now > end + SKEW:
        raise UnusableList(Finding.EXPIRED, f"at {_date(end)}")
    return RevocationList(crl, begin, end, len(octets))


def _why_unverifiable(
    crl: x509.CertificateRevocationList, issuer: x509.Certificate
) -> str:
    algorithm = crl.signature_algorithm_oid
    if not is_trusted_algorithm(algorithm):
        return f"algorithm {algorithm.dotted_string} is not accepted"
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        pass
    else:
        if not usage.crl_sign:
            return "its issuer may not sign lists"
    key = issuer.public_key()
    if not is_signed_by(key, algorithm, crl.signature, crl.tbs_certlist_bytes):
        return "it is not of the issuer's key"
    return ""


def _why_foreign(
    crl: x509.CertificateRevocationList, certificate: x509.Certificate, url: str
) -> str:
    """Return why a list does not cover a certificate (section 6.3.3, step b)."""
    if crl.issuer != certificate.issuer:
        return "another authority made it"
    try:
        scope = crl.extensions.get_extension_for_class(
            x509.IssuingDistributionPoint
        ).value
    except x509.ExtensionNotFound:
        return ""
    if scope.indirect_crl or scope.only_some_reasons:
        return "it tells only a part"
    if scope.only_contains_ca_certs or scope.only_contains_attribute_certs:
        return "it is for other kinds"
    if scope.relative_name is not None:
        return "its distribution point has no URL"
    if scope.full_name is None:
        return ""
    # Who can choose which of an authority's lists is seen must not win by that.
    named = set(_urls(scope.full_name))
    for point in _points(certificate):
        urls = _urls(point.full_name or [])
        if url in urls and not named.isdisjoint(urls):
            return ""
    return "it has another distribution point"


def distribution_urls(certificate: x509.Certificate) -> list[str]:
    """Return where a certificate says that its issuer's lists are, by HTTP."""
    found: list[str] = []
    try:
        for point in _points(certificate):
            urls = _urls(point.full_name or [])
            found += [url for url in urls if _is_fetchable(url) and url not in found]
    except Exception:
        # The library has many names for what a certificate can hold.
        return []
    return found[:POINTS_LIMIT]


def names_responder(certificate: x509.Certificate) -> bool:
    """Return whether a certificate says where OCSP responses are to be had."""
    try:
        access = certificate.extensions.get_extension_for_class(
            x509.AuthorityInformationAccess
        ).value
    except Exception:
        return False
    return any(
        one.access_method == AuthorityInformationAccessOID.OCSP for one in access
    )


def _points(certificate: x509.Certificate) -> Iterator[x509.DistributionPoint]:
    """Give the points whose list tells everything, and is of the certificate's issuer.

    Raises anything for extensions that cannot be read.
    """
    try:
        points = certificate.extensions.get_extension_for_class(
            x509.CRLDistributionPoints
        ).value
    except x509.ExtensionNotFound:
        return
    for point in points:
        if point.reasons is None and point.crl_issuer is None:
            yield point


def _urls(names: list[x509.GeneralName]) -> list[str]:
    kind = x509.UniformResourceIdentifier
    return [name.value for name in names if isinstance(name, kind)]


def _is_fetchable(url: str) -> bool:
    if len(url) > URL_LIMIT or not url.isascii() or not url.isprintable():
        return False
    try:
        place = urlsplit(url)
        return (
            place.scheme == "http"
            and bool(place.hostname)
            and place.username is None
            and place.port != 0
            and " " not in url
        )
    except ValueError:
        return False


def _date(time: float | datetime) -> str:
    if not isinstance(time, datetime):
        time = datetime.fromtimestamp(time, UTC)
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")
