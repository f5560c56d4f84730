"""The conditions ``condition`` and ``acl``."""

from __future__ import annotations

from mta.taint import Tainted
from tests.acl.case import ACLCase


class ConditionTests(ACLCase):
    """Which strings are true."""

    def test_words(self) -> None:
        """There are some true words, some false ones; the rest is undecided."""
        for text, wanted in {
            "yes": "accept",
            "TRUE": "accept",
            "1": "accept",
            "-1": "accept",
            "010": "accept",
            "no": "deny",
            "False": "deny",
            "0": "deny",
            "-0": "deny",
            "000": "deny",
            "": "deny",
            "1.5": "defer",
            "on": "defer",
            "y": "defer",
            "+1": "defer",
        }.items():
            verdict = self.verdict("accept condition = $x", values={"x": Tainted(text)})

            self.assertEqual(wanted, verdict.outcome.value, text)

    def test_constant(self) -> None:
        """A text without variables is judged alike."""
        self.assertTrue(self.is_true("condition = yes"))
        self.assertFalse(self.is_true("condition ="))


class ACLConditionTests(ACLCase):
    """Words of a call."""

    def test_quoted_words(self) -> None:
        """Quotation marks keep a word together, a backslash quotes."""
        self.verdict(
            r'accept acl = inner "a \" b" "" c',
            named={
                "inner": "accept set acl_c1 = $acl_narg|$acl_arg1|$acl_arg2|$acl_arg3"
            },
        )

        self.assertEqual('3|a " b||c', self.connection.acl_variables["c1"])
