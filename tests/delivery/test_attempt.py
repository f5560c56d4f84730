"""Tests for one attempt at one message."""

from __future__ import annotations

import email
import email.message

from twisted.trial.unittest import SynchronousTestCase

from mta.message import Message
from mta.recipient import Outcome, Result
from mta.routers.base import Decision, Verdict
from mta.testing import result_of
from mta.transports.base import Batch
from tests.delivery.dead_host import DEAD, dead_host
from tests.delivery.fakes import Rig, refusing


def content_of(message: Message) -> email.message.Message:
    """Return a report as a mail reader sees it."""
    octets = message.header.content + b"\r\n" + message.body.inline
    return email.message_from_bytes(octets)


class DeliveredTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rig = Rig()

    def test_one_recipient(self) -> None:
        """The removal of the row is the journal; then come => and Completed."""
        message = self.rig.message("a@far.example")

        result_of(self.rig.attempt.deliver(message))

        self.assertEqual(
            self.rig.events,
            ["remove", "log => a@far.example R=first T=remote", "log Completed"],
        )

    def test_together(self) -> None:
        """Recipients with the same transport and hosts go in one delivery."""
        message = self.rig.message("a@far.example", "b@far.example")

        result_of(self.rig.attempt.deliver(message))

        self.assertEqual(len(self.rig.remote.batches), 1)
        self.assertEqual(
            self.rig.logs.lines,
            [
                "=> a@far.example R=first T=remote",
                "-> b@far.example R=first T=remote",
                "Completed",
            ],
        )

    def test_local_one_by_one(self) -> None:
        """Local recipients are delivered to one at a time, each made durable."""
        self.rig.router.target = "local"
        message = self.rig.message("a@example.com", "b@example.com")

        result_of(self.rig.attempt.deliver(message))

        self.assertEqual(len(self.rig.local.batches), 2)
        self.assertEqual(
            self.rig.events,
            [
                "journal",
                "log => a@example.com R=first T=local",
                "remove",
                "log => b@example.com R=first T=local",
                "log Completed",
            ],
        )

    def test_same_recipient_twice(self) -> None:
        """An address that is named twice gets one copy."""
        message = self.rig.message("a@far.example", "a@FAR.example")

        result_of(self.rig.attempt.deliver(message))

        self.assertEqual(len(self.rig.remote.batches[0].addresses), 1)
        self.assertIn("Completed", self.rig.logs.lines)

    def test_log_fields(self) -> None:
        """The line has host, ready fields and the times that selectors ask for."""
        rig = Rig("queue_time", "deliver_time", "sender_on_delivery", "delivery_size")
        rig.remote.table["a@far.example"] = refusing(
            Result.DELIVERED,
            "",
            host=DEAD,
            reused_connection=True,
            log_fields=["X=TLS1.3:AES:256", 'C="250 ok"'],
        )
        message = rig.message("a@far.example")
        rig.time.now += 65

        result_of(rig.attempt.deliver(message))

        self.assertEqual(
            rig.logs.lines[0],
            "=> a@far.example F=<author@example.org> R=first T=remote "
            f"S={message.size} H=mx.far.example [192.0.2.1]* "
            'X=TLS1.3:AES:256 C="250 ok" QT=1m5s DT=0s',
        )


class ChildrenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rig = Rig()
        self.rig.router.table["list@example.com"] = ["a@far.example", "b@far.example"]

    def test_original_is_logged(self) -> None:
        """The address that a redirection came from stands in angle brackets."""
        message = self.rig.message("list@example.com")

        result_of(self.rig.attempt.deliver(message))

        self.assertEqual(
            self.rig.logs.lines[0],
            "=> a@far.example <list@example.com> R=first T=remote",
        )

    def test_child_delivered_once(self) -> None:
        """A child that is done stays done while its sister waits, after a crash too."""
        self.rig.remote.table["b@far.example"] = dead_host
        result_of(self.rig.attempt.deliver(self.rig.message("list@example.com")))
        saved = self.rig.store.durable["1message-00000000001-0000"]
        self.rig.remote.table.clear()
        self.rig.time.now += 3600

        result_of(self.rig.make_attempt().deliver(saved, queue_running=True))

        delivered = [
            address.address.text
            for batch in self.rig.remote.batches[1:]
            for address in batch.addresses
        ]
        self.assertEqual(saved.recipients[0].done_children[:1], ["a@far.example"])
        self.assertEqual(delivered, ["b@far.example"])
        self.assertNotIn("1message-00000000001-0000", self.rig.store.durable)

    def test_child_of_two(self) -> None:
        """A child of two recipients is delivered once, whichever still waits."""
        self.rig.router.table["other@example.com"] = ["a@far.example", "c@far.example"]
        self.rig.remote.table["c@far.example"] = dead_host
        message = self.rig.message("list@example.com", "other@example.com")
        result_of(self.rig.attempt.deliver(message))
        saved = self.rig.store.durable[message.message_id]
        self.rig.remote.table.clear()

        result_of(self.rig.attempt.deliver(saved, forced=True))

        again = [a.address.text for a in self.rig.remote.batches[1].addresses]
        self.assertEqual(again, ["c@far.example"])

    def test_dev_null(self) -> None:
        """/dev/null is a delivery that is left out."""
        self.rig.router.table["void@example.com"] = ["/dev/null"]

        result_of(self.rig.attempt.deliver(self.rig.message("void@example.com")))

        self.assertEqual(
            self.rig.logs.lines,
            ["=> /dev/null <void@example.com> R=first T=**bypassed**", "Completed"],
        )
        self.assertEqual(self.rig.remote.batches, [])

    def test_discarded(self) -> None:
        """What a router throws away is logged and owed nothing."""
        self.rig.router.table["void@example.com"] = Decision(Verdict.DISCARD)

        result_of(self.rig.attempt.deliver(self.rig.message("void@example.com")))

        self.assertEqual(
            self.rig.logs.lines,
            ["=> :blackhole: <void@example.com> R=first", "Completed"],
        )


class DeferredTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rig = Rig()

    def test_dead_host(self) -> None:
        """A dead host makes the message wait for the first interval of the rule."""
        self.rig.remote.table["a@far.example"] = dead_host
        message = self.rig.message("a@far.example")

        result = result_of(self.rig.attempt.deliver(message))

        self.assertEqual(result.next_try, self.rig.time.now + 900)
        self.assertEqual(
            self.rig.logs.lines,
            [
                "== a@far.example R=first T=remote defer (111): Connection refused "
                "H=mx.far.example [192.0.2.1]"
            ],
        )

    def test_partly(self) -> None:
        """One that is delivered is not delivered again when the other is retried."""
        self.rig.remote.table["b@far.example"] = refusing(
            Result.DEFERRED, "later", error=-44, error_name="rcpt_451", retry_key=""
        )
        message = self.rig.message("a@far.example", "b@far.example")

        result_of(self.rig.attempt.deliver(message))

        saved = self.rig.store.durable[message.message_id]
        self.assertEqual([r.done for r in saved.recipients], [True, False])
        self.assertEqual(
            self.rig.events[:2], ["journal", "log => a@far.example R=first T=remote"]
        )
        self.assertIn(
            ("retry", "T:b@far.example:author@example.org"), self.rig.hints.values
        )

    def test_another_message_to_the_dead_host(self) -> None:
        """A second message does not try the host, and waits as long as the first."""
        self.rig.remote.table["a@far.example"] = dead_host
        result_of(self.rig.attempt.deliver(self.rig.message("a@far.example")))
        due = self.rig.time.now + 900
        self.rig.time.now += 60

        result = result_of(self.rig.attempt.deliver(self.rig.message("a@far.example")))

        self.assertEqual(result.next_try, due)
        self.assertIn("retry time not reached for any host", self.rig.logs.lines[-1])

    def test_expected_errors(self) -> None:
        """An exception of a transport defers, tells the panic log, and loses nothing."""
        self.rig.remote.table["a@far.example"] = ZeroDivisionError("defect")
        message = self.rig.message("a@far.example")

        result_of(self.rig.attempt.deliver(message))

        self.assertIn("ZeroDivisionError: defect", self.rig.logs.panic_lines[0][0])
        self.assertNotIn("ZeroDivisionError", self.rig.logs.lines[-1])
        self.assertFalse(self.rig.store.durable[message.message_id].recipients[0].done)

    def test_router_error(self) -> None:
        """An exception of a router defers one recipient, not the others."""
        self.rig.router.table["a@far.example"] = ZeroDivisionError("defect")
        message = self.rig.message("a@far.example", "b@far.example")

        result_of(self.rig.attempt.deliver(message))

        saved = self.rig.store.durable[message.message_id]
        self.assertEqual([r.done for r in saved.recipients], [False, True])

    def test_missing_outcome(self) -> None:
        """An address that the transport says nothing of is deferred."""

        async def forget(batch: Batch) -> list[Outcome]:
            return []

        self.rig.remote.deliver = forget
        message = self.rig.message("a@far.example")

        result_of(self.rig.attempt.deliver(message))

        self.assertIn("no outcome for 1 of 1", self.rig.logs.panic_lines[0][0])
        self.assertIn(message.message_id, self.rig.store.durable)

    def test_no_rules(self) -> None:
        """Without retry rules a temporary error is final."""
        rig = Rig(rules=())
        rig.remote.table["a@far.example"] = dead_host

        result_of(rig.attempt.deliver(rig.message("a@far.example")))

        self.assertIn("** a@far.example: retry timeout exceeded", rig.logs.lines)
        self.assertIn("Completed", rig.logs.lines)

    def test_given_up(self) -> None:
        """When the rule's last cutoff has passed, the address is given up."""
        self.rig.remote.table["a@far.example"] = dead_host
        message = self.rig.message("a@far.example")
        for _ in range(100):
            result = result_of(self.rig.attempt.deliver(message, queue_running=True))
            if result.next_try is None:
                break
            self.rig.time.now = result.next_try
            message = self.rig.store.durable[message.message_id]

        age = self.rig.time.now - message.received_at
        self.assertIn("** a@far.example: retry timeout exceeded", self.rig.logs.lines)
        self.assertGreater(age, 4 * 86400)
        self.assertLess(age, 4 * 86400 + 6 * 3600 + 1)

    def test_held(self) -> None:
        """Nothing is delivered to a held domain, except by force."""
        rig = Rig(queue={"hold_domains": "far.example"})
        message = rig.message("a@far.example")

        result_of(rig.attempt.deliver(message))
        self.assertEqual(
            rig.logs.lines, ["== a@far.example defer (-23): domain is held"]
        )

        result_of(rig.attempt.deliver(message, forced=True))
        self.assertIn("Completed", rig.logs.lines)

    def test_queued_domain(self) -> None:
        """A domain of queue_domains waits for a queue run."""
        rig = Rig(queue={"queue_domains": "far.example"})
        message = rig.message("a@far.example")

        result_of(rig.attempt.deliver(message))
        self.assertEqual(rig.remote.batches, [])

        result_of(rig.attempt.deliver(message, queue_running=True))
        self.assertIn("Completed", rig.logs.lines)

    def test_local_domain_waits(self) -> None:
        """Without retry_use_local_part a failure holds back the whole domain."""
        for by_address, tried in ((None, 2), (False, 1)):
            rig = Rig()
            rig.router.target = "local"
            rig.local.retry_use_local_part = by_address
            rig.local.table["a@here.example"] = refusing(Result.DEFERRED, "full")
            result_of(rig.attempt.deliver(rig.message("a@here.example")))

            result_of(
                rig.attempt.deliver(rig.message("b@here.example"), queue_running=True)
            )

            self.assertEqual(len(rig.local.batches), tried)

    def test_local_domain_is_forgotten(self) -> None:
        """A delivery to the domain ends that."""
        self.rig.router.target = "local"
        self.rig.local.retry_use_local_part = False
        self.rig.local.table["a@here.example"] = refusing(Result.DEFERRED, "full")
        result_of(self.rig.attempt.deliver(self.rig.message("a@here.example")))

        result_of(self.rig.attempt.deliver(self.rig.message("b@here.example")))

        self.assertEqual(self.rig.hints.values, {})

    def test_routing_waits_in_queue_runs_only(self) -> None:
        """The retry time of a domain's routing counts in queue runs alone."""
        self.rig.router.table["a@far.example"] = Decision(
            Verdict.DEFER, "host lookup did not complete", error=-36
        )
        message = self.rig.message("a@far.example")
        result_of(self.rig.attempt.deliver(message))
        self.rig.router.table.clear()

        result_of(self.rig.attempt.deliver(message, queue_running=True))
        self.assertIn("retry time not reached", self.rig.logs.lines[-1])

        result_of(self.rig.attempt.deliver(message))
        self.assertIn("Completed", self.rig.logs.lines)
        self.assertEqual(self.rig.hints.values, {})
