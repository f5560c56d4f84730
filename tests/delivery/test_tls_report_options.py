"""Tests for mta.delivery.tls_report_options."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_report_options import TLSReportOptions
from mta.errors import ConfigurationError
from mta.testing import PlainLanguage


def options(**texts: str) -> TLSReportOptions:
    """Return options from texts."""
    return TLSReportOptions.with_texts(texts, language=PlainLanguage())


class OptionsTests(SynchronousTestCase):
    """Settings that make sense, and others."""

    def test_default(self) -> None:
        """A month is remembered, and nobody is told."""
        found = options()

        self.assertEqual(found.tls_results_keep, 30 * 86400)
        self.assertFalse(found.tls_rpt)

    def test_no_history(self) -> None:
        """There are no reports without a history."""
        self.assertFalse(options(tls_results_keep="0s").tls_rpt)
        error = self.assertRaises(
            ConfigurationError, options, tls_rpt="true", tls_results_keep="0s"
        )
        self.assertIn("tls_results_keep", str(error))

    def test_address(self) -> None:
        """The sender must be an address, and is refused at once where it is none."""
        options(tls_rpt_from="tls@example.com")
        options(tls_rpt_from="tls@$qualify_domain")
        for text in ("tls", "tls@", "@example.com", "a b@example.com", "ä@example.com"):
            error = self.assertRaises(ConfigurationError, options, tls_rpt_from=text)
            self.assertIn("tls_rpt_from", str(error))
