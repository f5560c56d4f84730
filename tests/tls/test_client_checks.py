"""What handshakes are held against, check by check."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.client_checks import Presented, check, refused, staple_check
from mta.tls.client_staple import Arrival, StapleResult
from mta.tls.ocsp import Finding, Verdict
from mta.tls.policy import ClientTLSPolicy, Staple, Start, Verify
from mta.tls.verdict import UNASKED
from tests.tls.proofs import Authority

HOST = Authority().issue("mx.example")


class Shown:
    """What OpenSSL's connection shows."""

    def __init__(
        self,
        certificate: x509.Certificate | None = HOST.certificate,
        chosen: bytes = b"",
    ) -> None:
        self.certificate = certificate
        self.chosen = chosen

    def get_peer_certificate(self, as_cryptography: bool) -> x509.Certificate | None:
        return self.certificate

    def get_peer_cert_chain(self, as_cryptography: bool) -> list[x509.Certificate]:
        return [] if self.certificate is None else [self.certificate]

    def get_alpn_proto_negotiated(self) -> bytes:
        return self.chosen


def presented(shown: Any = None, **facts: Any) -> Presented:
    """Return what a server shows."""
    return Presented(Shown() if shown is None else shown, **facts)


def policy(**facts: Any) -> ClientTLSPolicy:
    """Return a policy for a host."""
    return ClientTLSPolicy(name="mx.example", **facts)


def judged(finding: Finding) -> StapleResult:
    """Return a staple with a finding."""
    return StapleResult(Arrival.JUDGED, Verdict(finding))


class CertificateTests(SynchronousTestCase):
    def test_good(self) -> None:
        """A chain and a name that hold are met, by demand or without."""
        for verify in (Verify.TRY, Verify.REQUIRE):
            verdict = check(presented(), policy(verify=verify))

            self.assertTrue(verdict.chain.met and verdict.name.met)
            self.assertEqual(verdict.violations, [])

    def test_chain(self) -> None:
        """A bad chain is a violation only of a demand."""
        shown = presented(chain_problem="certificate has expired", chain_error=10)

        tried = check(shown, policy(verify=Verify.TRY))
        required = check(shown, policy(verify=Verify.REQUIRE))

        self.assertTrue(tried.chain.has_failed)
        self.assertEqual(tried.violations, [])
        self.assertEqual([name for name, _ in required.violations], ["chain"])

    def test_name(self) -> None:
        """So is a name that is another's."""
        other = ClientTLSPolicy(name="other.example", verify=Verify.REQUIRE)

        [(name, part)] = check(presented(), other).violations

        self.assertEqual((name, part.reason), ("name", "certificate name mismatch"))

    def test_nothing_shown(self) -> None:
        """No certificate is a chain that does not hold, and a name that does not."""
        verdict = check(presented(Shown(None)), policy(verify=Verify.REQUIRE))

        self.assertEqual([name for name, _ in verdict.violations], ["chain", "name"])

    def test_not_asked(self) -> None:
        """Where nobody looks, nothing is said."""
        shown = presented(chain_problem="certificate has expired")

        verdict = check(shown, policy(verify=Verify.NEVER))

        self.assertEqual((verdict.chain, verdict.name), (UNASKED, UNASKED))

    def test_unreadable(self) -> None:
        """A certificate that cannot be read is neither trusted nor named."""

        class Broken(Shown):
            def get_peer_certificate(self, as_cryptography: bool) -> Any:
                raise ValueError

        verdict = check(presented(Broken()), policy(verify=Verify.REQUIRE))

        self.assertEqual(verdict.chain.reason, "unreadable certificate")
        self.assertEqual([name for name, _ in verdict.violations], ["chain", "name"])


class StapleTests(SynchronousTestCase):
    def test_required(self) -> None:
        """Only a good staple meets the requirement, come what may instead."""
        required = policy(staple=Staple.REQUIRE)
        bad = [judged(finding) for finding in Finding if finding is not Finding.GOOD]
        bad += [StapleResult(arrival) for arrival in Arrival]
        for staple in bad:
            self.assertTrue(staple_check(staple, required).is_violated, staple)

        self.assertTrue(staple_check(judged(Finding.GOOD), required).met)

    def test_requested(self) -> None:
        """Nothing that was only requested is a violation."""
        requested = policy(staple=Staple.REQUEST)
        staples = [judged(finding) for finding in Finding]
        staples += [StapleResult(arrival) for arrival in Arrival]
        for staple in staples:
            self.assertFalse(staple_check(staple, requested).is_violated, staple)

    def test_revoked_and_verified(self) -> None:
        """A revoked one that was requested violates the demand to verify."""
        demand = policy(staple=Staple.REQUEST, verify=Verify.REQUIRE)

        self.assertTrue(staple_check(judged(Finding.REVOKED), demand).is_violated)
        self.assertFalse(staple_check(judged(Finding.UNKNOWN), demand).is_violated)

    def test_missing(self) -> None:
        """A missing one is neither good nor bad, unless it is required."""
        missing = staple_check(
            StapleResult(Arrival.NONE), policy(staple=Staple.REQUEST)
        )

        self.assertIsNone(missing.met)
        self.assertTrue(missing.asked)

    def test_unwanted(self) -> None:
        """Where nobody asked, nothing is said."""
        self.assertEqual(staple_check(StapleResult(), policy()), UNASKED)


class OtherTests(SynchronousTestCase):
    def test_protocol(self) -> None:
        """A server in hosts_require_alpn must choose a protocol."""
        demand = policy(protocols=("smtp",), protocol_is_required=True)

        silent = check(presented(), demand)
        polite = check(presented(Shown(chosen=b"smtp")), demand)

        self.assertEqual([name for name, _ in silent.violations], ["tls"])
        self.assertEqual(polite.violations, [])

    def test_lists(self) -> None:
        """Revocation lists have a say of their own."""
        demand = policy(crl="/crl", verify=Verify.REQUIRE)
        revoked = presented(chain_problem="certificate revoked", chain_error=23)
        expired = presented(chain_problem="certificate has expired", chain_error=10)

        self.assertTrue(check(presented(), demand).crl.met)
        self.assertTrue(check(revoked, demand).crl.has_failed)
        self.assertIsNone(check(expired, demand).crl.met)
        self.assertEqual(check(revoked, policy()).crl, UNASKED)

    def test_failed_handshake(self) -> None:
        """A handshake that failed met nothing, and says why."""
        shown = Presented(None, chain_problem="certificate has expired", chain_error=10)

        verdict = refused("reason", shown, policy(verify=Verify.REQUIRE))

        self.assertTrue(verdict.tls.has_failed)
        self.assertEqual(verdict.tls.reason, "reason")
        self.assertEqual(verdict.chain.reason, "certificate has expired")
        self.assertEqual(verdict.name, UNASKED)

    def test_demanded_session(self) -> None:
        """TLS itself is required where the policy begins with it."""
        for start, required in (
            (Start.OFFERED, False),
            (Start.REQUIRED, True),
            (Start.ON_CONNECT, True),
        ):
            self.assertIs(
                check(presented(), policy(start=start)).tls.required, required
            )

    def test_chain(self) -> None:
        """The chain is what the server sent."""
        self.assertEqual(presented().chain, [HOST.certificate])
