"""One attempt at a message whose delivery fails: reports and warnings."""

from __future__ import annotations

import email
import email.message

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import SpoolError
from mta.message import Message
from mta.recipient import Result
from mta.routers.base import Decision, Verdict
from mta.testing import result_of
from tests.delivery.dead_host import DEAD, dead_host
from tests.delivery.fakes import Rig, refusing


def content_of(message: Message) -> email.message.Message:
    """Return a report as a mail reader sees it."""
    octets = message.header.content + b"\r\n" + message.body.inline
    return email.message_from_bytes(octets)


class FailedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rig = Rig()
        self.rig.remote.table["a@far.example"] = refusing(
            Result.FAILED,
            "SMTP error from remote mail server after RCPT TO:<a@far.example>: "
            "550 5.1.1 No such user",
            host=DEAD,
            reply="550 5.1.1 No such user",
        )

    def bounce(self, number: int = 1) -> Message:
        return self.rig.store.durable[f"1bounce-{number:011d}-0000"]

    def test_bounce_before_done(self) -> None:
        """The bounce is durable before the message goes, and logs come last."""
        message = self.rig.message("a@far.example")

        result = result_of(self.rig.attempt.deliver(message))

        kinds = [event.split()[0] for event in self.rig.events]
        self.assertEqual(kinds, ["add", "remove", "log", "log", "log"])
        self.assertEqual(
            self.rig.logs.lines[0],
            "** a@far.example R=first T=remote H=mx.far.example [192.0.2.1]: SMTP error "
            "from remote mail server after RCPT TO:<a@far.example>: 550 5.1.1 No such "
            "user",
        )
        self.assertRegex(
            self.rig.logs.lines[1],
            rf"^<= <> R={message.message_id} U=\S+ P=local S=\d+$",
        )
        self.assertEqual(self.rig.logs.lines[2], "Completed")
        self.assertEqual(
            [r.message_id for r in result.reports], [self.bounce().message_id]
        )

    def test_no_bounce_no_loss(self) -> None:
        """A bounce that cannot be written leaves the recipient undone."""
        self.rig.store.broken.add("add")
        message = self.rig.message("a@far.example")

        result = result_of(self.rig.attempt.deliver(message))

        self.assertFalse(self.rig.store.durable[message.message_id].recipients[0].done)
        self.assertIsNotNone(result.next_try)
        self.assertIn("bounce not sent", self.rig.logs.panic_lines[0][0])

    def test_spool_error(self) -> None:
        """Without a way to wait, a spool that takes nothing is an error."""
        self.rig.store.broken.add("remove")
        self.rig.remote.table.clear()
        message = self.rig.message("a@far.example")

        attempt = self.rig.attempt.deliver(message)

        self.assertRaises(SpoolError, result_of, attempt)
        self.assertNotIn("Completed", self.rig.logs.lines)

    def test_bounce_fails(self) -> None:
        """A bounce that cannot be delivered is frozen, its recipient undone."""
        message = self.rig.message("a@far.example", sender="")

        result_of(self.rig.attempt.deliver(message))

        saved = self.rig.store.durable[message.message_id]
        self.assertTrue(saved.frozen)
        self.assertFalse(saved.recipients[0].done)
        self.assertEqual(self.rig.logs.lines[-1], "Frozen (delivery error message)")

    def test_old_bounce_fails(self) -> None:
        """After ignore_bounce_errors_after it is thrown away."""
        message = self.rig.message("a@far.example", sender="")
        self.rig.time.now += 10 * 7 * 86400

        result_of(self.rig.attempt.deliver(message))

        self.assertNotIn(message.message_id, self.rig.store.durable)
        self.assertIn("a@far.example: error ignored", self.rig.logs.lines)

    def test_notify_never(self) -> None:
        """NOTIFY=NEVER: no report, and the message is complete."""
        message = self.rig.message("a@far.example")
        message.recipients[0].notify = ("NEVER",)

        result = result_of(self.rig.attempt.deliver(message))

        self.assertEqual(result.reports, [])
        self.assertIn("Completed", self.rig.logs.lines)

    def test_errors_to(self) -> None:
        """errors_to gets the report in place of the sender."""
        message = self.rig.message("a@far.example")
        message.recipients[0].errors_to = "owner@example.com"

        result_of(self.rig.attempt.deliver(message))

        self.assertEqual(self.bounce().recipients[0].address.text, "owner@example.com")

    def test_router_failure(self) -> None:
        """An address that no router takes is returned with the router's text."""
        self.rig.router.table["b@far.example"] = Decision(Verdict.FAIL, "no such list")

        result_of(self.rig.attempt.deliver(self.rig.message("b@far.example")))

        self.assertEqual(
            self.rig.logs.lines[0], "** b@far.example R=first: no such list"
        )

    def test_some_delivered_some_failed(self) -> None:
        """What was delivered is journalled before the bounce is made."""
        message = self.rig.message("a@far.example", "b@far.example")

        result_of(self.rig.attempt.deliver(message))

        kinds = [event.split()[0] for event in self.rig.events]
        self.assertEqual(kinds[:4], ["journal", "log", "add", "remove"])
        failed = content_of(self.bounce())["X-Failed-Recipients"]
        self.assertEqual(failed, "a@far.example")

    def test_success_report(self) -> None:
        """NOTIFY=SUCCESS: a report that the message was relayed, unless passed on."""
        message = self.rig.message("b@far.example")
        message.recipients[0].notify = ("SUCCESS",)

        result_of(self.rig.attempt.deliver(message))

        status = content_of(self.bounce()).get_payload()[1].get_payload()
        self.assertEqual(status[1]["Action"], "relayed")

    def test_success_report_passed_on(self) -> None:
        """A next host with DSN makes the report itself."""
        self.rig.remote.table["b@far.example"] = refusing(
            Result.DELIVERED, "", dsn_passed=True
        )
        message = self.rig.message("b@far.example")
        message.recipients[0].notify = ("SUCCESS",)

        result = result_of(self.rig.attempt.deliver(message))

        self.assertEqual(result.reports, [])

    def test_give_up(self) -> None:
        """Giving up fails everybody who is still owed something."""
        message = self.rig.message("a@far.example", "b@far.example")
        message.recipients[0].done = True

        result_of(self.rig.attempt.give_up(message, "cancelled"))

        self.assertEqual(self.rig.logs.lines[0], "** b@far.example: cancelled")
        self.assertEqual(self.rig.logs.lines[-1], "Completed")


class WarningTests(SynchronousTestCase):
    def test_after_a_day(self) -> None:
        """A sender is warned once when a message is delayed for a day."""
        rig = Rig()
        rig.remote.table["a@far.example"] = dead_host
        message = rig.message("a@far.example")
        result_of(rig.attempt.deliver(message))
        rig.time.now += 86400

        first = result_of(rig.attempt.deliver(message, forced=True))
        second = result_of(rig.attempt.deliver(message, forced=True))

        warning = content_of(first.reports[0])
        status = warning.get_payload()[1].get_payload()[1]
        self.assertEqual(status["Action"], "delayed")
        self.assertEqual(status["Status"], "4.0.0")
        self.assertIn("Will-Retry-Until", status)
        self.assertEqual(second.reports, [])
        self.assertEqual(rig.store.durable[message.message_id].warnings, 1)

    def test_condition(self) -> None:
        """Nobody is warned where the condition says no."""
        rig = Rig(bounces={"delay_warning_condition": "no"})
        rig.remote.table["a@far.example"] = dead_host
        message = rig.message("a@far.example")
        rig.time.now += 86400

        result = result_of(rig.attempt.deliver(message))

        self.assertEqual(result.reports, [])
