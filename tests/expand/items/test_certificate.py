"""Tests of the item that takes certificates apart, and of hashes of certificates."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from mta.connection import TLSFacts
from mta.errors import ExpansionError
from mta.taint import is_tainted
from tests.expand.expansions import ExpansionTestCase

BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
END = datetime(2026, 3, 4, tzinfo=UTC)


@cache
def certificate(*, is_bare: bool = False) -> x509.Certificate:
    """Return a certificate with every field that can be asked for, or few."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ann, and others"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "post"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "mail:room"),
            x509.NameAttribute(NameOID.COMMON_NAME, "ann.example"),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")]))
        .public_key(key.public_key())
        .serial_number(0xABC123)
        .not_valid_before(BEGIN)
        .not_valid_after(END)
    )
    if not is_bare:
        for extension in extensions():
            builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def extensions() -> list[x509.ExtensionType]:
    """Return extensions that hold lists."""
    responder = x509.UniformResourceIdentifier("http://ocsp.example/")
    issuer = x509.UniformResourceIdentifier("http://ca.example/issuer")
    revoked = x509.UniformResourceIdentifier("http://crl.example/list")
    return [
        x509.SubjectAlternativeName(
            [
                x509.DNSName("ann.example"),
                x509.RFC822Name("ann@client.example"),
                x509.DNSName("mx.ann.example"),
                x509.UniformResourceIdentifier("urn:ann"),
            ]
        ),
        x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(AuthorityInformationAccessOID.OCSP, responder),
                x509.AccessDescription(
                    AuthorityInformationAccessOID.CA_ISSUERS, issuer
                ),
            ]
        ),
        x509.CRLDistributionPoints(
            [x509.DistributionPoint([revoked], None, None, None)]
        ),
    ]


class CertificateTests(ExpansionTestCase):
    """What can be learnt of a client's certificate."""

    def setUp(self) -> None:
        super().setUp()
        self.show(certificate())

    def show(self, shown: x509.Certificate | None) -> None:
        """Begin a session in which the client showed a certificate."""
        self.context.connection.tls = TLSFacts(
            "TLS1.3",
            "TLS1.3:X:256",
            peer_certificate=shown,
            our_certificate=certificate(is_bare=True),
        )

    def field(self, text: str, variable: str = "tls_in_peercert") -> str:
        """Return a field of a certificate."""
        return self.expand(
            f"${{certextract{{{text}}}{{${variable}}}{{$value}}{{none}}}}"
        )

    def test_names(self) -> None:
        """Names come whole, or a part of them by its label."""
        self.assertEqual(
            "CN=ann.example,OU=mail:room,OU=post,O=Ann\\, and others",
            self.field("subject"),
        )
        self.assertEqual("ann.example", self.field("subject,CN"))
        self.assertEqual("post\nmail:room", self.field("subject,OU"))
        self.assertEqual("post:mail::room", self.field("subject , ou , >:"))
        self.assertEqual("CN=Root", self.field("issuer"))
        self.assertEqual("none", self.field("issuer,O"))

    def test_times(self) -> None:
        """Times are for people, or seconds."""
        self.assertEqual(str(int(BEGIN.timestamp())), self.field("notbefore,int"))
        self.assertEqual(str(int(END.timestamp())), self.field("notafter,int"))
        self.assertRegex(
            self.field("notafter"), r"^[A-Z][a-z][a-z] .\d \d\d:\d\d:00 2026 [+-]\d{4}$"
        )

    def test_others(self) -> None:
        """Numbers and algorithms are there too."""
        self.assertEqual("3", self.field("version"))
        self.assertEqual("abc123", self.field("serial_number"))
        self.assertEqual("ecdsa-with-SHA256", self.field("sig_algorithm"))
        self.assertEqual(certificate().signature.hex(":"), self.field("signature"))

    def test_lists(self) -> None:
        """Alternative names are tagged, unless one kind is asked for."""
        self.assertEqual(
            "DNS=ann.example;MAIL=ann@client.example;DNS=mx.ann.example;URI=urn:ann",
            self.field("subj_altname,>;"),
        )
        self.assertEqual("ann@client.example", self.field("subj_altname,mail"))
        self.assertEqual(
            "ann.example:mx.ann.example", self.field("subj_altname,dns,>:")
        )
        self.assertEqual("http://ocsp.example/", self.field("ocsp_uri"))
        self.assertEqual("http://crl.example/list", self.field("crl_uri"))

    def test_missing(self) -> None:
        """What is not in it is not found, as where there is no certificate."""
        for name in ("subj_altname", "ocsp_uri", "crl_uri"):
            self.assertEqual("none", self.field(name, "tls_in_ourcert"))
        self.show(None)
        self.assertEqual("none", self.field("subject"))
        self.context.connection.tls = None
        self.assertEqual("none", self.field("subject"))

    def test_wrong(self) -> None:
        """Unknown fields and other texts are errors."""
        for text in ("${certextract{colour}{$tls_in_peercert}}",
                     "${certextract{subject,XX}{$tls_in_peercert}}",
                     "${certextract{subject}{text}}",
                     "${certextract{subject}{$tls_in_peercert }}"):  # fmt: skip
            self.assertRaises(ExpansionError, self.expand, text)

    def test_tainted(self) -> None:
        """A client chose what its certificate says."""
        self.assertTrue(is_tainted(self.field("subject,CN")))

    def test_fingerprints(self) -> None:
        """Hashes are those of the certificate, as other programs show them."""
        der = certificate().public_bytes(Encoding.DER)
        for name in ("md5", "sha1", "sha256"):
            expected = hashlib.new(name, der).hexdigest().upper()
            self.check((f"${{{name}:$tls_in_peercert}}", expected))
        self.check(
            ("${base64:$tls_in_peercert}", base64.b64encode(der).decode()),
            ("${if def:tls_in_peercert{yes}{no}}", "yes"),
        )

    def test_text(self) -> None:
        """By itself it is PEM."""
        pem = certificate().public_bytes(Encoding.PEM).decode()
        self.check(("$tls_in_peercert", pem))

    def test_without(self) -> None:
        """Without TLS there is none."""
        self.context.connection.tls = None
        self.check(
            ("${if def:tls_in_peercert{yes}{no}}", "no"),
            ("$tls_in_ourcert$tls_in_resumption", "0"),
        )
