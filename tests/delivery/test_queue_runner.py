"""Tests for the service that picks due messages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mta.address import parse_address
from mta.delivery.queue_runner import MEMORY_LIMIT, QueueRunner
from mta.delivery.queued_message import RunRequest
from mta.message import Message, Recipient
from mta.recipient import Outcome, Result
from mta.transports.base import Batch
from tests.delivery.fakes import START, Rig, refusing


class RigClock(Clock):
    """A reactor's clock that moves the rig's wall clock too."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self._rig = rig

    def advance(self, amount: float) -> None:
        self._rig.time.now += amount
        super().advance(amount)


class Case(SynchronousTestCase):
    def make(self, interval: float | None = None, **queue: str) -> None:
        self.rig = Rig(queue=queue)
        self.clock = RigClock(self.rig)
        self.runner = QueueRunner(
            store=self.rig.store,
            attempt=self.rig.attempt,
            options=self.rig.options,
            site=self.rig.site,
            clock=self.clock,
            logs=self.rig.logs,
            interval=interval,
        )

    def message(
        self, number: int = 1, *, claimed: bool = True, **facts: Any
    ) -> Message:
        message = Message(
            message_id=f"1abc-{number:011d}-0000",
            sender=parse_address("author@example.org"),
            recipients=[Recipient(parse_address(f"a{number}@far.example"))],
            received_at=self.rig.time.now,
        )
        for name, value in facts.items():
            setattr(message, name, value)
        self.rig.store.keep(message)
        if claimed:
            self.rig.store.claimed.add(message.message_id)
        return message

    def start(self) -> None:
        self.runner.startService()
        self.addCleanup(self.runner.stopService)

    @property
    def delivered(self) -> list[str]:
        return [
            address.address.text
            for batch in self.rig.remote.batches
            for address in batch.addresses
        ]


class ArrivalTests(Case):
    def test_at_once(self) -> None:
        """A message that arrives is delivered in the next turn of the reactor."""
        self.make()
        self.start()

        self.runner.accepted(self.message())
        self.assertEqual(self.delivered, [])
        self.clock.advance(0)

        self.assertEqual(self.delivered, ["a1@far.example"])
        self.assertEqual(self.rig.store.durable, {})

    def test_bounce_follows(self) -> None:
        """A report that an attempt made is delivered like any arrival."""
        self.make()
        self.start()
        self.rig.remote.table["a1@far.example"] = refusing(Result.FAILED, "no")

        self.runner.accepted(self.message())
        self.clock.advance(0)
        self.clock.advance(0)

        self.assertEqual(self.delivered, ["a1@far.example", "author@example.org"])
        self.assertEqual(self.rig.store.durable, {})

    def test_limit(self) -> None:
        """No more than deliver_max_parallel messages are delivered at once."""
        self.make(deliver_max_parallel="2")
        self.start()
        waiting: list[Deferred[None]] = []

        async def deliver(batch: Batch) -> list[Outcome]:
            waiting.append(Deferred())
            await waiting[-1]
            return [Outcome(a, Result.DELIVERED) for a in batch.addresses]

        self.rig.remote.deliver = deliver
        for number in range(1, 6):
            self.runner.accepted(self.message(number))
        self.clock.advance(0)
        self.assertEqual(len(waiting), 2)

        waiting[0].callback(None)
        self.assertEqual(len(waiting), 3)
        for turn in range(1, 5):
            waiting[turn].callback(None)
        self.assertEqual(self.rig.store.durable, {})

    def test_memory(self) -> None:
        """What would fill the memory goes back to the spool, due at once."""
        self.make(deliver_max_parallel="1")
        for number in range(MEMORY_LIMIT + 2):
            self.runner.accepted(self.message(number))

        saved = [due for due in self.rig.store.next_tries.values() if due is not None]
        self.assertEqual(saved, [START, START])

    def test_queue_only(self) -> None:
        """With queue_only a message waits for a queue run, and is found by one."""
        self.make(queue_only="true")
        self.start()

        self.runner.accepted(self.message())
        self.clock.advance(90_000)
        self.assertEqual(self.delivered, [])

        self.successResultOf(Deferred.fromCoroutine(self.runner.run_once()))
        self.assertEqual(self.delivered, ["a1@far.example"])

    def test_message_for_queue(self) -> None:
        """A message that an ACL queued waits, and the others do not."""
        self.make()
        self.start()

        self.runner.accepted(self.message(1, queue_only=True))
        self.runner.accepted(self.message(2))
        self.clock.advance(0)
        self.clock.advance(90_000)

        self.assertEqual(self.delivered, ["a2@far.example"])

    def test_spool_error(self) -> None:
        """What the spool cannot do is told, and the next message is not harmed."""
        self.make()
        self.start()
        self.rig.store.broken.add("remove")
        self.runner.accepted(self.message(1))
        self.clock.advance(0)

        self.rig.store.broken.clear()
        self.runner.accepted(self.message(2))
        self.clock.advance(0)

        self.assertEqual(self.rig.logs.panic_lines[0][0], "spool: no space")
        self.assertEqual(list(self.rig.store.durable), ["1abc-00000000001-0000"])

    def test_stop(self) -> None:
        """A service that stops gives back what it has not begun."""
        self.make()
        self.runner.startService()
        self.runner.accepted(self.message())

        self.successResultOf(self.runner.stopService())

        self.assertEqual(self.delivered, [])
        self.assertEqual(self.rig.store.claimed, set())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DueTests(Case):
    def test_left_behind(self) -> None:
        """What a process left behind is delivered by the next one."""
        self.make()
        self.message(claimed=False)

        self.start()
        self.clock.advance(0)

        self.assertEqual(self.delivered, ["a1@far.example"])

    def test_retry_time(self) -> None:
        """A deferred message is tried again at its time, without queue runs."""
        self.make()
        self.start()
        self.rig.remote.table["a1@far.example"] = refusing(
            Result.DEFERRED, "later", error=-44, error_name="rcpt_451", retry_key=""
        )
        self.runner.accepted(self.message())
        self.clock.advance(0)

        self.clock.advance(890)
        self.assertEqual(len(self.delivered), 1)
        self.rig.remote.table.clear()
        self.clock.advance(11)

        self.assertEqual(len(self.delivered), 2)
        self.assertEqual(self.rig.store.durable, {})

    def test_more_than_there_is_room_for(self) -> None:
        """Due messages beyond the limit follow when others end."""
        self.make(deliver_max_parallel="2")
        for number in range(1, 6):
            self.message(number, claimed=False)

        self.start()
        for _ in range(5):
            self.clock.advance(1)

        self.assertEqual(len(self.delivered), 5)

    def test_of_another_process(self) -> None:
        """A message that another process put into the queue is found in a while."""
        self.make()
        self.start()
        self.clock.advance(0)
        self.message(claimed=False)

        self.clock.advance(61)

        self.assertEqual(self.delivered, ["a1@far.example"])


class RunTests(Case):
    def run_once(self, request: RunRequest | None = None) -> int:
        return self.successResultOf(
            Deferred.fromCoroutine(self.runner.run_once(request))
        )

    def test_lines(self) -> None:
        """A queue run is framed by two lines, with its flags."""
        self.make()
        self.run_once(RunRequest("-qf", forced=True))

        lines = self.rig.logs.lines
        self.assertRegex(lines[0], r"^Start queue run: pid=\d+ -qf$")
        self.assertRegex(lines[1], r"^End queue run: pid=\d+ -qf$")

    def test_interval(self) -> None:
        """With an interval there is a run at the start and after each interval."""
        self.make(interval=1800)
        self.start()
        self.clock.advance(0)
        self.clock.advance(1800)

        starts = [line for line in self.rig.logs.lines if line.startswith("Start")]
        self.assertEqual(len(starts), 2)

    def test_choice(self) -> None:
        """A run may choose among messages."""
        self.make()
        self.message(1, claimed=False)
        self.message(2, claimed=False)

        taken = self.run_once(RunRequest(match=lambda m: "2-" in m.message_id))

        self.assertEqual((taken, self.delivered), (1, ["a2@far.example"]))

    def test_claimed_elsewhere(self) -> None:
        """A message that somebody works on is left alone, with Exim's line."""
        self.make()
        message = self.message()

        missed = self.successResultOf(
            Deferred.fromCoroutine(
                self.runner.deliver_now([message.message_id], RunRequest(forced=True))
            )
        )

        self.assertEqual(missed, [message.message_id])
        self.assertEqual(
            self.rig.logs.lines,
            ["Spool file is locked (another process is handling this message)"],
        )


class FrozenTests(Case):
    def deliver(self, message: Message, request: RunRequest | None = None) -> None:
        self.rig.store.claimed.discard(message.message_id)
        self.successResultOf(
            Deferred.fromCoroutine(
                self.runner.deliver_now([message.message_id], request or RunRequest())
            )
        )

    def frozen(self, **facts: Any) -> Message:
        now = self.rig.time.now
        return self.message(frozen=True, frozen_at=now, **facts)

    def test_stays(self) -> None:
        """A frozen message is not delivered; a run says so."""
        self.make()
        message = self.frozen()

        self.deliver(message)

        self.assertEqual(self.rig.logs.lines, ["Message is frozen"])
        self.assertTrue(self.rig.store.durable[message.message_id].frozen)

    def test_forced(self) -> None:
        """A forced delivery thaws it."""
        self.make()
        self.deliver(self.frozen(), RunRequest(forced=True, thaw=True))

        self.assertEqual(self.rig.logs.lines[0], "Unfrozen by forced delivery")
        self.assertEqual(self.delivered, ["a1@far.example"])

    def test_auto_thaw(self) -> None:
        """auto_thaw is kept without queue runs."""
        self.make(auto_thaw="1h")
        self.start()
        self.runner.accepted(self.frozen())

        self.clock.advance(3590)
        self.assertEqual(self.delivered, [])
        self.clock.advance(20)

        self.assertEqual(self.rig.logs.lines[0], "Unfrozen by auto-thaw")
        self.assertEqual(self.delivered, ["a1@far.example"])

    def test_timeout(self) -> None:
        """timeout_frozen_after cancels the message and tells the sender."""
        self.make(timeout_frozen_after="2h")
        self.start()
        self.runner.accepted(self.frozen())

        self.clock.advance(7201)
        self.clock.advance(0)

        self.assertEqual(
            self.rig.logs.lines[:2],
            [
                "cancelled by timeout_frozen_after",
                "** a1@far.example: cancelled by timeout_frozen_after",
            ],
        )
        self.assertEqual(self.delivered, ["author@example.org"])

    def test_old_bounce(self) -> None:
        """A frozen bounce is tried once more, and then thrown away."""
        self.make(ignore_bounce_errors_after="2d")
        self.start()
        self.rig.remote.table["a1@far.example"] = refusing(Result.FAILED, "no")
        self.runner.accepted(self.frozen(sender=Message().sender))

        self.clock.advance(2 * 86400 + 1)

        self.assertEqual(self.rig.logs.lines[0], "Unfrozen by errmsg timer")
        self.assertIn("a1@far.example: error ignored", self.rig.logs.lines)
        self.assertEqual(self.rig.store.durable, {})
