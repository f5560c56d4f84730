"""Hold what a server showed in a handshake against what is demanded of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from cryptography import x509

from mta.tls.client_dane import dane_check
from mta.tls.client_staple import StapleResult
from mta.tls.dane import DANEVerdict
from mta.tls.host_names import is_for
from mta.tls.policy import ClientTLSPolicy, Staple, Verify
from mta.tls.verdict import (
    UNASKED,
    Check,
    TLSVerdict,
    absent,
    judged,
    met,
    unmet,
)

# X509_V_ERR_... of OpenSSL's x509_vfy.h that speak of revocation lists.
_ABOUT_LISTS = frozenset({3, 8, 11, 12, 15, 16, 23})


class Presented:
    """What a server showed of itself; certificates are read when they are asked for.

    ``chain_problem`` and ``chain_error`` are OpenSSL's first complaint of the chain,
    in words and as a number; empty and 0 where it has none.  ``dane`` is what TLSA
    records say, where there are any.
    """

    def __init__(
        self,
        connection: Any,
        *,
        chain_problem: str = "",
        chain_error: int = 0,
        staple: StapleResult | None = None,
        dane: DANEVerdict | None = None,
    ) -> None:
        self._connection = connection
        self.chain_problem = chain_problem
        self.chain_error = chain_error
        self.staple = staple or StapleResult()
        self.dane = dane

    @cached_property
    def certificate(self) -> x509.Certificate | None:
        """The server's own certificate; raises ValueError where it is unreadable."""
        try:
            found = self._connection.get_peer_certificate(as_cryptography=True)
        except Exception as error:
            # The library has many names for what a peer can send.
            raise ValueError("unreadable certificate") from error
        assert found is None or isinstance(found, x509.Certificate)
        return found

    @cached_property
    def chain(self) -> list[x509.Certificate]:
        """What the server sent, its own certificate first; raises ValueError."""
        return self._connection.get_peer_cert_chain(as_cryptography=True) or []

    @cached_property
    def protocol(self) -> str:
        """What the server chose by ALPN; empty for nothing."""
        chosen: bytes = self._connection.get_alpn_proto_negotiated()
        return chosen.decode("ascii", "replace")


def check(presented: Presented, policy: ClientTLSPolicy) -> TLSVerdict:
    """Return what a finished handshake proved of what was asked of it."""
    return TLSVerdict(
        tls=_session(presented, policy),
        chain=_chain(presented, policy),
        name=_name(presented, policy),
        ocsp=staple_check(presented.staple, policy),
        crl=_lists(presented, policy),
        sts=_published(presented, policy),
        dane=dane_check(presented.dane, policy),
        policies=policy.published_records,
    )


def refused(reason: str, presented: Presented, policy: ClientTLSPolicy) -> TLSVerdict:
    """Return what a handshake that failed proved before it did."""
    verdict = TLSVerdict(
        tls=unmet(
            reason, required=policy.demands_session, result_type="validation-failure"
        ),
        ocsp=staple_check(presented.staple, policy),
        policies=policy.published_records,
    )
    if presented.dane is not None:
        verdict = verdict.having(dane=dane_check(presented.dane, policy))
    if presented.chain_problem:
        verdict = verdict.having(
            chain=_chain(presented, policy), crl=_lists(presented, policy)
        )
    if policy.sts is not None:
        problem = presented.chain_problem or reason
        verdict = verdict.having(sts=unmet(problem, required=policy.sts.is_enforced))
    return verdict


def staple_check(staple: StapleResult, policy: ClientTLSPolicy) -> Check:
    """Return what came of asking for an OCSP response.

    A revoked certificate does not count as verified even where the staple was only
    requested, so that it ends a session that must be verified.
    """
    required = policy.staple is Staple.REQUIRE
    if staple.is_good:
        return met(required=required)
    if staple.is_revoked:
        ends = required or policy.demands_certificate
        return unmet(staple.reason, required=ends)
    if policy.staple is Staple.UNWANTED and not staple.number:
        return UNASKED
    if staple.number in (0, 1):
        return absent(staple.reason or "none came", required=required)
    return unmet(staple.reason, required=required)


def _session(presented: Presented, policy: ClientTLSPolicy) -> Check:
    if policy.protocol_is_required and not presented.protocol:
        return unmet(
            "the server chose no protocol by ALPN",
            required=True,
            result_type="validation-failure",
        )
    return met(required=policy.demands_session)


def _chain(presented: Presented, policy: ClientTLSPolicy) -> Check:
    if policy.verify is Verify.NEVER:
        return UNASKED
    problem = presented.chain_problem
    if not problem:
        try:
            problem = "" if presented.certificate is not None else "no certificate"
        except ValueError:
            problem = "unreadable certificate"
    return judged(problem, required=policy.verify is Verify.REQUIRE)


def _name(presented: Presented, policy: ClientTLSPolicy) -> Check:
    if policy.verify is Verify.NEVER or not policy.name:
        return UNASKED
    try:
        certificate = presented.certificate
        matches = certificate is not None and is_for(certificate, policy.name)
    except ValueError:
        matches = False
    problem = "" if matches else "certificate name mismatch"
    return judged(problem, required=policy.verify is Verify.REQUIRE)


def _lists(presented: Presented, policy: ClientTLSPolicy) -> Check:
    if not policy.crl or policy.verify is Verify.NEVER:
        return UNASKED
    required = policy.verify is Verify.REQUIRE
    if presented.chain_error in _ABOUT_LISTS:
        return unmet(presented.chain_problem, required=required)
    if presented.chain_problem:
        return absent("the chain is not verified", required=required)
    return met(required=required)


def _published(presented: Presented, policy: ClientTLSPolicy) -> Check:
    """Return whether a certificate is what an MTA-STS policy wants.

    RFC 8461, section 4.2: the common name does not count.
    """
    demand = policy.sts
    if demand is None:
        return UNASKED
    chain = _chain(presented, policy)
    if chain.met is not True:
        return unmet(chain.reason or "nobody looked at it", required=demand.is_enforced)
    certificate = presented.certificate
    assert certificate is not None, "_chain has seen it"
    if is_for(certificate, demand.name, by_subject=False):
        return met(required=demand.is_enforced)
    return unmet(
        "certificate name mismatch",
        required=demand.is_enforced,
        result_type="certificate-host-mismatch",
    )
