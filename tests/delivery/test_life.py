"""Messages from their arrival to their end, while a clock runs by hand."""

from __future__ import annotations

import email
import email.message
import email.policy
from typing import Any

from mta.message import Message
from mta.recipient import Outcome, Result
from mta.transports.base import Batch
from tests.delivery.dead_host import dead_host
from tests.delivery.fakes import START, refusing
from tests.delivery.test_queue_runner import Case

MINUTE, HOUR, DAY = 60, 3600, 86400


def parsed(message: Message) -> email.message.EmailMessage:
    """Return a report as a mail reader sees it."""
    octets = message.header.content + b"\r\n" + message.body.inline
    return email.message_from_bytes(octets, policy=email.policy.default)


class LifeCase(Case):
    """A host that is dead from ``START`` on, until a test revives it."""

    def begin(self, **queue: str) -> None:
        """Start a queue runner; ``tries`` has the hours at which the host was tried."""
        self.make(**queue)
        self.start()
        self.tries: list[float] = []

    def refuse(self, address: Any, batch: Batch) -> Outcome:
        """Behave like the dead host, and note when a connection was tried."""
        outcome = dead_host(address, batch)
        if outcome.retry_key:
            self.tries.append((self.rig.time.now - START) / HOUR)
        return outcome

    def let_pass(self, seconds: float, step: float = MINUTE) -> None:
        """Let time pass, step by step."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)

    def reports(self) -> list[email.message.EmailMessage]:
        """Return what was delivered to the author."""
        return [
            parsed(batch.message)
            for batch in self.rig.remote.batches
            if batch.addresses[0].address.text == "author@example.org"
        ]


class DeadHostTests(LifeCase):
    def test_from_failure_to_bounce(self) -> None:
        """Tries follow the default rule; warnings come daily, the bounce in the end."""
        self.begin()
        self.rig.remote.table["a1@far.example"] = self.refuse
        message = self.message()
        self.runner.accepted(message)

        self.let_pass(4 * DAY + 7 * HOUR)

        gaps = [b - a for a, b in zip(self.tries, self.tries[1:], strict=False)]
        growing = [1.0, 1.5, 2.25, 3.375, 5.06, 7.59]
        expected = [*[0.25] * 9, *growing, *[6.0] * 10]
        for gap, wanted in zip(gaps, expected, strict=False):
            self.assertApproximates(gap, wanted, 0.1, str(gaps))
        self.assertGreater(self.tries[-1], 4 * 24)
        self.assertLess(self.tries[-1], 4 * 24 + 6.1)
        subjects = [str(report["Subject"]) for report in self.reports()]
        self.assertEqual(
            [subject.split()[0] for subject in subjects], ["Warning:"] * 3 + ["Mail"]
        )
        for subject, days in zip(subjects, (1, 2, 3), strict=False):
            self.assertIn(f"delayed {days}d", subject)
        self.assertIn("** a1@far.example: retry timeout exceeded", self.rig.logs.lines)
        self.assertEqual(self.rig.store.durable, {})

    def test_what_the_bounce_says(self) -> None:
        """It has the status of what expired, the host, and the message."""
        self.begin()
        self.rig.remote.table["a1@far.example"] = self.refuse
        self.runner.accepted(self.message())

        self.let_pass(5 * DAY, 10 * MINUTE)

        bounce = self.reports()[-1]
        text, status, returned = bounce.iter_parts()
        self.assertIn("a1@far.example", text.get_content())
        self.assertIn("mx.far.example [192.0.2.1]", text.get_content())
        _, fields = status.get_payload()
        self.assertEqual(fields["Action"], "failed")
        self.assertEqual(fields["Status"], "5.4.7")
        self.assertEqual(fields["Remote-MTA"], "dns; mx.far.example")
        self.assertEqual(returned.get_content_type(), "message/rfc822")

    def test_revived(self) -> None:
        """All that wait for a host go out at its next try, and none is told of."""
        self.begin()
        for number in (1, 2, 3):
            self.rig.remote.table[f"a{number}@far.example"] = self.refuse
            self.runner.accepted(self.message(number))
            self.let_pass(3 * MINUTE)
        self.assertEqual(len(self.tries), 1)

        self.rig.remote.table.clear()
        self.let_pass(5 * MINUTE)
        self.assertEqual(len(self.rig.store.durable), 3)
        self.let_pass(2 * MINUTE)

        self.assertEqual(self.rig.store.durable, {})
        self.assertEqual(self.reports(), [])

    def test_later_message_to_a_long_dead_host(self) -> None:
        """A message that comes after four days of failure has one try."""
        self.begin()
        for number in (1, 2):
            self.rig.remote.table[f"a{number}@far.example"] = self.refuse
        self.runner.accepted(self.message(1))
        self.let_pass(5 * DAY, 10 * MINUTE)
        tries = len(self.tries)

        self.runner.accepted(self.message(2))
        self.let_pass(MINUTE)

        self.assertEqual(len(self.tries), tries + 1)
        self.assertEqual(self.rig.store.durable, {})
        self.assertIn("a2@far.example", self.reports()[-1]["X-Failed-Recipients"])


class BounceTests(LifeCase):
    """What becomes of bounces that nobody takes."""

    def test_refused(self) -> None:
        """A refused bounce is frozen, and thrown away when it is old."""
        self.begin(ignore_bounce_errors_after="2d")
        for address in ("a1@far.example", "author@example.org"):
            self.rig.remote.table[address] = refusing(Result.FAILED, "no")
        self.runner.accepted(self.message())
        self.let_pass(MINUTE)
        [bounce] = self.rig.store.durable.values()
        self.assertTrue(bounce.frozen)
        self.assertIn("Frozen (delivery error message)", self.rig.logs.lines)

        self.let_pass(2 * DAY - HOUR, 10 * MINUTE)
        self.assertEqual(len(self.rig.store.durable), 1)
        self.let_pass(2 * HOUR, 10 * MINUTE)

        self.assertEqual(self.rig.store.durable, {})
        self.assertIn("author@example.org: error ignored", self.rig.logs.lines)

    def test_dead_host(self) -> None:
        """One that waits for a dead host is frozen after four days, unreported."""
        self.begin()
        self.rig.remote.table["a1@far.example"] = refusing(Result.FAILED, "no")
        self.rig.remote.table["author@example.org"] = self.refuse
        self.runner.accepted(self.message())

        self.let_pass(4 * DAY - HOUR, 10 * MINUTE)
        [bounce] = self.rig.store.durable.values()
        self.assertFalse(bounce.frozen)
        self.let_pass(8 * HOUR, 10 * MINUTE)

        [bounce] = self.rig.store.durable.values()
        self.assertTrue(bounce.frozen)
        self.assertEqual(len(self.reports()), len(self.tries))

    def test_timeout_frozen_after(self) -> None:
        """A frozen bounce that timed out is dropped, and nobody is told."""
        self.begin(timeout_frozen_after="1d")
        for address in ("a1@far.example", "author@example.org"):
            self.rig.remote.table[address] = refusing(Result.FAILED, "no")
        self.runner.accepted(self.message())

        self.let_pass(DAY + HOUR, 10 * MINUTE)

        self.assertEqual(self.rig.store.durable, {})
        self.assertIn("cancelled by timeout_frozen_after", self.rig.logs.lines)
