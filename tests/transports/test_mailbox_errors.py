"""Tests for ``mta.transports.mailbox_errors``."""

from __future__ import annotations

import errno

from twisted.trial.unittest import SynchronousTestCase

from mta.transports.mailbox_errors import mailbox_failure, system_failure


class FailureTests(SynchronousTestCase):
    """What a sender reads names no file; the log does."""

    def test_texts(self) -> None:
        """Two texts for two readers."""
        failure = mailbox_failure("/x is broken")

        self.assertEqual(failure.text, "local delivery failed")
        self.assertEqual(failure.log_text, "/x is broken")

    def test_system(self) -> None:
        """An error of the system keeps its number."""
        failure = system_failure("writing /x", OSError(errno.EACCES, "no"))

        self.assertEqual(failure.log_text, "Permission denied: writing /x")
        self.assertEqual(failure.facts["error"], errno.EACCES)

    def test_system_without_number(self) -> None:
        """One without a number keeps its text."""
        failure = system_failure("writing /x", OSError("odd"))

        self.assertEqual(failure.log_text, "odd: writing /x")

    def test_quota(self) -> None:
        """A full quota is known to retry rules and has its own status."""
        failure = system_failure("writing /x", OSError(errno.EDQUOT, "full"))

        self.assertEqual(failure.text, "mailbox is full")
        self.assertEqual(failure.status, "4.2.2")
        self.assertEqual(failure.facts["error_name"], "quota")
