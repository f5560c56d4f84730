"""Tests for ``mta.config.exim_options``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.config.exim_options import EXIM_DRIVERS, EXIM_OPTIONS


class EximOptionsTests(SynchronousTestCase):
    """The names are usable as they stand."""

    def test_names(self) -> None:
        """Every word is a name, and none stands twice in a section."""
        for section, text in EXIM_OPTIONS.items():
            names = text.split()
            self.assertEqual(len(names), len(set(names)), section)
            self.assertTrue(all(name.isidentifier() for name in names), section)

    def test_sections(self) -> None:
        """Every section is a part of the file or a driver."""
        drivers = " ".join(EXIM_DRIVERS.values()).split()
        parts = {"main", "routers", "transports", "authenticators"}

        self.assertLessEqual(set(EXIM_OPTIONS), parts.union(drivers))
