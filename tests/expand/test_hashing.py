"""Tests of ``mta.expand.hashing``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ExpansionError
from mta.expand.hashing import numeric_hash, textual_hash


class TextualHashTests(SynchronousTestCase):
    """``hash``."""

    def test_size(self) -> None:
        """The result has the size, of letters from the chosen ones."""
        for size in range(6):
            result = textual_hash("a text of some size", size, 26)
            self.assertEqual((len(result), result.lower()), (size, result))

    def test_bad_letters(self) -> None:
        """There are no more than 62 characters to choose from."""
        for count in (0, 63, -1):
            with self.assertRaises(ExpansionError):
                textual_hash("a text", 2, count)


class NumericHashTests(SynchronousTestCase):
    """``nhash``."""

    def test_one_number(self) -> None:
        """The numbers of different texts spread over the range."""
        found = {numeric_hash(f"text{number}", 4, None) for number in range(50)}

        self.assertEqual(found, {"0", "1", "2", "3"})

    def test_bad_size(self) -> None:
        """There is no number below zero."""
        for sizes in ((0, None), (1, 0), (-1, 1)):
            with self.assertRaises(ExpansionError):
                numeric_hash("a", *sizes)
