"""Tests for ``mta.config.section``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.config.reader import LogicalLine
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

    def test_order(self) -> None:
        """Errors come in the order of the file; those without a place at the end."""
        lines = [LogicalLine("", "/a", 2), LogicalLine("", "/b", 1)]
        problems = Problems()
        for file, number in (("", 0), ("/b", 1), ("/a", 2)):
            problems.add(ConfigurationError("x", file, number))

        found = problems.in_order_of(lines)

        self.assertEqual([error.file for error in found], ["/a", "/b", ""])

    def test_other_exceptions(self) -> None:
        """Defects are not taken for errors of the configuration."""
        with self.assertRaises(ZeroDivisionError), Problems().collect():
            raise ZeroDivisionError
