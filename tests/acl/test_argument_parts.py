"""Tests of mta.acl.argument_parts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.acl.argument_parts import split_at_slashes


class SplitTests(SynchronousTestCase):
    """What slashes part."""

    def test_parts(self) -> None:
        """Each part stands alone, without white space around it."""
        self.assertEqual(["5", "1h", "a b", ""], split_at_slashes("5 / 1h/ a b /"))
        self.assertEqual([""], split_at_slashes(""))

    def test_expansions(self) -> None:
        """Slashes in braces part nothing."""
        text = "${lookup{$x}lsearch{/a/b}{$value}{1}}/${mask:$y/24}/z"

        self.assertEqual(
            ["${lookup{$x}lsearch{/a/b}{$value}{1}}", "${mask:$y/24}", "z"],
            split_at_slashes(text),
        )
