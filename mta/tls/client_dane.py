"""Hold what a server showed in a handshake against its TLSA records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from OpenSSL import crypto

from mta.tls.dane import CHAIN_LIMIT, OTHER_NAME, UNREADABLE, DANEVerdict, judge
from mta.tls.ocsp import issuer_of
from mta.tls.policy import ClientTLSPolicy
from mta.tls.verdict import UNASKED, Check, absent, met, unmet


def judge_connection(
    connection: Any, policy: ClientTLSPolicy, now: float
) -> DANEVerdict:
    """Return what the policy's records say of what the server sent; never raises."""
    try:
        chain = _chain_of(connection)
    except Exception:
        # What cannot be read proves nothing, whatever the library makes of it.
        return DANEVerdict(None, UNREADABLE)
    moment = datetime.fromtimestamp(now, UTC)
    return judge(policy.dane, chain, policy.dane_names, moment)


def _chain_of(connection: Any) -> list[bytes]:
    sent = connection.get_peer_cert_chain() or []
    return [
        crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        for certificate in sent[:CHAIN_LIMIT]
    ]


def certificate_and_issuer(
    connection: Any,
) -> tuple[x509.Certificate, x509.Certificate] | None:
    """Return the server's certificate and the one that signed it, if it was sent.

    For a certificate that TLSA records vouch for its signature tells who may say that
    it is revoked.
    """
    own, *others = [x509.load_der_x509_certificate(o) for o in _chain_of(connection)]
    issuer = issuer_of(own, iter([*others, own]))
    return None if issuer is None else (own, issuer)


def dane_check(verdict: DANEVerdict | None, policy: ClientTLSPolicy) -> Check:
    """Return the check of a session whose server has published TLSA records."""
    if not policy.dane:
        return UNASKED
    if verdict is None:
        return absent("the handshake has not come so far", required=True)
    if verdict.is_met:
        return met(required=True)
    return unmet(verdict.problem, required=True, result_type=_result_type(verdict))


def _result_type(verdict: DANEVerdict) -> str:
    """Return the word of RFC 8460, section 4.3."""
    if verdict.problem == OTHER_NAME:
        return "certificate-host-mismatch"
    if "expired" in verdict.problem:
        return "certificate-expired"
    return "validation-failure"
