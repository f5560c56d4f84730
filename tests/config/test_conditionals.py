"""Tests for ``mta.config.conditionals``."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from mta.config.conditionals import _NEXT, Branch, ConditionalError, Conditionals


class ConditionalsTests(SynchronousTestCase):
    """``.ifdef`` and its kin choose the lines that count."""

    def counts(self, *directives: tuple[str, bool]) -> bool:
        """Return whether lines count after some directives."""
        conditionals = Conditionals()
        for word, is_defined in directives:
            conditionals.obey(word, is_defined, 1)
        return conditionals.counts

    def test_table_is_complete(self) -> None:
        """Every branch has a successor for either truth."""
        self.assertEqual(set(_NEXT), set(product(Branch, (True, False))))

    def test_ifdef(self) -> None:
        """Lines after .ifdef count where the macro is defined."""
        self.assertTrue(self.counts((".ifdef", True)))
        self.assertFalse(self.counts((".ifdef", False)))

    def test_ifndef(self) -> None:
        """Lines after .ifndef count where it is not."""
        self.assertFalse(self.counts((".ifndef", True)))
        self.assertTrue(self.counts((".ifndef", False)))

    def test_else(self) -> None:
        """.else turns it round."""
        self.assertFalse(self.counts((".ifdef", True), (".else", False)))
        self.assertTrue(self.counts((".ifdef", False), (".else", False)))

    def test_only_one_branch(self) -> None:
        """After a branch that counted, no other does."""
        first = (".ifdef", True)

        self.assertFalse(self.counts(first, (".elifdef", True)))
        self.assertFalse(self.counts(first, (".elifdef", True), (".elifndef", False)))
        self.assertFalse(self.counts(first, (".elifdef", False), (".else", True)))

    def test_second_branch(self) -> None:
        """The first branch that holds counts."""
        self.assertTrue(self.counts((".ifdef", False), (".elifdef", True)))
        self.assertTrue(self.counts((".ifdef", False), (".elifndef", False)))

    def test_nested_in_dead_branch(self) -> None:
        """Nothing counts inside lines that do not."""
        dead = (".ifdef", False)

        self.assertFalse(self.counts(dead, (".ifdef", True)))
        self.assertFalse(self.counts(dead, (".ifdef", True), (".else", True)))

    def test_endif(self) -> None:
        """.endif returns to what was before."""
        conditionals = Conditionals()
        conditionals.obey(".ifdef", True, 4)
        conditionals.obey(".ifdef", False, 5)
        conditionals.obey(".endif", False, 6)

        self.assertTrue(conditionals.counts)
        self.assertEqual(conditionals.open_since, 4)
        conditionals.obey(".endif", False, 6)
        self.assertEqual(conditionals.open_since, 0)

    def test_without_ifdef(self) -> None:
        """The others need an .ifdef before them."""
        for word in (".endif", ".else", ".elifdef"):
            self.assertRaises(ConditionalError, Conditionals().obey, word, True, 1)

    def test_after_else(self) -> None:
        """Only .endif may follow .else."""
        for word in (".else", ".elifdef"):
            conditionals = Conditionals()
            conditionals.obey(".ifdef", False, 5)
            conditionals.obey(".else", False, 6)
            self.assertRaises(ConditionalError, conditionals.obey, word, True, 7)
