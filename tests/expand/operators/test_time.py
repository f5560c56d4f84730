"""Tests of ``mta.expand.operators.time``."""

from __future__ import annotations

import os

from mta.errors import ExpansionError, TaintError
from mta.taint import Tainted
from tests.expand.expansions import ExpansionTestCase


class IntervalTests(ExpansionTestCase):
    """``time_eval`` and ``time_interval``."""

    def test_there_and_back(self) -> None:
        """An interval survives."""
        self.check(
            ("${time_eval:2d4h5m}${time_eval:7}", "1875007"),
            ("${time_interval:694861}${time_interval:0}", "1w1d1h1m1s0s"),
        )

    def test_malformed(self) -> None:
        """What is no interval fails."""
        self.check_errors(
            ExpansionError, "${time_eval:x}", "${time_eval:}", "${time_interval:-1}"
        )


class StatTests(ExpansionTestCase):
    """``stat``."""

    def test_file(self) -> None:
        """The facts can be taken out by name."""
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("abc")
        os.chmod(path, 0o640)
        self.context.values["value"] = path

        self.check(
            ("${extract{size}{${stat:$value}}}", "3"),
            ("${extract{mode}{${stat:$value}}}", "0640"),
            ("${extract{smode}{${stat:$value}}}", "-rw-r-----"),
        )

    def test_refusals(self) -> None:
        """A missing file fails, a tainted name is refused."""
        self.check_errors(ExpansionError, "${stat:/none/such}")
        self.context.values["value"] = Tainted("/etc/passwd")
        self.check_errors(TaintError, "${stat:$value}")
