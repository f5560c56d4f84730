"""Which proof is due, and which is accepted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID
from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp.exchange import ExchangeError
from mta.ocsp.fetch import (
    FetchError,
    RevokedError,
    Subject,
    fetch,
    is_due,
    responder_urls,
)
from mta.tls.ocsp import Verdict
from tests.tls.proofs import (
    DAY,
    GOOD,
    HOUR,
    NOW,
    REVOKED,
    UNKNOWN,
    Authority,
    Holder,
    unsuccessful,
)

CA = Authority()
MX = CA.issue()
SUBJECT = Subject(MX.certificate, CA.certificate)
URL = "http://ca.example/"
TIME = NOW.timestamp()


def naming(*urls: str) -> x509.Certificate:
    """Return a certificate that names responders, after who else is to be asked."""
    accesses = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in (
            (AuthorityInformationAccessOID.CA_ISSUERS, "http://ca.example/ca.der"),
            *((AuthorityInformationAccessOID.OCSP, url) for url in urls),
        )
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(MX.certificate.subject)
        .issuer_name(CA.certificate.subject)
        .public_key(MX.key.public_key())
        .serial_number(5)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.AuthorityInformationAccess(accesses), critical=False)
    )
    return builder.sign(CA.key, hashes.SHA256())


class SubjectTests(SynchronousTestCase):
    """What is asked, and whom."""

    def test_responders(self) -> None:
        """The certificate names its responders; where it does not there are none."""
        self.assertEqual(
            ["http://a/", "http://b/"], responder_urls(naming("http://a/", "http://b/"))
        )
        self.assertEqual([], responder_urls(naming()))
        self.assertEqual([], responder_urls(MX.certificate))

    def test_request(self) -> None:
        """The request has no nonce: responders answer from what they have ready."""
        request = ocsp.load_der_ocsp_request(SUBJECT.request())
        self.assertEqual(MX.certificate.serial_number, request.serial_number)
        self.assertEqual(0, len(request.extensions))


class DueTests(SynchronousTestCase):
    """When the next proof is due."""

    def due(self, age: timedelta, signer: Holder | None = None) -> bool:
        """Return whether that is so for a proof of a hundred hours at some age."""
        response = CA.respond(
            MX.certificate,
            begin=NOW - age,
            end=NOW - age + 100 * HOUR,
            signer=signer,
        )
        return is_due(SUBJECT.judge(response, TIME), TIME, 0.1)

    def test_margin(self) -> None:
        """A tenth before its end a proof is due, not earlier."""
        self.assertFalse(self.due(89 * HOUR))
        self.assertTrue(self.due(90 * HOUR))

    def test_signer_ends(self) -> None:
        """A proof whose signer's certificate ends earlier is due earlier."""
        signer = CA.delegate(end=NOW + HOUR)
        self.assertTrue(self.due(20 * HOUR, signer))

    def test_unusable(self) -> None:
        """What is no proof is due at once."""
        self.assertTrue(is_due(SUBJECT.judge(b"nonsense", TIME), TIME, 0.0))


class FetchTests(SynchronousTestCase):
    """Answers that come."""

    def fetch(self, *answers: Any, present: Verdict | None = None) -> bytes:
        """Return the proof from responders that answer or fail so."""
        pending = list(answers)
        self.asked: list[str] = []

        def ask(url: str, request: bytes) -> bytes:
            self.asked.append(url)
            answer = pending.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return bytes(answer)

        urls = [f"{URL}{number}" for number in range(len(answers))]
        return fetch(SUBJECT, urls, ask, lambda: TIME, present)[0]

    def failure(self, *answers: Any, **known: Any) -> str:
        """Return what is said where there is no proof."""
        return str(self.assertRaises(FetchError, self.fetch, *answers, **known))

    def test_good(self) -> None:
        """A good proof is taken."""
        response = CA.respond(MX.certificate)
        self.assertEqual(response, self.fetch(response))

    def test_next_responder(self) -> None:
        """The next responder is asked where one fails."""
        response = CA.respond(MX.certificate)
        self.assertEqual(
            response, self.fetch(ExchangeError("no"), b"nonsense", response)
        )
        self.assertEqual(3, len(self.asked))

    def test_unusable(self) -> None:
        """What cannot be used is told, in a line that names the responder."""
        stranger = Authority("Stranger")
        old = {"begin": NOW - 2 * DAY, "end": NOW - DAY}
        for answer, text in (
            (ExchangeError("no answer within 30 s"), "no answer within 30 s"),
            (ExchangeError("status 500\nmta: all is well"), "500\\nmta: all"),
            (b"", "it is not an OCSP response: empty"),
            (unsuccessful(), "the responder gave no answer: try later"),
            (CA.respond(MX.certificate, UNKNOWN), "does not know the certificate"),
            (CA.respond(MX.certificate, **old), "it has expired"),
            (CA.respond(MX.certificate, end=None), "nextUpdate"),
            (CA.respond(CA.issue().certificate), "for another certificate"),
            (
                CA.respond(MX.certificate, signer=stranger.holder),
                "its signature cannot be verified",
            ),
            (
                CA.respond(MX.certificate, end=NOW - timedelta(seconds=9)),
                "its answer has just expired",
            ),
        ):
            said = self.failure(answer)
            self.assertTrue(said.startswith(f"{URL}0: "), said)
            self.assertIn(text, said)
            self.assertNotIn("\n", said)

    def test_revoked(self) -> None:
        """That a certificate is revoked is the end: nobody else is asked."""
        response = CA.respond(MX.certificate, REVOKED)
        error = self.assertRaises(RevokedError, self.fetch, response, response)
        self.assertEqual((1, response), (len(self.asked), error.response))

    def test_replayed(self) -> None:
        """What is older than what is known is not believed, be it good or revoked."""
        for known, said in ((REVOKED, GOOD), (GOOD, REVOKED)):
            present = SUBJECT.judge(
                CA.respond(MX.certificate, known, begin=NOW - HOUR), TIME
            )
            older = CA.respond(MX.certificate, said, begin=NOW - 2 * HOUR)
            newer = CA.respond(MX.certificate, said, begin=NOW)
            self.assertIn("older than the proof", self.failure(older, present=present))
            if said is GOOD:
                self.assertEqual(newer, self.fetch(newer, present=present))
            else:
                self.assertRaises(RevokedError, self.fetch, newer, present=present)

    def test_newer(self) -> None:
        """A proof does not give way to one that is older, or the same."""
        response = CA.respond(MX.certificate)
        present = SUBJECT.judge(response, TIME)
        older = CA.respond(MX.certificate, begin=NOW - 2 * HOUR)
        newer = CA.respond(MX.certificate, begin=NOW)
        self.assertIn("older than the proof", self.failure(older, present=present))
        self.assertIn("nothing newer", self.failure(response, present=present))
        self.assertEqual(newer, self.fetch(newer, present=present))

    def test_present_unusable(self) -> None:
        """What is no proof gives way to any."""
        response = CA.respond(MX.certificate)
        present = SUBJECT.judge(b"nonsense", TIME)
        self.assertEqual(response, self.fetch(response, present=present))
