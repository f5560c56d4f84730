"""Tests for ``mta.config.settings``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.config.section import Problems
from mta.config.settings import build
from mta.options import Configurable, Integer, Option, Setting, Source


class Pair(Configurable):
    """Needs its first option."""

    first = Option(Integer, None, "One.")
    second = Option(Integer, None, "Two.")

    def __init__(self, settings: list[Setting]) -> None:
        super().__init__(settings, source=Source("/conf", 1))
        if self.first is None:
            raise self.source.error("first is missing")


def setting(name: str, text: str, line: int) -> Setting:
    """Return a setting of a line."""
    return Setting(name, text, Source("/conf", line, name))


class BuildTests(SynchronousTestCase):
    """Instances from settings, some of them wrong."""

    def lines(self, *settings: Setting, is_whole: bool = True) -> list[int]:
        """Return the lines of the problems that building a Pair finds."""
        problems = Problems()
        self.built = build(Pair, settings, problems, is_whole=is_whole)
        return [error.line for error in problems.found]

    def test_right(self) -> None:
        """Right settings make an instance."""
        self.assertEqual(self.lines(setting("first", "1", 2)), [])
        assert self.built is not None
        self.assertEqual(self.built.first, 1)

    def test_all_wrong(self) -> None:
        """Each wrong setting is a problem; what then is missing is none."""
        wrong = setting("first", "x", 2), setting("second", "y", 3)

        self.assertEqual(self.lines(*wrong), [2, 3])
        self.assertIsNone(self.built)

    def test_missing(self) -> None:
        """What is really missing is a problem."""
        self.assertEqual(self.lines(setting("second", "1", 2)), [1])

    def test_missing_for_known_reason(self) -> None:
        """Unless the reason is known already."""
        self.assertEqual(self.lines(setting("second", "1", 2), is_whole=False), [])
