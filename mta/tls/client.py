"""TLS as a client: handshakes under a policy, and what they showed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from mta.connection import TLSFacts
from mta.taint import Tainted
from mta.tls.certificates import subject_of
from mta.tls.client_checks import Presented, check, refused
from mta.tls.client_context import ClientContexts
from mta.tls.client_dane import certificate_and_issuer, judge_connection
from mta.tls.client_staple import Arrival, StapleResult, StapleVerdicts
from mta.tls.dane import DANEVerdict
from mta.tls.openssl_words import SSL_REASONS, standard_cipher_name
from mta.tls.policy import ClientTLSPolicy, Staple, Verify
from mta.tls.tlsa import usage_bits
from mta.tls.verdict import TLSVerdict

# How OpenSSL ends a handshake over a staple that it cannot read, before anybody else
# sees it.
_UNREADABLE_STAPLE = (
    "bad certificate status response",
    "invalid status response",
    "bad packet",
    "excessive message size",
)
_CHAIN_PROBLEM = "certificate verification failed"


class _Connection(SSL.Connection):
    """A connection that knows its session.

    Its application data are Twisted's, and the context is shared.
    """

    session: ClientTLSSession


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLSSession:
    """One handshake: what is demanded of it, and what came of it.

    ``chain_problem`` is our own record of the first thing wrong with the chain:
    OpenSSL forgets its verdict where the session is allowed to go on.  ``staple`` is
    what came of asking for an OCSP response, ``verdict`` what the handshake proved,
    once it has ended.
    """

    def __init__(
        self,
        context: SSL.Context,
        policy: ClientTLSPolicy,
        staples: StapleVerdicts | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._context = context
        self._staples = staples or StapleVerdicts()
        self.policy = policy
        self.chain_problem = ""
        self.chain_error = 0
        self.staple = StapleResult()
        self._chain_remark = ""
        self._failure = ""
        self._subject = ""
        self._clock = clock
        self._dane: DANEVerdict | None = None
        self.verdict = TLSVerdict()

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """Twisted calls this for the connection to negotiate on."""
        connection = _Connection(self._context, None)
        connection.session = self
        policy = self.policy
        if policy.server_name:
            server_name = policy.server_name.encode("ascii", "ignore")
            connection.set_tlsext_host_name(server_name)
        if policy.protocols:
            names = [name.encode("ascii", "replace") for name in policy.protocols]
            connection.set_alpn_protos(names)
        asks_for_staple = policy.staple is not Staple.UNWANTED
        if asks_for_staple:
            connection.request_ocsp()
        # A staple is worth nothing without a chain that leads to somebody trusted.
        is_checked = policy.verify is not Verify.NEVER or asks_for_staple
        mode = SSL.VERIFY_PEER if is_checked else SSL.VERIFY_NONE
        connection.set_verify(mode, self._look_at_certificate)
        return connection

    def _look_at_certificate(
        self, _connection: Any, certificate: Any, number: int, depth: int, ok: int
    ) -> bool:
        if not ok and not self.chain_problem:
            self.chain_error = number
            self.chain_problem = SSL_REASONS.get(number, f"error {number}")
            subject = _shown_subject(certificate.to_cryptography)
            self._chain_remark = (
                f"depth={depth} error={self.chain_problem} cert={subject}"
            )
        return bool(ok) or self.policy.verify is not Verify.REQUIRE

    def status_came(self, connection: SSL.Connection, octets: bytes) -> bool:
        """Judge what the server stapled, if anything; return whether to go on."""
        required = self.policy.staple is Staple.REQUIRE
        try:
            self.staple = self._judge(connection, octets)
        except Exception:
            # OpenSSL must never see an exception, and a guard that fails is shut.
            self.staple = StapleResult(Arrival.UNREADABLE)
            return not required
        if self.staple.is_revoked and self.policy.demands_certificate:
            return False
        return self.staple.is_good or not required

    def _judge(self, connection: SSL.Connection, octets: bytes) -> StapleResult:
        if self.policy.dane:
            return self._judge_with_records(connection, octets)
        if octets and self.chain_problem:
            return StapleResult(Arrival.UNTRUSTED, detail=self.chain_problem)
        chain = connection.get_verified_chain(as_cryptography=True)
        if not chain:
            return StapleResult(Arrival.UNTRUSTED if octets else Arrival.NONE)
        if len(chain) == 1:
            # A trusted certificate that signed itself is its own issuer.
            return self._staples.judge(octets, chain[0], chain[0])
        return self._staples.judge(octets, *chain[:2], is_issuer_proved=True)

    def _judge_with_records(
        self, connection: SSL.Connection, octets: bytes
    ) -> StapleResult:
        """Judge a staple where TLSA records take the place of trusted authorities."""
        self._hold_against_records(connection)
        assert self._dane is not None
        if not self._dane.is_met:
            return StapleResult(Arrival.UNTRUSTED, detail=self._dane.problem)
        found = certificate_and_issuer(connection)
        if found is None:
            return StapleResult(Arrival.UNTRUSTED, detail="the issuer was not sent")
        return self._staples.judge(octets, *found)

    def _hold_against_records(self, connection: SSL.Connection) -> None:
        if self.policy.dane and self._dane is None:
            self._dane = judge_connection(connection, self.policy, self._clock())

    @property
    def problem(self) -> str:
        """Why the certificate is not verified; empty where it is."""
        verdict = self.verdict
        if self.policy.dane and verdict.dane.met is None:
            return "no TLSA record has been looked at"
        if self.policy.verify is Verify.NEVER and not self.policy.dane:
            return "not asked for"
        for part in (verdict.chain, verdict.name, verdict.dane, verdict.crl):
            if part.has_failed:
                return part.reason
        if self.staple.is_revoked:
            return self.staple.failure_text
        return "" if self.policy.dane else self.chain_problem

    @property
    def good_until(self) -> float:
        """When the staple that was required must be asked for anew."""
        if self.policy.staple is not Staple.REQUIRE or self.staple.verdict is None:
            return math.inf
        return self.staple.verdict.changes_at

    @property
    def is_refused(self) -> bool:
        """True where what was found must end the session."""
        return bool(self.verdict.violations)

    @property
    def refusal_text(self) -> str:
        """Why the session ends or has ended, in Exim's words; empty where it goes on."""
        verdict = self.verdict
        if self.chain_problem and self.policy.verify is Verify.REQUIRE:
            return f"(SSL_connect): {_CHAIN_PROBLEM}: {self.chain_problem}"
        if verdict.ocsp.is_violated and self.staple.arrival is not Arrival.NOT_ASKED:
            return f"(SSL_connect) {self.staple.failure_text}"
        if self._failure:
            return self._failure
        for _name, part in verdict.violations:
            return part.reason
        return ""

    @property
    def verify_remark(self) -> str:
        """What is wrong with the certificate, though the session goes on."""
        if self.policy.verify is Verify.NEVER:
            return ""
        remark = self._chain_remark
        if self.verdict.chain.has_failed:
            remark = remark or self.verdict.chain.reason
        elif self.verdict.name.has_failed:
            name = self.policy.name
            remark = f'{self.verdict.name.reason}: DN="{self._subject}" H="{name}"'
        elif self.verdict.crl.has_failed:
            remark = f'{self.verdict.crl.reason}: DN="{self._subject}"'
        return f"SSL verify error: {remark}" if remark else ""

    def facts(self, connection: Any) -> TLSFacts:
        """Return what the finished handshake shows, held against the policy."""
        if (
            self.policy.staple is not Staple.UNWANTED
            and self.staple.arrival is Arrival.NOT_ASKED
        ):
            # OpenSSL did not call us: whatever the reason, nothing was proved.
            self.staple = StapleResult(Arrival.NONE)
        self._hold_against_records(connection)
        presented = self._presented(connection)
        self.verdict = check(presented, self.policy)
        certificate = None
        with suppress(ValueError):
            certificate = presented.certificate
        if certificate is not None:
            self._subject = _shown_subject(lambda: certificate)
        version = (connection.get_protocol_version_name() or "").replace("TLSv", "TLS")
        cipher = connection.get_cipher_name() or ""
        bits = connection.get_cipher_bits() or 0
        ours = None
        if self.policy.certificate:
            ours = connection.get_certificate(as_cryptography=True)
        return TLSFacts(
            version=version,
            cipher=f"{version}:{cipher}:{bits}",
            cipher_std=standard_cipher_name(cipher),
            bits=bits,
            sni=self.policy.server_name,
            peer_dn=Tainted(self._subject),
            verified=not self.problem,
            ocsp=self.staple.number,
            staple=self.staple.word,
            dane=self.verdict.dane.met is True,
            tlsa_usage=usage_bits(self.policy.dane),
            peer_certificate=certificate,
            our_certificate=ours,
        )

    def failed(self, reason: str, error: BaseException | None) -> None:
        """Take note that the handshake ended early, and over what."""
        asked = self.policy.staple is not Staple.UNWANTED
        if asked and self.staple.arrival is Arrival.NOT_ASKED and _is_of_staple(error):
            self.staple = StapleResult(Arrival.UNREADABLE)
        self._failure = reason
        self.verdict = refused(reason, self._presented(None), self.policy)

    @property
    def may_try_without_staple(self) -> bool:
        """True where the handshake failed over a staple that nobody insists on."""
        return (
            self.staple.arrival is Arrival.UNREADABLE
            and self.policy.staple is Staple.REQUEST
        )

    def _presented(self, connection: Any) -> Presented:
        return Presented(
            connection,
            chain_problem=self.chain_problem,
            chain_error=self.chain_error,
            staple=self.staple,
            dane=self._dane,
        )


def _shown_subject(certificate: Callable[[], x509.Certificate]) -> str:
    try:
        return subject_of(certificate())
    except Exception:
        # Nothing in a certificate may raise out of OpenSSL's callback.
        return "(unreadable)"


def _is_of_staple(error: BaseException | None) -> bool:
    if not isinstance(error, SSL.Error) or not error.args:
        return False
    return any(
        isinstance(part, tuple) and str(part[-1]).endswith(_UNREADABLE_STAPLE)
        for part in error.args[0]
    )


class ClientTLS:
    """Makes sessions; those that want the same share an OpenSSL context.

    ``clock`` gives the time in seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._contexts = ClientContexts(_status_came)
        self._staples = StapleVerdicts(clock)
        self._clock = clock

    def session(self, policy: ClientTLSPolicy) -> ClientTLSSession:
        """Return what negotiates under a policy.

        Raises TemporaryFailure where a file of it cannot be used.
        """
        context = self._contexts.context(policy)
        return ClientTLSSession(context, policy, self._staples, self._clock)


def _status_came(connection: SSL.Connection, octets: bytes, _facts: object) -> bool:
    """OpenSSL calls this when the chain is verified, with nothing for no staple."""
    session = getattr(connection, "session", None)
    return session is not None and session.status_came(connection, octets)
