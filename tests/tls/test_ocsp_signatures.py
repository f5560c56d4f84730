"""Who may sign an OCSP response."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from mta.tls.ocsp import Finding, Verdict, certificates_in
from tests.tls.proofs import HOUR, NOW, REVOKED, Authority, Holder, unsuccessful
from tests.tls.verdicts import (
    AUTHORITY,
    DELEGATE,
    HOST,
    VerdictTestCase,
    seconds,
    verdict,
)

RSA = rsa.generate_private_key(65537, 2048)


class SignatureTests(VerdictTestCase):
    """Whose signature counts."""

    def test_algorithms(self) -> None:
        """RSA, ECDSA and Edwards curves sign responses."""
        keys = [
            RSA,
            ec.generate_private_key(ec.SECP384R1()),
            ed25519.Ed25519PrivateKey.generate(),
            ed448.Ed448PrivateKey.generate(),
        ]
        for key in keys:
            authority = Authority(key=key)
            host = authority.issue()
            response = authority.respond(host.certificate)

            found = verdict(response, host=host, authority=authority)

            self.assertTrue(found.is_good, f"{type(key).__name__}: {found.reason}")

    def test_longer_hashes(self) -> None:
        """SHA-384 and SHA-512 are as good as SHA-256."""
        authority = Authority(key=RSA)
        host = authority.issue()
        for digest in (hashes.SHA384(), hashes.SHA512()):
            for signer in (authority.holder, authority.delegate()):
                response = authority.respond(
                    host.certificate, signer=signer, digest=digest
                )

                self.assertTrue(
                    verdict(response, host=host, authority=authority).is_good
                )

    def test_weak_hash(self) -> None:
        """A signature over SHA-224, or what is weaker, does not count."""
        response = AUTHORITY.respond(HOST.certificate, digest=hashes.SHA224())

        self.check(
            Finding.UNVERIFIABLE,
            "algorithm 1.2.840.10045.4.3.1 is not accepted",
            verdict(response),
        )

    def test_changed(self) -> None:
        """A response whose signature was changed is worth nothing."""
        response = bytearray(AUTHORITY.respond(HOST.certificate))
        response[-1] ^= 1

        found = verdict(bytes(response))

        self.check(Finding.UNVERIFIABLE, "wrong signature", found)

    def test_forged(self) -> None:
        """Nor is one that somebody else signed in the issuer's name."""
        forger = Authority().holder

        found = verdict(
            AUTHORITY.respond(
                HOST.certificate, signer=forger, by_name=True, certificates=[]
            )
        )

        self.check(Finding.UNVERIFIABLE, "wrong signature", found)

    def test_forged_revocation(self) -> None:
        """Not even if it says that the certificate is revoked."""
        forger = Authority().holder

        found = verdict(
            AUTHORITY.respond(HOST.certificate, REVOKED, signer=forger, by_name=True)
        )

        self.assertIs(Finding.UNVERIFIABLE, found.finding)

    def test_kind_of_key(self) -> None:
        """A key of another kind than the signature's made no signature."""
        named = AUTHORITY.delegate(key=RSA)

        found = verdict(
            AUTHORITY.respond(
                HOST.certificate,
                signer=DELEGATE,
                by_name=True,
                certificates=[named.certificate],
            )
        )

        self.check(Finding.UNVERIFIABLE, "wrong signature", found)

    def test_expired_issuer(self) -> None:
        """An issuer whose certificate has ended signs nothing any more."""
        authority = Authority(end=NOW - HOUR)
        host = authority.issue()
        response = authority.respond(host.certificate)

        found = verdict(response, host=host, authority=authority)

        self.check(Finding.UNVERIFIABLE, "its signer's certificate has expired", found)


class DelegateTests(VerdictTestCase):
    """Who may sign in the issuer's place (RFC 6960, section 4.2.2.2)."""

    def signed_by(self, delegate: Holder, *, by_name: bool = False) -> Verdict:
        """Return the verdict on a response that a delegate signed."""
        response = AUTHORITY.respond(HOST.certificate, signer=delegate, by_name=by_name)
        return verdict(response)

    def test_delegate(self) -> None:
        """Whom the issuer allowed to, whether it is named by key or by name."""
        self.assertTrue(self.signed_by(DELEGATE).is_good)
        self.assertTrue(self.signed_by(DELEGATE, by_name=True).is_good)

    def test_key_usage(self) -> None:
        """A key that may not sign signs no response."""
        self.assertTrue(self.signed_by(AUTHORITY.delegate(signs=True)).is_good)
        self.check(
            Finding.UNVERIFIABLE,
            "its signer may not sign OCSP responses",
            self.signed_by(AUTHORITY.delegate(signs=False)),
        )

    def test_weak_certificate(self) -> None:
        """Nor does one whose certificate is signed over a short hash."""
        self.check(
            Finding.UNVERIFIABLE,
            "its signer's certificate has a weak signature",
            self.signed_by(AUTHORITY.delegate(digest=hashes.SHA224())),
        )

    def test_no_usage(self) -> None:
        """Any other certificate of the issuer is not enough."""
        others = (
            (),
            [ExtendedKeyUsageOID.SERVER_AUTH],
            [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE],
        )
        for usages in others:
            self.check(
                Finding.UNVERIFIABLE,
                "its signer may not sign OCSP responses",
                self.signed_by(AUTHORITY.delegate(usages=usages)),
            )

    def test_host_itself(self) -> None:
        """A host cannot vouch for itself."""
        self.check(
            Finding.UNVERIFIABLE,
            "its signer may not sign OCSP responses",
            self.signed_by(HOST),
        )

    def test_of_another_authority(self) -> None:
        """The delegate of another authority has no say."""
        for subject in ("Stranger", "Test Authority"):
            self.check(
                Finding.UNVERIFIABLE,
                "its signer is not of the certificate's issuer",
                self.signed_by(Authority(subject).delegate()),
            )

    def test_of_a_delegate(self) -> None:
        """A delegate cannot appoint others."""
        middle = Authority("Responder", key=DELEGATE.key)

        self.check(
            Finding.UNVERIFIABLE,
            "its signer is not of the certificate's issuer",
            self.signed_by(middle.delegate()),
        )

    def test_expired(self) -> None:
        """One whose certificate has ended proves nothing, long as the proof lasts."""
        delegate = AUTHORITY.delegate(end=NOW - HOUR / 2)

        self.check(
            Finding.UNVERIFIABLE,
            "its signer's certificate has expired",
            self.signed_by(delegate),
        )

    def test_not_yet_valid(self) -> None:
        """Nor does one whose certificate has not begun, until it has."""
        delegate = AUTHORITY.delegate(begin=NOW + HOUR)

        found = self.signed_by(delegate)

        self.check(
            Finding.UNVERIFIABLE, "its signer's certificate is not yet valid", found
        )
        self.assertEqual(seconds(NOW + HOUR), found.changes_at)

    def test_ends_first(self) -> None:
        """Where the delegate's certificate ends before the proof, so does the proof."""
        found = self.signed_by(AUTHORITY.delegate(end=NOW + HOUR))

        self.assertTrue(found.is_good)
        self.assertEqual(seconds(NOW + HOUR), found.signer_end)
        self.assertEqual(seconds(NOW + HOUR), found.effective_end)
        self.assertEqual(seconds(NOW + HOUR), found.changes_at)

    def test_missing(self) -> None:
        """The delegate's certificate must come with the response."""
        response = AUTHORITY.respond(
            HOST.certificate, signer=DELEGATE, certificates=[HOST.certificate]
        )

        self.check(
            Finding.UNVERIFIABLE, "no certificate of its signer", verdict(response)
        )

    def test_same_name(self) -> None:
        """Of several certificates of one name the one that signed is found."""
        older = AUTHORITY.delegate()
        response = AUTHORITY.respond(
            HOST.certificate,
            signer=DELEGATE,
            by_name=True,
            certificates=[older.certificate, DELEGATE.certificate],
        )

        self.assertTrue(verdict(response).is_good)

    def test_brought_along(self) -> None:
        """Certificates can be taken from a response, or none from what is none."""
        response = AUTHORITY.respond(HOST.certificate, signer=DELEGATE)

        self.assertEqual([DELEGATE.certificate], certificates_in(response))
        for other in (b"", b"nonsense", unsuccessful()):
            self.assertEqual([], certificates_in(other))
