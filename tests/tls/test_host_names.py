"""Is this certificate for this host?"""

from __future__ import annotations

import datetime

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.host_names import is_for, matches

AUTHORITY = trustme.CA()
DAY = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def certificate(*names: str) -> x509.Certificate:
    """Return a certificate for some alternative names."""
    leaf = AUTHORITY.issue_cert(*names).cert_chain_pems[0].bytes()
    return x509.load_pem_x509_certificate(leaf)


def plain_certificate(name: str, *extensions: x509.ExtensionType) -> x509.Certificate:
    """Return a certificate that has a common name, and extensions if given."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(DAY)
        .not_valid_after(DAY)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


class CertificateNameTests(SynchronousTestCase):
    def test_alternative_names(self) -> None:
        """Any of the alternative names will do."""
        both = certificate("mx.example", "*.mail.example")

        self.assertTrue(is_for(both, "mx.example"))
        self.assertTrue(is_for(both, "a.mail.example"))
        self.assertFalse(is_for(both, "mail.example"))
        self.assertFalse(is_for(both, "other.example"))

    def test_ip_address(self) -> None:
        """An IP address counts only as such."""
        found = certificate("192.0.2.1", "2001:db8::1")

        self.assertTrue(is_for(found, "192.0.2.1"))
        self.assertTrue(is_for(found, "2001:DB8:0::1"))
        self.assertFalse(is_for(found, "192.0.2.2"))
        self.assertFalse(is_for(plain_certificate("192.0.2.1"), "192.0.2.1"))

    def test_common_name(self) -> None:
        """The common name counts where there are no alternative names."""
        self.assertTrue(is_for(plain_certificate("mx.example"), "MX.example"))
        alternative = x509.SubjectAlternativeName([x509.DNSName("a.example")])
        self.assertFalse(
            is_for(plain_certificate("mx.example", alternative), "mx.example")
        )

    def test_unreadable_names(self) -> None:
        """Alternative names that cannot be read name nobody."""
        broken = x509.UnrecognizedExtension(
            x509.SubjectAlternativeName.oid, b"\x30\x03\x01"
        )

        self.assertFalse(is_for(plain_certificate("other.example", broken), "mx.e"))


class PatternTests(SynchronousTestCase):
    def test_wildcard(self) -> None:
        """A star stands for one whole first label, before two more at least."""
        for pattern, name, expected in (
            ("mx.example", "mx.example", True),
            ("MX.example.", "mx.EXAMPLE", True),
            ("*.b.example", "a.b.example", True),
            ("*.b.example", "b.example", False),
            ("*.b.example", "x.a.b.example", False),
            ("*.b.example", ".b.example", False),
            ("*.example", "a.example", False),
            ("*", "example", False),
            ("a*.b.example", "ab.b.example", False),
            ("a.*.example", "a.b.example", False),
            ("", "", False),
        ):
            self.assertIs(matches(pattern, name), expected, (pattern, name))
