"""Answers to OCSP requests."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from mta.ocsp import der
from mta.ocsp.request import read_request
from mta.ocsp.signing import Signer, SigningError
from mta.tls.ocsp import Finding, judge
from tests.ocsp.case import (
    GOOD_SERIAL,
    INDEX,
    REVOKED_SERIAL,
    UNKNOWN_SERIAL,
    ResponderCase,
    authority,
    delegate,
    issued,
)

STATUS = ocsp.OCSPResponseStatus
SERIALS = (GOOD_SERIAL, REVOKED_SERIAL, UNKNOWN_SERIAL)


def request(
    *serials: int, digest: hashes.HashAlgorithm | None = None, nonce: bool = False
) -> bytes:
    """Return a request for some certificates of the CA."""
    singles = []
    for serial in serials:
        builder = ocsp.OCSPRequestBuilder().add_certificate(
            issued(serial).certificate,
            authority().certificate,
            digest or hashes.SHA1(),
        )
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(b"n" * 16), False)
        octets = builder.build().public_bytes(Encoding.DER)
        fields = der.read_element(octets, der.SEQUENCE).elements()[0].elements()
        singles.append(fields[0].content)
        extensions = b"".join(field.octets for field in fields[1:])
    tbs = der.element(der.SEQUENCE, der.element(der.SEQUENCE, *singles), extensions)
    return der.element(der.SEQUENCE, tbs)


def status(octets: bytes) -> ocsp.OCSPResponseStatus:
    """Return what a response comes to."""
    return ocsp.load_der_ocsp_response(octets).response_status


class ResponderTests(ResponderCase):
    """What it answers."""

    def finding(self, octets: bytes, serial: int) -> Finding:
        """Return what our verifier makes of a response for a certificate."""
        certificate = issued(serial).certificate
        return judge(octets, certificate, authority().certificate, self.now).finding

    def test_each(self) -> None:
        """Certificates are good, revoked or unknown, by SHA-1 and by SHA-256."""
        responder = self.responder()
        for digest in (hashes.SHA1(), hashes.SHA256(), hashes.SHA384()):
            for serial, finding in zip(
                SERIALS, (Finding.GOOD, Finding.REVOKED, Finding.UNKNOWN), strict=True
            ):
                answer = responder.answer(request(serial, digest=digest))
                self.assertIs(finding, self.finding(answer.octets, serial))

    def test_revocation(self) -> None:
        """When and why is told."""
        answer = self.responder().answer(request(REVOKED_SERIAL))
        read = ocsp.load_der_ocsp_response(answer.octets)
        self.assertEqual(2026, read.revocation_time_utc.year)
        self.assertIs(x509.ReasonFlags.key_compromise, read.revocation_reason)

    def test_several(self) -> None:
        """One response answers for all certificates of a request."""
        answer = self.responder().answer(request(*SERIALS))
        found = [self.finding(answer.octets, serial) for serial in SERIALS]
        self.assertEqual([Finding.GOOD, Finding.REVOKED, Finding.UNKNOWN], found)

    def test_nonce(self) -> None:
        """A nonce is no reason to sign anew: the answer is the one that is kept."""
        responder = self.responder()
        plain = responder.answer(request(GOOD_SERIAL))
        self.assertIs(plain, responder.answer(request(GOOD_SERIAL, nonce=True)))

    def test_keys(self) -> None:
        """The CA's own key signs, and delegates' of all kinds."""
        keys = (
            rsa.generate_private_key(65537, 2048),
            ec.generate_private_key(ec.SECP384R1()),
            ec.generate_private_key(ec.SECP521R1()),
            ed25519.Ed25519PrivateKey.generate(),
            ed448.Ed448PrivateKey.generate(),
        )
        holders = [authority().delegate(key=key, signs=True) for key in keys]
        for holder in (authority().holder, *holders):
            answer = self.responder(holder).answer(request(GOOD_SERIAL))
            self.assertIs(Finding.GOOD, self.finding(answer.octets, GOOD_SERIAL))

    def test_foreign(self) -> None:
        """For another CA's certificates the responder is not the one to ask."""
        octets = bytearray(request(GOOD_SERIAL))
        octets[-10] ^= 1
        answer = self.responder().answer(bytes(octets))
        self.assertIs(STATUS.UNAUTHORIZED, status(answer.octets))
        self.assertEqual(0.0, answer.next_update)

    def test_garbage(self) -> None:
        """What is no request, or is cut anywhere, is called malformed."""
        whole = request(GOOD_SERIAL, nonce=True)
        responder = self.responder()
        cuts = [whole[:length] for length in range(len(whole))]
        for octets in (*cuts, whole + b"\0", b"\x30\x80", b"\xff" * 99, b"0" * 20000):
            answer = responder.answer(octets)
            self.assertIs(STATUS.MALFORMED_REQUEST, status(answer.octets))

    def test_flipped(self) -> None:
        """Whatever octet is another, there is an answer that can be read."""
        whole = request(GOOD_SERIAL, nonce=True)
        responder = self.responder()
        for place in range(len(whole)):
            for octet in (0, 0x7F, 0x80, 0xFF):
                octets = whole[:place] + bytes((octet,)) + whole[place + 1 :]
                status(responder.answer(octets).octets)

    def test_many(self) -> None:
        """A request for very many certificates is malformed."""
        answer = self.responder().answer(request(*[GOOD_SERIAL] * 65))
        self.assertIs(STATUS.MALFORMED_REQUEST, status(answer.octets))

    def test_cert_id_of_issuer(self) -> None:
        """What is signed ahead has the name that clients ask by."""
        for serial in SERIALS:
            (asked,) = read_request(request(serial))
            responder = self.responder()
            self.assertEqual(asked, responder._issuer.cert_id(serial))


class KeepingTests(ResponderCase):
    """Answers are signed once, and anew in time."""

    def test_kept(self) -> None:
        """For half of its life an answer is given again, then there is a later one."""
        responder = self.responder()
        first = responder.answer(request(GOOD_SERIAL))
        self.now += 43199
        self.assertIs(first, responder.answer(request(GOOD_SERIAL)))
        self.now += 1
        second = responder.answer(request(GOOD_SERIAL))
        self.assertEqual(first.this_update + 43200, second.this_update)

    def test_clock_set_back(self) -> None:
        """Nobody gets an answer from the future."""
        responder = self.responder()
        responder.answer(request(GOOD_SERIAL))
        self.now -= 3600
        answer = responder.answer(request(GOOD_SERIAL))
        self.assertEqual(self.now, answer.this_update)

    def test_revoked(self) -> None:
        """A revocation in the list is told at once."""
        responder = self.responder()
        responder.answer(request(GOOD_SERIAL))
        line = INDEX.splitlines(keepends=True)[1].replace("FFFF0B", "0A")
        self.write("index.txt", line.encode())

        answer = responder.answer(request(GOOD_SERIAL))

        read = ocsp.load_der_ocsp_response(answer.octets)
        self.assertIs(ocsp.OCSPCertStatus.REVOKED, read.certificate_status)

    def test_list_unusable(self) -> None:
        """Without a list nothing is said, even if it was; the reason is logged once."""
        responder = self.responder()
        responder.answer(request(GOOD_SERIAL))
        self.write("index.txt", b"R\t")
        for _ in range(2):
            answer = responder.answer(request(GOOD_SERIAL))
            self.assertIs(STATUS.TRY_LATER, status(answer.octets))
        self.assertEqual(0, responder.generation())
        self.write("index.txt", INDEX.encode())
        self.assertEqual(
            STATUS.SUCCESSFUL, status(responder.answer(request(GOOD_SERIAL)).octets)
        )
        trouble = f"no answers: {self.index_path}: line 1: 2 fields where 6 are wanted"
        self.assertEqual([trouble, "answering again"], self.logged)

    def test_signer_ends(self) -> None:
        """No answer outlives the certificate of who signed it."""
        end = authority().now + timedelta(hours=1)
        responder = self.responder(authority().delegate(signs=True, end=end))
        answer = responder.answer(request(GOOD_SERIAL))
        self.assertEqual(end.timestamp(), answer.next_update)
        self.now += 3600
        answer = responder.answer(request(GOOD_SERIAL))
        self.assertIs(STATUS.TRY_LATER, status(answer.octets))
        self.assertIn("has expired", self.logged[0])

    def test_signed_ahead(self) -> None:
        """What is signed ahead is what is answered later."""
        responder = self.responder()
        for _ in responder.sign_ahead():
            self.now += 1
        for serial, age in ((GOOD_SERIAL, 2), (REVOKED_SERIAL, 1)):
            answer = responder.answer(request(serial))
            self.assertEqual(self.now - age, answer.this_update)

    def test_unknown_not_kept(self) -> None:
        """Numbers that clients think of take no memory."""
        responder = self.responder()
        responder.answer(request(UNKNOWN_SERIAL))
        responder.answer(request(GOOD_SERIAL, REVOKED_SERIAL))
        self.assertEqual(0, len(responder._kept))


class SignerTests(ResponderCase):
    """Who may sign."""

    def test_refused(self) -> None:
        """A key that no client would believe is refused at the start."""
        certificate = authority().certificate
        plain = authority().delegate(usages=())
        unable = authority().delegate(signs=False)
        stranger = type(authority())("Stranger", now=authority().now)
        for signer, key, text in (
            (delegate().certificate, authority().key, "not that of the signer"),
            (plain.certificate, plain.key, "lacks the usage"),
            (unable.certificate, unable.key, "lacks digitalSignature"),
            (stranger.certificate, stranger.key, "did not issue"),
        ):
            error = self.assertRaises(SigningError, Signer, certificate, signer, key)
            self.assertIn(text, str(error))
