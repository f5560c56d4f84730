"""What a server's OCSP staple is worth to a client, in numbers, words and reasons."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from mta.tls.ocsp import Finding, Verdict, judge

REMEMBERED_LIMIT = 512


class Arrival(Enum):
    """What came, before it is judged."""

    NOT_ASKED = "it was not asked for"
    NONE = "none came"
    UNREADABLE = "TLS could not read it"
    UNTRUSTED = "nobody trusted vouches for the certificate"
    JUDGED = "it was judged"


@dataclass(frozen=True, slots=True)
class StapleResult:
    """What came of asking for a staple; ``verdict`` is there where it was judged."""

    arrival: Arrival = Arrival.NOT_ASKED
    verdict: Verdict | None = None
    detail: str = ""

    @property
    def number(self) -> int:
        """``$tls_out_ocsp``."""
        if self.is_good:
            return 4
        return _NUMBERS[self.arrival]

    @property
    def is_good(self) -> bool:
        """Whether it proves that the certificate is not revoked."""
        return self.verdict is not None and self.verdict.is_good

    @property
    def is_revoked(self) -> bool:
        """Whether it proves that the certificate is revoked."""
        return self.verdict is not None and self.verdict.finding is Finding.REVOKED

    @property
    def word(self) -> str:
        """What stands behind ``OCSP=`` in the log; empty where nobody asked."""
        if self.verdict is not None:
            return self.verdict.finding.name.lower()
        return "" if self.arrival is Arrival.NOT_ASKED else self.arrival.name.lower()

    @property
    def reason(self) -> str:
        """Why it is not good, in our own words; empty where it is."""
        if self.verdict is not None:
            return "" if self.is_good else self.verdict.reason
        return f"{self.arrival.value}: {self.detail}" if self.detail else self.word

    @property
    def failure_text(self) -> str:
        """What ends a session that requires a good one, in Exim's words."""
        return self._text(_FAILURES, "Required TLS certificate status not received")

    @property
    def log_text(self) -> str:
        """What is logged where the session goes on; empty where that is nothing."""
        if self.verdict is not None and self.is_revoked:
            reason = self.verdict.detail or "none given"
            return f"Server certificate revoked; reason: {reason}"
        return self._text(_REMARKS, "")

    def _text(self, texts: dict[Finding, str], none: str) -> str:
        detail = self.detail if self.verdict is None else self.verdict.detail
        if self.verdict is not None:
            text = texts.get(self.verdict.finding, "")
        else:
            finding = _FINDINGS.get(self.arrival)
            text = none if finding is None else texts[finding]
        if not text or not detail:
            return text
        return f"{text} ({detail})" if text is none else f"{text}: {detail}"


_NUMBERS = {
    Arrival.NOT_ASKED: 0,
    Arrival.NONE: 1,
    Arrival.UNTRUSTED: 2,
    Arrival.UNREADABLE: 3,
    Arrival.JUDGED: 3,
}
_FINDINGS = {
    Arrival.UNREADABLE: Finding.UNREADABLE,
    Arrival.UNTRUSTED: Finding.UNVERIFIABLE,
}
_UNREADABLE = "Received TLS cert status response, parse error"
_UNSUCCESSFUL = "Received TLS cert status response, error parsing response"
_FOREIGN = "Received TLS cert status response, for another certificate"
_UNVERIFIABLE = "Received TLS cert status response, itself unverifiable"
_FAILURES = {
    Finding.UNREADABLE: _UNREADABLE,
    Finding.UNSUCCESSFUL: _UNSUCCESSFUL,
    Finding.FOREIGN: _FOREIGN,
    Finding.NO_ISSUER: _FOREIGN,
    Finding.UNVERIFIABLE: _UNVERIFIABLE,
    Finding.NOT_YET_VALID: "Server certificate status is out-of-date",
    Finding.EXPIRED: "Server certificate status is out-of-date",
    Finding.ENDLESS: "Server certificate status is out-of-date: no nextUpdate",
    Finding.REVOKED: "Server certificate revoked",
    Finding.UNKNOWN: "Server certificate has unknown status",
}
_REMARKS = _FAILURES | {
    Finding.NOT_YET_VALID: "OCSP dates invalid",
    Finding.EXPIRED: "OCSP dates invalid",
    Finding.ENDLESS: "OCSP dates invalid: no nextUpdate",
    Finding.UNKNOWN: "Server certificate status unknown, in OCSP stapling",
}


class StapleVerdicts:
    """Judges staples, each once for as long as its verdict stands."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: dict[bytes, Verdict] = {}

    def judge(
        self,
        octets: bytes,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        *,
        is_issuer_proved: bool = False,
    ) -> StapleResult:
        """Return what octets that a server stapled say of its certificate.

        ``is_issuer_proved`` is that of ``mta.tls.ocsp.judge``.
        """
        if not octets:
            return StapleResult(Arrival.NONE, detail=silent_authority(certificate))
        # The digest of the digests, so that no part can be taken for another's end.
        parts = (
            octets,
            certificate.public_bytes(Encoding.DER),
            issuer.public_bytes(Encoding.DER),
        )
        key = hashlib.sha256(
            b"".join(hashlib.sha256(part).digest() for part in parts)
        ).digest()
        now = self._clock()
        verdict = self._known.get(key)
        if verdict is None or now >= verdict.changes_at:
            verdict = judge(
                octets, certificate, issuer, now, is_issuer_proved=is_issuer_proved
            )
            self._known.pop(key, None)
            if len(self._known) >= REMEMBERED_LIMIT:
                del self._known[next(iter(self._known))]
            self._known[key] = verdict
        return StapleResult(Arrival.JUDGED, verdict)


def silent_authority(certificate: x509.Certificate) -> str:
    """Return the likely reason for a missing staple; empty where there is none."""
    return "" if names_responder(certificate) else "the certificate names no responder"


def names_responder(certificate: x509.Certificate) -> bool:
    """Return whether a certificate says who answers for it (RFC 5280, 4.2.2.1)."""
    try:
        access = certificate.extensions.get_extension_for_class(
            x509.AuthorityInformationAccess
        ).value
    except (
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        ValueError,
    ):
        return False
    return any(
        description.access_method == AuthorityInformationAccessOID.OCSP
        for description in access
    )
