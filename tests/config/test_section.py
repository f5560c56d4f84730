"""Tests for ``mta.config.section``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.config.section import Problems
from mta.errors import ConfigurationError, ConfigurationErrors


class ProblemsTests(SynchronousTestCase):
    """Errors are gathered."""

    def test_collect(self) -> None:
        """An error within is kept and does not come out."""
        problems = Problems()

        with problems.collect():
            raise ConfigurationError("one")

        self.assertTrue(problems)
        self.assertEqual([error.text for error in problems.found], ["one"])

    def test_several(self) -> None:
        """An error that holds several is several."""
        problems = Problems()
        several = [ConfigurationError("one"), ConfigurationError("two")]

        problems.add(ConfigurationErrors(several))

        self.assertEqual(problems.found, several)

    def test_other_exceptions(self) -> None:
        """Defects are not taken for errors of the configuration."""
        with self.assertRaises(ZeroDivisionError), Problems().collect():
            raise ZeroDivisionError
