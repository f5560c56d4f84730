"""The main options about callouts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.callout_options import CalloutOptions
from mta.errors import ConfigurationError
from mta.testing import PlainLanguage


class CalloutOptionsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Times are in seconds, as Exim's manual has them."""
        options = CalloutOptions.with_texts({}, language=PlainLanguage())

        self.assertEqual(
            (3 * 3600, 7 * 86400, 2 * 3600, 86400),
            (
                options.callout_domain_negative_expire,
                options.callout_domain_positive_expire,
                options.callout_negative_expire,
                options.callout_positive_expire,
            ),
        )

    def test_no_time(self) -> None:
        """What is no time is refused."""
        with self.assertRaises(ConfigurationError):
            CalloutOptions.with_texts(
                {"callout_negative_expire": "soon"}, language=PlainLanguage()
            )
