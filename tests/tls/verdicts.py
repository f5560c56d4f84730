"""Verdicts on OCSP responses, as test cases look at them."""

from __future__ import annotations

from datetime import datetime

from twisted.trial.unittest import SynchronousTestCase

from mta.tls.ocsp import Finding, Verdict, judge
from tests.tls.proofs import NOW, Authority, Holder

AUTHORITY = Authority()
HOST = AUTHORITY.issue()
DELEGATE = AUTHORITY.delegate()
SAMPLE = AUTHORITY.respond(HOST.certificate, signer=DELEGATE)


def seconds(moment: datetime) -> float:
    """Return a moment in seconds since the epoch."""
    return moment.timestamp()


def verdict(
    response: bytes,
    *,
    host: Holder = HOST,
    authority: Authority = AUTHORITY,
    now: datetime = NOW,
) -> Verdict:
    """Return what a response is worth."""
    return judge(response, host.certificate, authority.certificate, seconds(now))


class VerdictTestCase(SynchronousTestCase):
    """Compares verdicts."""

    def check(self, finding: Finding, detail: str, found: Verdict) -> None:
        """Check a verdict that is not good."""
        self.assertEqual((finding, detail), (found.finding, found.detail))
        self.assertFalse(found.is_good)
