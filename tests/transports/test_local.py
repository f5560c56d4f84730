"""Tests for ``mta.transports.local``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.address import Address
from mta.errors import ExpansionError, PermanentFailure, TemporaryFailure
from mta.recipient import Outcome, Result
from mta.testing import result_of
from mta.transports.base import Batch
from mta.transports.local import deliver_locally, delivered, from_line
from tests.transports.delivering import batch_of


class OutcomeTests(SynchronousTestCase):
    """Every address of a batch has an outcome."""

    def outcomes(self, error: Exception | None = None) -> list[Outcome]:
        """Return what comes of a delivery to two addresses."""
        batch = batch_of("a@example.com", "b@example.com")

        async def deliver(batch: Batch) -> Outcome:
            if error is not None:
                raise error
            return delivered(batch)

        found = result_of(deliver_locally(batch, deliver))
        self.assertEqual([outcome.address for outcome in found], batch.addresses)
        self.assertTrue(all(outcome.local for outcome in found))
        self.assertEqual(len({outcome.result for outcome in found}), 1)
        return found

    def test_delivered(self) -> None:
        """One delivery serves all."""
        self.assertIs(self.outcomes()[1].result, Result.DELIVERED)

    def test_temporary(self) -> None:
        """A temporary failure defers all, with what is known of it."""
        failure = TemporaryFailure(
            "x", log_text="y", error=-9, error_name="z", freeze=True
        )

        for outcome in self.outcomes(failure):
            self.assertIs(outcome.result, Result.DEFERRED)
            self.assertEqual(
                (outcome.text, outcome.error, outcome.error_name, outcome.freeze),
                ("y", -9, "z", True),
            )
            self.assertEqual(outcome.report_text, "x")

    def test_permanent(self) -> None:
        """A permanent one fails all, output included."""
        for outcome in self.outcomes(PermanentFailure("x", output=b"said")):
            self.assertIs(outcome.result, Result.FAILED)
            self.assertEqual(outcome.output, b"said")

    def test_expansion(self) -> None:
        """What cannot be expanded is tried again."""
        (first, _) = self.outcomes(ExpansionError("unknown variable"))

        self.assertIs(first.result, Result.DEFERRED)
        self.assertEqual(first.text, "unknown variable")

    def test_defect(self) -> None:
        """A defect is not hidden."""
        self.assertRaises(ZeroDivisionError, self.outcomes, ZeroDivisionError())


class FromLineTests(SynchronousTestCase):
    """The line before a message."""

    def test_sender(self) -> None:
        """It has the reverse-path and the date."""
        line = from_line(batch_of(sender=Address("a", "b.example")))

        self.assertRegex(
            line, rb"\AFrom a@b\.example \w{3} Jan 0[12] ..:..:.. 1970\n\Z"
        )

    def test_null_path(self) -> None:
        """A report comes from MAILER-DAEMON."""
        self.assertTrue(from_line(batch_of()).startswith(b"From MAILER-DAEMON "))
