"""Tests of the main options of TLS."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.reception.tls_options import TLSOptions
from mta.testing import result_of
from mta.tls.openssl_options import DEFAULT_BITS
from tests.expand.expansions import LANGUAGE
from tests.reception.test_tls_settings import context


class TLSOptionsTests(SynchronousTestCase):
    """What holds where nothing is said."""

    def test_defaults(self) -> None:
        """Everybody is offered TLS; nobody is verified; mail may be named (ALPN)."""
        options = TLSOptions.with_texts({}, language=LANGUAGE)
        hosts = options.tls_advertise_hosts
        assert hosts is not None

        self.assertEqual("*", hosts.text)
        self.assertIsNone(options.tls_verify_hosts)
        self.assertIsNone(options.tls_try_verify_hosts)
        self.assertIsNone(options.tls_crl)
        self.assertIsNone(options.tls_dhparam)
        self.assertIsNone(options.hosts_require_alpn)
        self.assertEqual(2236, options.tls_dh_max_bits)
        self.assertFalse(options.tls_remember_esmtp)
        self.assertEqual(DEFAULT_BITS, options.openssl_options & DEFAULT_BITS)
        self.assertEqual(
            ["smtp", "esmtp"], result_of(options.tls_alpn.items(context()))
        )
