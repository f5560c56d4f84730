"""Tests of the words that adjust OpenSSL."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ConfigurationError
from mta.options import Source
from mta.tls.openssl_options import (
    DEFAULT_BITS,
    DEFAULT_TEXT,
    OpenSSLOptions,
)

PLACE = Source("mta.conf", 7, "openssl_options")


def bits(text: str) -> int:
    """Return what words mean to OpenSSL."""
    return OpenSSLOptions.parse(text, PLACE)


class OpenSSLOptionsTests(SynchronousTestCase):
    """What can be had, and what cannot."""

    def test_numbers(self) -> None:
        """The numbers are OpenSSL's."""
        for name in (
            "CIPHER_SERVER_PREFERENCE",
            "DONT_INSERT_EMPTY_FRAGMENTS",
            "NO_COMPRESSION",
            "NO_RENEGOTIATION",
            "NO_TICKET",
            "NO_TLSv1",
            "NO_TLSv1_1",
            "NO_TLSv1_2",
            "NO_TLSv1_3",
            "SINGLE_DH_USE",
            "NO_SSLv2",
            "NO_SSLv3",
            "MICROSOFT_SESS_ID_BUG",
            "NETSCAPE_CHALLENGE_BUG",
            "EPHEMERAL_RSA",
        ):
            expected = getattr(SSL, f"OP_{name}") | DEFAULT_BITS
            self.assertEqual(expected, bits(f"+{name.lower()}"), name)

    def test_default(self) -> None:
        """What is set by default stays set, beside what is added."""
        self.assertEqual(DEFAULT_BITS | SSL.OP_NO_SSLv3, bits(DEFAULT_TEXT))
        self.assertEqual(DEFAULT_BITS, bits(""))
        for name in ("COMPRESSION", "RENEGOTIATION", "TICKET"):
            self.assertTrue(bits("+no_tlsv1_3") & getattr(SSL, f"OP_NO_{name}"))

    def test_taken_away(self) -> None:
        """Some can be taken away; the last word counts."""
        mask = SSL.OP_CIPHER_SERVER_PREFERENCE

        self.assertFalse(bits("-cipher_server_preference") & mask)
        self.assertTrue(
            bits("-cipher_server_preference+CIPHER_SERVER_preference") & mask
        )

    def test_all(self) -> None:
        """A common line of old configurations still works."""
        self.assertEqual(DEFAULT_BITS, bits("-all +microsoft_big_sslv3_buffer"))
        self.assertTrue(bits("+all") & SSL.OP_DONT_INSERT_EMPTY_FRAGMENTS)
        self.assertFalse(bits("+all -all") & SSL.OP_DONT_INSERT_EMPTY_FRAGMENTS)

    def test_refused(self) -> None:
        """What is old, weak or not to be had is refused, with file and line."""
        for word, reason in (
            ("-no_sslv2", "TLS 1.2 is the oldest version"),
            ("-no_sslv3", "TLS 1.2 is the oldest version"),
            ("-no_tlsv1", "TLS 1.2 is the oldest version"),
            ("-no_tlsv1_1", "TLS 1.2 is the oldest version"),
            ("-no_ticket", "sessions are never resumed"),
            ("-no_compression", "give away"),
            ("-no_renegotiation", "without end"),
            ("+allow_unsafe_legacy_renegotiation", "before a client's"),
            ("+allow_client_renegotiation", "without end"),
            ("+no_extended_master_secret", "one session pass for another"),
            ("no_tlsv1", "neither"),
            ("+no_tlsv1_9", 'did you mean "no_tlsv1'),
            ("+nonsense", "no such OpenSSL option"),
        ):
            error = self.assertRaises(ConfigurationError, bits, f"+no_sslv2 {word}")

            self.assertIn(f'"{word}" cannot be had: ', str(error))
            self.assertIn(reason, str(error))
            self.assertIn("mta.conf", str(error))

    def test_refused_already(self) -> None:
        """To decline what is never had is fine."""
        self.assertEqual(DEFAULT_BITS, bits("-allow_unsafe_legacy_renegotiation"))

    def test_nothing_left(self) -> None:
        """Some version of TLS must be left."""
        error = self.assertRaises(ConfigurationError, bits, "+no_tlsv1_2 +no_tlsv1_3")

        self.assertIn("no version of TLS is left", str(error))
