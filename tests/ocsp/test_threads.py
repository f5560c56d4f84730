"""Proofs at work in threads."""

from __future__ import annotations

import threading
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp.kept_proof import KeptProof, Report
from mta.ocsp.threads import ProofThreads


class Working:
    """Something that works until it is told."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.may_end = threading.Event()
        self.is_busy = False
        self.fault = fault

    def work(self) -> list[Report]:
        """Work; report one line."""
        assert self.may_end.wait(30)
        if self.fault is not None:
            raise self.fault
        return [Report("done")]

    def stumbled(self, error: Exception, wait: float) -> list[Report]:
        """Report a fault."""
        return [Report(f"{error}, {wait:g} s", is_alarm=True)]


class ProofThreadsTests(SynchronousTestCase):
    """Real threads."""

    def setUp(self) -> None:
        """Have none."""
        self.reports: list[Report] = []
        self.threads = ProofThreads(
            call_in_reactor=lambda call: None, report=self.reports.extend
        )

    def begin(self, fault: Exception | None = None) -> Working:
        """Let something work until the test ends, or earlier."""
        working = Working(fault)
        self.addCleanup(working.may_end.set)
        self.threads.begin(cast(Any, working))
        return working

    def test_reports(self) -> None:
        """What comes of the work is reported where it is taken, and only then."""
        working = self.begin()
        self.assertTrue(working.is_busy)
        working.may_end.set()
        self.threads.take(30)
        self.assertEqual([Report("done")], self.reports)
        self.assertFalse(working.is_busy)

    def test_fault(self) -> None:
        """A fault ends neither the thread's count nor the proof's work for good."""
        for _ in range(10):
            working = self.begin(RuntimeError("surprise"))
            working.may_end.set()
            self.threads.take(30)
            self.assertFalse(working.is_busy)
        self.assertEqual(Report("surprise, 3600 s", is_alarm=True), self.reports[-1])
        self.assertEqual(10, len(self.reports))

    def test_limit(self) -> None:
        """Responders that hang keep only a few threads."""
        begun = [self.begin() for _ in range(10)]
        self.assertEqual(4, sum(one.is_busy for one in begun))
        self.assertTrue(self.threads.are_busy)
        for one in begun:
            one.may_end.set()
        for _ in range(4):
            if self.threads._count:
                self.threads.take(30)
        self.assertFalse(self.threads.are_busy)

    def test_once(self) -> None:
        """A proof works in one thread at a time."""
        working = self.begin()
        self.threads.begin(cast(KeptProof, working))
        self.assertEqual(1, self.threads._count)

    def test_nothing(self) -> None:
        """Where nothing was done taking does not wait longer than it is told."""
        self.threads.take()
        self.threads.take(0.01)
        self.assertEqual([], self.reports)
