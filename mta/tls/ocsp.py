"""Is this OCSP response good for this certificate, now (RFC 6960)?

Nothing here reads a file, asks anybody, or raises for what a response holds.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from mta.tls.signatures import is_signed_by, is_trusted_algorithm

SKEW = 300.0
SIZE_LIMIT = 64 * 1024
_SIGNERS_TRIED = 8
_DELEGATES_KNOWN = 64
# SHA-1 names the certificate here; the signature is what protects (RFC 6960, 4.3).
_CERT_ID_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_BEGIN, _END = b"-----BEGIN OCSP RESPONSE-----", b"-----END OCSP RESPONSE-----"


class Finding(Enum):
    """What is wrong with a response, or that nothing is."""

    GOOD = "good"
    REVOKED = "the certificate is revoked"
    UNKNOWN = "the responder does not know the certificate"
    UNREADABLE = "it is not an OCSP response"
    UNSUCCESSFUL = "the responder gave no answer"
    NO_ISSUER = "the certificate's issuer is not known"
    FOREIGN = "it is for another certificate"
    UNVERIFIABLE = "its signature cannot be verified"
    NOT_YET_VALID = "it is not yet valid"
    EXPIRED = "it has expired"
    ENDLESS = "it does not say when it ends (nextUpdate)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a response is worth; times are in seconds since the epoch.

    ``detail`` says more about the finding.  ``effective_end`` is the earliest of
    nextUpdate and of the ends of the signer's and of the host's certificate: by then
    another response is needed.  The verdict stands until ``changes_at``.
    """

    finding: Finding
    detail: str = ""
    this_update: float = 0.0
    next_update: float = 0.0
    signer_end: float = 0.0
    effective_end: float = 0.0
    changes_at: float = math.inf

    @property
    def is_good(self) -> bool:
        """Whether a client would accept the response."""
        return self.finding is Finding.GOOD

    @property
    def reason(self) -> str:
        """The finding in words, for logs."""
        return (
            f"{self.finding.value}: {self.detail}"
            if self.detail
            else self.finding.value
        )


def judge(
    response: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    now: float,
    *,
    is_issuer_proved: bool = False,
) -> Verdict:
    """Return what a response (DER) says of a certificate that this issuer made.

    ``is_issuer_proved`` says that somebody has verified the issuer's signature on the
    certificate already, as OpenSSL does for its chains.
    """
    if len(response) > SIZE_LIMIT:
        return Verdict(Finding.UNREADABLE, f"longer than {SIZE_LIMIT} octets")
    if not response:
        return Verdict(Finding.UNREADABLE, "empty")
    try:
        return _judge(response, certificate, issuer, now, is_issuer_proved)
    except Exception:
        # Octets that a peer or a file brings can make the library raise anything; its
        # texts speak of its own insides.
        return Verdict(Finding.UNREADABLE)


def issuer_of(
    certificate: x509.Certificate, candidates: Iterator[x509.Certificate]
) -> x509.Certificate | None:
    """Return the certificate whose key signed another, wherever it comes from."""
    for candidate in candidates:
        try:
            certificate.verify_directly_issued_by(candidate)
        except Exception:  # noqa: S112 - any fault in it makes it the wrong one
            continue
        return candidate
    return None


def certificates_in(response: bytes) -> list[x509.Certificate]:
    """Return the certificates that a response (DER) brings along."""
    try:
        read = ocsp.load_der_ocsp_response(response)
        if read.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL:
            return read.certificates[:_SIGNERS_TRIED]
    except Exception:  # noqa: S110 - see judge, which says what is wrong
        pass
    return []


def der_of_pem(octets: bytes) -> bytes:
    """Return the first response in a PEM file; empty where there is none."""
    _before, found, rest = octets.partition(_BEGIN)
    text, ended, _after = rest.partition(_END)
    if not found or not ended:
        return b""
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        return b""


def _judge(
    response: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    now: float,
    is_issuer_proved: bool,
) -> Verdict:
    read = ocsp.load_der_ocsp_response(response)
    status = read.response_status
    if status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return Verdict(Finding.UNSUCCESSFUL, status.name.lower().replace("_", " "))
    if not is_issuer_proved and issuer_of(certificate, iter((issuer,))) is None:
        return Verdict(Finding.NO_ISSUER)
    matching = [one for one in read.responses if _is_for(one, certificate, issuer)]
    if not matching:
        return Verdict(Finding.FOREIGN)
    signer, problem = _signer(read, issuer, now)
    if signer is None:
        return Verdict(
            Finding.UNVERIFIABLE, problem, changes_at=_next_begin(read, issuer, now)
        )
    return _worst([_state(one, signer, certificate, now) for one in matching])


def _worst(verdicts: list[Verdict]) -> Verdict:
    """Return what counts of what is said; what is out of date says nothing."""
    changes_at = min(verdict.changes_at for verdict in verdicts)
    for finding in (Finding.REVOKED, Finding.UNKNOWN, Finding.GOOD):
        for verdict in verdicts:
            if verdict.finding is finding:
                return replace(verdict, changes_at=changes_at)
    return replace(verdicts[0], changes_at=changes_at)


def _is_for(
    single: ocsp.OCSPSingleResponse,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
) -> bool:
    if single.serial_number != certificate.serial_number:
        return False
    algorithm = _CERT_ID_HASHES.get(single.hash_algorithm.name)
    if algorithm is None:
        return False
    # A request holds the same identifier as the response to it.
    wanted = (
        ocsp.OCSPRequestBuilder()
        .add_certificate(certificate, issuer, algorithm)
        .build()
    )
    return (
        single.issuer_name_hash == wanted.issuer_name_hash
        and single.issuer_key_hash == wanted.issuer_key_hash
    )


def _signer(
    read: ocsp.OCSPResponse, issuer: x509.Certificate, now: float
) -> tuple[x509.Certificate | None, str]:
    """Return who signed a response and may do so, else why nobody did."""
    algorithm = read.signature_algorithm_oid
    if not is_trusted_algorithm(algorithm):
        return None, f"algorithm {algorithm.dotted_string} is not accepted"
    problem = "no certificate of its signer"
    for candidate in _named_signers(read, issuer):
        key = candidate.public_key()
        if not is_signed_by(key, algorithm, read.signature, read.tbs_response_bytes):
            problem = "wrong signature"
            continue
        problem = _lack(candidate, issuer, now)
        if not problem:
            return candidate, ""
    return None, problem


def _named_signers(
    read: ocsp.OCSPResponse, issuer: x509.Certificate
) -> Iterator[x509.Certificate]:
    name, key_hash = read.responder_name, read.responder_key_hash
    for candidate in (issuer, *read.certificates[:_SIGNERS_TRIED]):
        if name is not None:
            if candidate.subject == name:
                yield candidate
        elif _key_hash(candidate) == key_hash:
            yield candidate


def _next_begin(read: ocsp.OCSPResponse, issuer: x509.Certificate, now: float) -> float:
    """Return when a signer's certificate becomes valid, if one will."""
    begins = (
        signer.not_valid_before_utc.timestamp()
        for signer in _named_signers(read, issuer)
    )
    return min((begin for begin in begins if begin > now), default=math.inf)


def _key_hash(certificate: x509.Certificate) -> bytes:
    # RFC 6960, section 4.2.1, ResponderID: SHA-1 of the public key's bits.
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _lack(signer: x509.Certificate, issuer: x509.Certificate, now: float) -> str:
    """Return why a signer may not sign for the issuer's certificates (section 4.2.2.2)."""
    if signer != issuer and signer.public_key() != issuer.public_key():
        if not _made(issuer, signer):
            return "its signer is not of the certificate's issuer"
        if not is_trusted_algorithm(signer.signature_algorithm_oid):
            return "its signer's certificate has a weak signature"
        if not _may_sign_responses(signer):
            return "its signer may not sign OCSP responses"
    if now < signer.not_valid_before_utc.timestamp():
        return "its signer's certificate is not yet valid"
    if now > signer.not_valid_after_utc.timestamp():
        return "its signer's certificate has expired"
    return ""


@lru_cache(_DELEGATES_KNOWN)
def _made(issuer: x509.Certificate, delegate: x509.Certificate) -> bool:
    # One delegate signs for all certificates of its issuer, for weeks.
    return issuer_of(delegate, iter((issuer,))) is not None


def _may_sign_responses(signer: x509.Certificate) -> bool:
    extensions = signer.extensions
    try:
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    if ExtendedKeyUsageOID.OCSP_SIGNING not in usages:
        return False
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.digital_signature or usage.content_commitment


def _state(
    single: ocsp.OCSPSingleResponse,
    signer: x509.Certificate,
    certificate: x509.Certificate,
    now: float,
) -> Verdict:
    begin = single.this_update_utc.timestamp()
    if single.next_update_utc is None:
        return Verdict(Finding.ENDLESS, this_update=begin)
    end = single.next_update_utc.timestamp()
    signer_end = signer.not_valid_after_utc.timestamp()
    finding, detail, changes_at = Finding.EXPIRED, f"at {_date(end)}", math.inf
    if end < begin:
        detail = "nextUpdate is before thisUpdate"
    elif begin > now + SKEW:
        finding, detail = Finding.NOT_YET_VALID, f"before {_date(begin)}"
        changes_at = begin - SKEW
    elif now <= end + SKEW:
        finding, detail = _said(single)
        changes_at = min(end + SKEW, signer_end)
    return Verdict(
        finding,
        detail,
        begin,
        end,
        signer_end,
        min(end, signer_end, certificate.not_valid_after_utc.timestamp()),
        changes_at,
    )


def _said(single: ocsp.OCSPSingleResponse) -> tuple[Finding, str]:
    status = single.certificate_status
    if status is ocsp.OCSPCertStatus.GOOD:
        return Finding.GOOD, ""
    if status is ocsp.OCSPCertStatus.UNKNOWN:
        return Finding.UNKNOWN, ""
    reason = single.revocation_reason
    return Finding.REVOKED, "" if reason is None else reason.value


def _date(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
