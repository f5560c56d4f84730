"""What an MTA-STS policy makes of the certificate that a host shows."""

from __future__ import annotations

import trustme
from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.client_checks import check, refused
from mta.tls.policy import ClientTLSPolicy, Start, STSDemand, Verify
from mta.tls.verdict import UNASKED, TLSVerdict, result_type_of
from tests.tls.test_client_checks import Shown, presented

AUTHORITY = trustme.CA()


def certificate(*names: str, subject: str | None = None) -> x509.Certificate:
    """Return a certificate for alternative names, and a common name."""
    issued = AUTHORITY.issue_cert(*names, common_name=subject)
    return x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())


def policy(*, enforced: bool = True, verify: Verify = Verify.TRY) -> ClientTLSPolicy:
    """Return a policy for the MX host mx.example."""
    return ClientTLSPolicy(
        Start.REQUIRED if enforced else Start.OFFERED,
        Verify.REQUIRE if enforced else verify,
        sts=STSDemand("mx.example", enforced),
    )


def judged(
    *names: str, subject: str | None = None, enforced: bool = True
) -> TLSVerdict:
    """Return what a certificate that is not revoked and chains well proves."""
    shown = Shown(certificate(*names, subject=subject))
    return check(presented(shown), policy(enforced=enforced))


class PublishedTests(SynchronousTestCase):
    def test_met(self) -> None:
        """A good certificate for the MX name meets both kinds of policies."""
        for enforced in (True, False):
            for name in ("mx.example", "MX.Example"):
                verdict = judged("other.example", name, enforced=enforced)
                self.assertIs(verdict.sts.met, True)
                self.assertIs(verdict.sts.required, enforced)
                self.assertEqual(verdict.violations, [])

    def test_name(self) -> None:
        """A certificate for another name ends the session where it is enforced."""
        for enforced in (True, False):
            verdict = judged("example", "a.mx.example", enforced=enforced)
            self.assertIs(verdict.sts.met, False)
            self.assertEqual(bool(verdict.violations), enforced)
            self.assertEqual(
                result_type_of("sts", verdict.sts), "certificate-host-mismatch"
            )

    def test_subject(self) -> None:
        """A common name is no name here."""
        verdict = judged("192.0.2.1", subject="mx.example")

        self.assertTrue(verdict.violations)

    def test_wildcard(self) -> None:
        """A wildcard is one whole label."""
        self.assertIs(judged("*.mail.example").sts.met, False)
        shown = presented(Shown(certificate("*.mail.example")))
        demand = STSDemand("a.mail.example", True)
        wanted = ClientTLSPolicy(verify=Verify.REQUIRE, sts=demand)
        self.assertIs(check(shown, wanted).sts.met, True)

    def test_chain(self) -> None:
        """A chain that leads nowhere does not meet it, whatever the name."""
        for enforced in (True, False):
            shown = presented(
                Shown(certificate("mx.example")), chain_problem="has expired"
            )
            verdict = check(shown, policy(enforced=enforced))
            self.assertEqual(verdict.sts.reason, "has expired")
            self.assertEqual(verdict.sts.is_violated, enforced)

    def test_not_looked_at(self) -> None:
        """A certificate that nobody looked at proves nothing."""
        shown = presented(Shown(certificate("mx.example")))

        verdict = check(shown, policy(enforced=False, verify=Verify.NEVER))

        self.assertIs(verdict.sts.met, False)

    def test_nothing_shown(self) -> None:
        """Nor does none."""
        shown = Shown()
        shown.certificate = None

        self.assertIs(check(presented(shown), policy()).sts.met, False)

    def test_failed_handshake(self) -> None:
        """A handshake that failed did not meet it, for the same reason."""
        for enforced in (True, False):
            wanted = policy(enforced=enforced)
            verdict = refused("timed out", presented(), wanted)
            self.assertEqual(verdict.sts.reason, "timed out")
            self.assertEqual(verdict.sts.is_violated, enforced)
            shown = presented(chain_problem="has expired")
            self.assertEqual(refused("x", shown, wanted).sts.reason, "has expired")

    def test_without(self) -> None:
        """Without a policy nothing is said of it."""
        self.assertIs(check(presented(), ClientTLSPolicy()).sts, UNASKED)
        self.assertIs(refused("x", presented(), ClientTLSPolicy()).sts, UNASKED)
