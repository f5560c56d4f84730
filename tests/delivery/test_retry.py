"""Tests for retry hints."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.address import parse_address
from mta.delivery.retry import BatchHints, Retry, RetryOptions
from mta.delivery.retry_rules import parse_retry_rules
from mta.expand.context import Context, Site
from mta.message import Message
from mta.testing import PlainLanguage, result_of
from tests.delivery.fakes import DEFAULT_RULE, START, Line, MemoryHints, Time

KEY = "T:mx.example:192.0.2.1"


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.time = Time()
        self.hints = MemoryHints()
        self.context = Context(Site(language=PlainLanguage()))

    def retry(self, *rules: str, **options: str) -> Retry:
        return Retry(
            hints=self.hints,
            rules=parse_retry_rules([Line(text) for text in rules or (DEFAULT_RULE,)]),
            options=RetryOptions.with_texts(options),
            clock=self.time,
        )

    def batch(
        self, retry: Retry, *, age: float = 0, forced: bool = False
    ) -> BatchHints:
        message = Message("1abc-00000000001-0000", received_at=self.time.now - age)
        message.sender = parse_address("author@example.org")
        return retry.for_batch(message, self.context, forced=forced)

    def note(
        self,
        hints: BatchHints,
        key: str = KEY,
        *,
        domain: str = "far.example",
        host: str = "mx.example",
        error_name: str = "refused_A",
        sender: str = "author@example.org",
    ) -> None:
        hints.failed(
            key,
            domain=domain,
            host=host,
            error_name=error_name,
            sender=sender,
            text="why",
        )
        result_of(hints.settle())


class ScheduleTests(Case):
    def test_default_rule(self) -> None:
        """The tries of a host that stays dead, in minutes after the first failure."""
        retry = self.retry()
        tries = []
        while True:
            hints = self.batch(retry)
            self.note(hints)
            tries.append(round((self.time.now - START) / 60))
            if hints.prospect(KEY).timed_out:
                break
            self.time.now = hints.prospect(KEY).next_try

        self.assertEqual(tries[:10], [0, 15, 30, 45, 60, 75, 90, 105, 120, 135])
        self.assertEqual(tries[10:15], [195, 285, 420, 622, 926])
        self.assertEqual(tries[15:17], [1382, 1742])
        self.assertEqual(tries[-1] - tries[-2], 360)
        self.assertGreater(tries[-1], 4 * 24 * 60)

    def test_late_try(self) -> None:
        """A growing gap grows from the shorter of planned and real gap."""
        retry = self.retry("* * G,9d,1h,2")
        self.note(self.batch(retry))
        self.time.now += 1800
        hints = self.batch(retry, forced=True)
        self.note(hints)

        self.assertEqual(hints.prospect(KEY).next_try, self.time.now + 3600)

    def test_interval_limit(self) -> None:
        """No gap is longer than retry_interval_max."""
        retry = self.retry("* * F,9d,3d", retry_interval_max="2h")
        hints = self.batch(retry)
        self.note(hints)

        self.assertEqual(hints.prospect(KEY).next_try, self.time.now + 7200)

    def test_after_the_cutoff(self) -> None:
        """After the cutoff a key is given up, and not due until a last interval ends."""
        retry = self.retry("* * F,1h,10m")
        self.note(self.batch(retry))
        self.time.now += 3601
        self.note(self.batch(retry))

        hints = self.batch(retry)
        self.assertTrue(hints.has_expired(KEY))
        self.assertFalse(hints.is_due(KEY))
        self.time.now += 600
        self.assertTrue(hints.is_due(KEY))

    def test_forgotten(self) -> None:
        """A success, or long silence, makes a host new."""
        retry = self.retry(retry_data_expire="1h")
        hints = self.batch(retry)
        self.note(hints)
        self.time.now += 3601
        self.assertTrue(hints.is_due(KEY))
        self.note(hints)
        self.assertEqual(hints.prospect(KEY).next_try, self.time.now + 900)

        hints.succeeded(KEY)
        self.assertEqual(self.hints.values, {})

    def test_old_message(self) -> None:
        """A message older than the cutoff is tried at once, and given up."""
        retry = self.retry("* * F,1h,10m")
        self.note(self.batch(retry))
        old = self.batch(retry, age=3601)

        self.assertFalse(self.batch(retry).is_due(KEY))
        self.assertTrue(old.is_due(KEY))
        self.note(old)
        self.assertTrue(old.prospect(KEY).timed_out)
        self.assertFalse(self.batch(retry).has_expired(KEY))

    def test_message_error(self) -> None:
        """For an error of the message its age counts, if that is longer."""
        retry = self.retry("* * F,2h,10m; F,5h,1h")
        key = f"{KEY}:1abc-00000000001-0000"
        hints = self.batch(retry, age=3 * 3600)
        self.note(hints, key, error_name="data_451")

        self.assertEqual(hints.prospect(key).next_try, self.time.now + 3600)

    def test_forced(self) -> None:
        """A forced delivery finds everything due."""
        retry = self.retry()
        self.note(self.batch(retry))

        self.assertTrue(self.batch(retry, forced=True).is_due(KEY))


class RuleTests(Case):
    def next_gap(self, retry: Retry, **facts: str) -> float | None:
        hints = self.batch(retry)
        self.hints.values.clear()
        key = facts.pop("key", KEY)
        self.note(hints, key, **facts)
        prospect = hints.prospect(key)
        return None if prospect.timed_out else prospect.next_try - self.time.now

    def test_host_before_domain(self) -> None:
        """Each line is tried with the host's name, then with the domain."""
        retry = self.retry("p.mx.example * F,1d,30m", "far.example * F,1d,45m")

        self.assertEqual(self.next_gap(retry, host="p.mx.example"), 1800)
        self.assertEqual(self.next_gap(retry, host="q.mx.example"), 2700)
        self.assertIsNone(self.next_gap(retry, domain="no.example"))

    def test_address(self) -> None:
        """An address's own error is compared with the whole address."""
        retry = self.retry("alice@far.example * F,1d,30m", "* * F,1d,45m")
        alice = "T:alice@far.example:author@example.org"

        self.assertEqual(self.next_gap(retry, key=alice, host=""), 1800)
        self.assertEqual(self.next_gap(retry, key="T:bob@far.example", host=""), 2700)

    def test_error_and_sender(self) -> None:
        """Error name and sender choose among rules."""
        retry = self.retry(
            "* rcpt_45x F,1d,10m", "* * senders=: F,1d,20m", "* * F,1d,30m"
        )

        self.assertEqual(self.next_gap(retry, error_name="rcpt_452"), 600)
        self.assertEqual(self.next_gap(retry, sender=""), 1200)
        self.assertEqual(self.next_gap(retry), 1800)

    def test_no_parameters(self) -> None:
        """A rule without parameters gives up at once."""
        self.assertIsNone(self.next_gap(self.retry("* * ")))

    def test_wildcards(self) -> None:
        """A pattern is an item of an address list."""
        retry = self.retry("*.far.example * F,1d,10m", "*@near.example * F,1d,20m")

        self.assertEqual(self.next_gap(retry, domain="a.far.example"), 600)
        self.assertEqual(self.next_gap(retry, domain="near.example"), 1200)


class ProspectTests(Case):
    def test_all_hosts(self) -> None:
        """An address is given up only when no host is left to wait for."""
        retry = self.retry("dead.example * F,1h,10m", "* * F,9d,10m")
        self.time.now -= 7200
        self.note(self.batch(retry), "T:dead.example:192.0.2.9", host="dead.example")
        self.time.now += 7200
        hints = self.batch(retry)
        self.note(hints, "T:dead.example:192.0.2.9", host="dead.example")
        self.assertTrue(hints.prospect_of_hosts().timed_out)

        self.note(hints)

        self.assertFalse(hints.prospect_of_hosts().timed_out)

    def test_passed_over(self) -> None:
        """A host that was passed over says when to come back."""
        retry = self.retry()
        self.note(self.batch(retry))
        hints = self.batch(retry)
        hints.is_due(KEY)

        self.assertEqual(hints.prospect_of_hosts().next_try, self.time.now + 900)
        self.assertIsNone(self.batch(retry).prospect_of_hosts())
