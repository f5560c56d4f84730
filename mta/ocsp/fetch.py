"""Proofs that a certificate is good: when one is due, and which one is accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from mta.log import printable
from mta.ocsp.exchange import ExchangeError
from mta.ocsp.schedule import is_late
from mta.tls.ocsp import Finding, Verdict, judge


@dataclass(frozen=True, slots=True)
class Subject:
    """The certificate that wants a proof, and its issuer's."""

    certificate: x509.Certificate
    issuer: x509.Certificate

    @property
    def end(self) -> float:
        """When the certificate ends, in seconds since the epoch."""
        return self.certificate.not_valid_after_utc.timestamp()

    def judge(self, response: bytes, now: float) -> Verdict:
        """Return what a response is worth for it."""
        return judge(response, self.certificate, self.issuer, now)

    def request(self) -> bytes:
        """Return the request for a proof, without nonce: such proofs are kept ready."""
        builder = ocsp.OCSPRequestBuilder().add_certificate(
            self.certificate,
            self.issuer,
            # Not all responders know others; nothing is signed by it.
            hashes.SHA1(),  # noqa: S303
        )
        return builder.build().public_bytes(Encoding.DER)


class FetchError(Exception):
    """No responder gave a proof that can be used; a line for each in the text."""


class RevokedError(FetchError):
    """The certificate is revoked: there will be no proof again.

    ``response`` is what says so.
    """

    def __init__(self, text: str, response: bytes) -> None:
        super().__init__(text)
        self.response = response


def responder_urls(certificate: x509.Certificate) -> list[str]:
    """Return the responders that a certificate names."""
    try:
        access = certificate.extensions.get_extension_for_class(
            x509.AuthorityInformationAccess
        ).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [
        one.access_location.value
        for one in access
        if one.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(one.access_location, x509.UniformResourceIdentifier)
    ]


def urls_for(
    certificate: x509.Certificate, number: int, named: Sequence[str]
) -> list[str]:
    """Return who is asked for the proof of the certificate with a number in its list.

    ``named`` are responders to ask instead of those that certificates name: one for
    all, or one for each, of which some may be empty.
    """
    url = named[0] if len(named) == 1 else "".join(named[number : number + 1])
    return [url] if url else responder_urls(certificate)


def is_due(verdict: Verdict, now: float, margin: float) -> bool:
    """Return whether a proof cannot be used, or has at most a part of its life left."""
    return not verdict.is_good or is_late(verdict, now, margin)


def fetch(
    subject: Subject,
    urls: Sequence[str],
    ask: Callable[[str, bytes], bytes],
    now: Callable[[], float],
    present: Verdict | None = None,
) -> tuple[bytes, Verdict]:
    """Return a proof that is newer than the present one, and what it is worth.

    The responders are asked in turn.  ``present`` may be of any worth: what is older
    is not believed, be it good or not.  Raises FetchError.
    """
    faults = []
    request = subject.request()
    for url in urls:
        try:
            response = ask(url, request)
            verdict = subject.judge(response, now())
            fault = _fault(verdict, now(), present)
            if not fault and verdict.finding is Finding.REVOKED:
                text = printable(f"{url}: {verdict.reason}")
                raise RevokedError(text, response)
        except ExchangeError as error:
            fault = str(error)
        if not fault:
            return response, verdict
        faults.append(printable(f"{url}: {fault}"))
    raise FetchError("\n".join(faults))


def _fault(verdict: Verdict, now: float, present: Verdict | None) -> str:
    """Return why an answer is not to be used."""
    is_revoked = verdict.finding is Finding.REVOKED
    if not verdict.is_good and not is_revoked:
        return verdict.reason
    if present is not None and verdict.this_update < present.this_update:
        return "its answer is older than the proof that is there"
    if is_revoked:
        return ""
    if verdict.effective_end <= now:
        return "its answer has just expired"
    if (
        present is not None
        and present.is_good
        and verdict.this_update == present.this_update
        and verdict.effective_end <= present.effective_end
    ):
        return "it has nothing newer than the proof that is there"
    return ""
