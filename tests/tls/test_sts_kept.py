"""Policies that are known stay in force, and are renewed before they expire."""

from __future__ import annotations

import os
import shutil
import tempfile

from twisted.internet.defer import Deferred

from mta.errors import TemporaryFailure
from mta.hints import Hints
from mta.host import Answer, Outcome
from mta.testing import result_of
from mta.tls.sts import Mode
from mta.tls.sts_cache import CHECK_SECONDS, FAILURES, POLICIES
from tests.tls.policies import DAY, DOMAIN, FAULT, RECORD, CacheCase, policy_file


class KeptTests(CacheCase):
    """A policy that is known."""

    def setUp(self) -> None:
        super().setUp()
        self.find()

    def test_restart(self) -> None:
        """It outlives the process: nothing is fetched again."""
        self.cache = self.new_cache()

        self.assertIs(self.mode(), Mode.ENFORCE)
        self.assertEqual(self.fetched, [DOMAIN])

    def test_record_gone(self) -> None:
        """Who takes the record away does not take the policy away."""
        for records in (Outcome.NO_DOMAIN, Answer(Outcome.AGAIN), [b"v=STSv1;"]):
            self.resolver.records[RECORD] = records
            self.cache = self.new_cache()
            self.assertIs(self.mode(3600), Mode.ENFORCE)
        self.assertEqual(self.fetched, [DOMAIN])

    def test_host_down(self) -> None:
        """Nor does who keeps us from the policy host."""
        self.announce("2")
        self.files[DOMAIN] = FAULT

        finding = self.find(CHECK_SECONDS)

        assert finding.policy is not None
        self.assertIs(finding.policy.mode, Mode.ENFORCE)
        self.assertEqual(finding.fault, "no certificate")
        self.assertIn("; the one that is known stays in force", self.lines[0])

    def test_expired(self) -> None:
        """When its time is over it is no more, if there is no other."""
        self.resolver.records[RECORD] = Outcome.NO_DOMAIN
        self.files[DOMAIN] = FAULT

        self.assertIs(self.mode(604_799), Mode.ENFORCE)
        self.assertIsNone(self.mode(1))

    def test_expired_and_fetched(self) -> None:
        """When its time is over a new copy is waited for."""
        self.assertIs(self.mode(604_801), Mode.ENFORCE)
        self.assertEqual(len(self.fetched), 2)

    def test_changed(self) -> None:
        """A new id brings the new policy within a minute."""
        self.announce("2", "testing")

        self.assertIs(self.mode(CHECK_SECONDS - 1), Mode.ENFORCE)
        self.assertIs(self.mode(1), Mode.TESTING)

    def test_withdrawn(self) -> None:
        """A policy of mode none ends the one that enforced."""
        self.announce("2", "none")

        self.assertIs(self.mode(CHECK_SECONDS), Mode.NONE)

    def test_withdrawal_fails_in_silence(self) -> None:
        """A policy of mode none that cannot be renewed is nobody's trouble."""
        self.announce("2", "none")
        self.find(CHECK_SECONDS)
        self.announce("3")
        self.files[DOMAIN] = FAULT

        self.assertIs(self.mode(CHECK_SECONDS), Mode.NONE)
        self.assertEqual(self.lines, [])

    def test_changed_by_another_process(self) -> None:
        """What another process fetched is not fetched again."""
        other = self.new_cache()
        self.announce("2", "testing")
        result_of(other.find(DOMAIN))

        self.assertIs(self.mode(CHECK_SECONDS), Mode.TESTING)
        self.assertEqual(len(self.fetched), 2)

    def test_unreadable(self) -> None:
        """While policies cannot be read nothing is known, so nothing may go out."""
        self.hints.is_broken = True

        with self.assertRaises(TemporaryFailure):
            self.find(CHECK_SECONDS)
        self.hints.is_broken = False
        self.assertIs(self.mode(), Mode.ENFORCE)

    def test_unreadable_for_all(self) -> None:
        """All who wait hear of it."""
        self.announce("2")
        self.files[DOMAIN] = served = Deferred()
        self.hints.now += CHECK_SECONDS
        waiting = [Deferred.fromCoroutine(self.cache.find(DOMAIN)) for _ in range(2)]
        served.errback(TemporaryFailure("gone"))

        for one in waiting:
            self.failureResultOf(one, TemporaryFailure)

    def test_nonsense(self) -> None:
        """What is no policy in the hints is as if it were not there."""
        for value in (None, 1, [], {}, {"text": 1}, {"text": "x"}, {"text": "\ud800"}):
            self.hints.values[POLICIES, DOMAIN] = (value, 1e12)
            self.hints.values[FAILURES, DOMAIN] = (value, 1e12)
            self.cache = self.new_cache()
            self.assertIs(self.mode(), Mode.ENFORCE, value)


class RefreshTests(CacheCase):
    """Copies are renewed before they expire."""

    def setUp(self) -> None:
        super().setUp()
        self.find()

    def refresh(self, after: float, limit: int = 50) -> int:
        self.hints.now += after
        return result_of(self.cache.refresh(limit))

    def test_at_use(self) -> None:
        """A copy of yesterday is used while a fresh one is fetched."""
        self.files[DOMAIN] = served = Deferred()

        self.assertIs(self.mode(DAY), Mode.ENFORCE)
        self.assertIs(self.mode(CHECK_SECONDS), Mode.ENFORCE)
        self.assertEqual(len(self.fetched), 2)
        served.callback(policy_file("testing"))
        self.assertIs(self.mode(), Mode.TESTING)

    def test_short_life(self) -> None:
        """A copy that lives for two hours is renewed after one."""
        self.announce("2", age=7200)
        self.find(CHECK_SECONDS)
        self.find(3599)
        self.assertEqual(len(self.fetched), 2)

        self.find(CHECK_SECONDS)
        self.assertEqual(len(self.fetched), 3)

    def test_fails_at_use(self) -> None:
        """Where that fails the copy stays, and the log tells of it."""
        self.files[DOMAIN] = FAULT

        self.assertIs(self.mode(DAY), Mode.ENFORCE)
        self.assertIs(self.mode(DAY), Mode.ENFORCE)
        self.assertIn("stays in force", self.lines[0])

    def test_defect_at_use(self) -> None:
        """A defect is logged, not lost."""
        self.files[DOMAIN] = ZeroDivisionError("defect")

        self.find(DAY)

        self.assertIn("not refreshed: defect", self.lines[0])

    def test_many_at_use(self) -> None:
        """No more than ten are fetched at once in the background."""
        names = [f"d{number}.test" for number in range(15)]
        for name in names:
            self.resolver.records[f"_mta-sts.{name}", "TXT"] = [b"v=STSv1; id=1"]
            self.files[name] = policy_file()
            self.find(domain=name)
        self.fetched.clear()
        self.hints.now += DAY
        for name in names:
            self.files[name] = Deferred()
            self.find(domain=name)

        self.assertEqual(len(self.fetched), 10)
        self.cache.close()

    def test_close(self) -> None:
        """What is under way ends with the process."""
        self.files[DOMAIN] = served = Deferred()
        self.find(DAY)

        self.cache.close()

        self.assertTrue(served.called)
        self.assertEqual(self.lines, [])

    def test_unasked(self) -> None:
        """Domains that had mail lately are renewed without new mail."""
        self.assertEqual(self.refresh(DAY - 1), 0)
        self.assertEqual(self.refresh(1), 1)
        self.assertEqual(self.refresh(60), 0)
        self.assertEqual(len(self.fetched), 2)
        for _ in range(5):
            self.refresh(DAY)
        self.resolver.records[RECORD] = Outcome.NO_DOMAIN
        self.assertIs(self.mode(6 * DAY), Mode.ENFORCE)

    def test_not_for_ever(self) -> None:
        """After a month without mail they are let go."""
        asked = [self.refresh(DAY) for _ in range(40)]

        self.assertEqual(sum(asked), 29)

    def test_use_is_noted(self) -> None:
        """Mail within the month keeps them; that is written once a day."""
        for _ in range(5):
            self.find(20 * 3600)
        writes = self.hints.writes
        self.find(CHECK_SECONDS)
        self.assertEqual(self.hints.writes, writes)
        for _ in range(3):
            for _ in range(25):
                self.refresh(DAY)
            self.find()
        self.assertIs(self.mode(), Mode.ENFORCE)

    def test_record_gone(self) -> None:
        """Who suppresses the record does not keep us from the policy host."""
        for records in (Outcome.NO_DOMAIN, Answer(Outcome.AGAIN), [b"v=STSv1;"]):
            self.resolver.records[RECORD] = records

            self.assertEqual(self.refresh(DAY), 1)

        self.assertIs(self.mode(6 * DAY), Mode.ENFORCE)

    def test_record_gone_at_use(self) -> None:
        """Nor where mail makes us look."""
        self.resolver.records[RECORD] = Outcome.NO_DOMAIN

        for _ in range(9):
            self.assertIs(self.mode(DAY), Mode.ENFORCE)

        self.assertEqual(len(self.fetched), 10)

    def test_both_gone(self) -> None:
        """A policy that is withdrawn without a word lives until it expires.

        The log tells of it long before, and less and less often.
        """
        self.resolver.records[RECORD] = Outcome.NO_DOMAIN
        self.files[DOMAIN] = FAULT

        for _ in range(7 * 24 - 1):
            self.assertIs(self.mode(3600), Mode.ENFORCE)
            self.refresh(0)

        self.assertIn("stays in force", self.lines[0])
        self.assertLess(len(self.lines), 20)
        self.assertIsNone(self.mode(3600))

    def test_host_back_after_expiry(self) -> None:
        """However often it failed, a policy is asked for when there is none."""
        self.files[DOMAIN] = FAULT
        for _ in range(7 * 24 - 1):
            self.refresh(3600)
        self.files[DOMAIN] = policy_file()

        self.assertIs(self.mode(3600), Mode.ENFORCE)
        self.assertIs(self.mode(6 * DAY), Mode.ENFORCE)

    def test_failures_take_no_place(self) -> None:
        """Those that fail do not keep the rest from being renewed."""
        for number in range(5):
            name = f"d{number}.test"
            self.resolver.records[f"_mta-sts.{name}", "TXT"] = [b"v=STSv1; id=1"]
            self.files[name] = policy_file()
            self.find(1, domain=name)
        self.files[DOMAIN] = self.files["d0.test"] = FAULT
        self.fetched.clear()

        self.refresh(DAY, limit=2)
        self.refresh(60, limit=2)

        self.assertEqual(self.fetched, [DOMAIN, "d0.test", "d1.test", "d2.test"])

    def test_limit(self) -> None:
        """No more than the limit are renewed in one round, the oldest first."""
        for number in range(5):
            name = f"d{number}.test"
            self.resolver.records[f"_mta-sts.{name}", "TXT"] = [b"v=STSv1; id=1"]
            self.files[name] = policy_file()
            self.find(1, domain=name)
        self.fetched.clear()

        self.assertEqual(self.refresh(DAY, limit=2), 2)
        self.assertEqual(self.fetched, [DOMAIN, "d0.test"])


class PlaceTests(CacheCase):
    """Where policies are kept."""

    def test_file(self) -> None:
        """In the hints' file they survive every process."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "hints.db")
        for _ in range(2):
            hints = Hints(path, clock=lambda: self.hints.now)
            self.cache = self.new_cache(hints)
            self.assertIs(self.mode(), Mode.ENFORCE)
            hints.close()
        self.assertEqual(self.fetched, [DOMAIN])

    def test_memory(self) -> None:
        """Without hints they are kept as long as the process lives."""
        self.cache = self.new_cache(hints=None)

        self.find()
        self.resolver.records[RECORD] = Outcome.NO_DOMAIN
        self.assertIs(self.mode(DAY), Mode.ENFORCE)
        self.assertIsNone(self.mode(7 * DAY))
        self.assertEqual(result_of(self.cache.refresh(10)), 0)
