"""Tests for mta.delivery.tls_results."""

from __future__ import annotations

import os
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery import tls_results
from mta.delivery.tls_results import (
    DAY_SECONDS,
    DOMAIN_LIMIT,
    TLSResult,
    TLSResults,
    day_of,
    read_results,
)
from mta.errors import SpoolError
from mta.taint import Tainted
from mta.tls.verdict import TLSVerdict, met, unmet

GOOD = TLSVerdict(host="mx.example", ip_address="192.0.2.1", tls=met(), chain=met())
BAD = TLSVerdict(host="mx.example", tls=unmet("handshake failure", required=True))
DAY = 20_000
NOON = DAY * DAY_SECONDS + 43_200.0


class ResultsCase(SynchronousTestCase):
    """A history in a file of its own, at noon of some day."""

    def setUp(self) -> None:
        self.now = NOON
        self.path = os.path.join(self.mktemp(), "db", "tls_results.db")
        self.faults: list[str] = []

    def results(self, **settings: int) -> TLSResults:
        results = TLSResults(
            self.path,
            clock=lambda: self.now,
            report=self.faults.append,
            **settings,  # type: ignore[arg-type]
        )
        self.addCleanup(results.close)
        return results

    def read(self, domain: str | None = None) -> list[TLSResult]:
        return read_results(self.path, 0, DAY + 1000, domain)


class RecordTests(ResultsCase):
    """What is recorded is kept."""

    def test_nothing(self) -> None:
        """Without any deliveries there are no results, and no file."""
        self.assertEqual(self.read(), [])
        self.assertFalse(os.path.exists(self.path))

    def test_merged(self) -> None:
        """Equal verdicts of a day are one row with their counts added."""
        results = self.results()
        results.record("b.example", GOOD, sessions=1)
        results.record("b.example", GOOD, deliveries=1)
        results.flush()
        self.now += 60
        results.record("B.Example", GOOD, deliveries=2)
        results.record("b.example", BAD, sessions=1)
        results.record("a.example", GOOD, sessions=1, deliveries=1)
        results.flush()

        found = {(r.domain, r.verdict): r for r in self.read()}

        self.assertEqual(len(found), 3)
        self.assertEqual(
            found["b.example", GOOD],
            TLSResult(DAY, "b.example", GOOD, 1, 3, NOON + 60),
        )
        self.assertEqual(found["b.example", BAD].sessions, 1)
        self.assertEqual(found["a.example", GOOD].deliveries, 1)

    def test_one_domain(self) -> None:
        """One domain's results can be asked for, in any case."""
        results = self.results()
        results.record("a.example", GOOD, sessions=1)
        results.record("b.example", GOOD, sessions=1)
        results.flush()

        self.assertEqual([r.domain for r in self.read("B.EXAMPLE")], ["b.example"])
        self.assertEqual(self.read("example"), [])

    def test_days(self) -> None:
        """Days are those of UTC, and each has its own counts."""
        results = self.results()
        results.record("a.example", GOOD, sessions=1)
        self.now = (DAY + 1) * DAY_SECONDS
        results.record("a.example", GOOD, sessions=1)
        results.flush()

        self.assertEqual([r.day for r in self.read()], [DAY, DAY + 1])
        self.assertEqual(len(read_results(self.path, DAY + 1, DAY + 1)), 1)

    def test_restart(self) -> None:
        """Another process goes on where one has ended."""
        results = self.results()
        results.record("a.example", GOOD, sessions=1)
        results.close()
        results = self.results()
        results.record("a.example", GOOD, sessions=1)
        results.close()

        self.assertEqual([r.sessions for r in self.read()], [2])

    def test_two_processes(self) -> None:
        """Two that write at a time lose nothing of each other's."""
        first, second = self.results(), self.results()
        for _ in range(5):
            first.record("a.example", GOOD, deliveries=1)
            second.record("a.example", GOOD, deliveries=1)
            first.flush()
            second.flush()

        self.assertEqual([r.deliveries for r in self.read()], [10])

    def test_strange_domains(self) -> None:
        """Names from the network are kept as text, whatever octets they have."""
        results = self.results()
        for domain in ("b\udcfccher.example", "bücher.example", "x" * 5000):
            results.record(Tainted(domain), GOOD, sessions=1)
        results.flush()

        self.assertEqual(self.faults, [])
        names = [r.domain for r in self.read()]
        self.assertEqual(len(names), 3)
        self.assertIn("bücher.example", names)
        self.assertLess(max(map(len, names)), 300)


class LimitTests(ResultsCase):
    """What others can make us keep is limited."""

    def test_many_verdicts(self) -> None:
        """A host that looks different each time is counted by the answers alone."""
        results = self.results()
        for number in range(DOMAIN_LIMIT + 50):
            verdict = TLSVerdict(host="mx.example", tls=unmet(f"reason {number}"))
            results.record("a.example", verdict, sessions=1)
            results.record("b.example", verdict.having(host=f"mx{number}"), sessions=1)
        results.flush()
        for number in range(DOMAIN_LIMIT):
            verdict = TLSVerdict(host=f"mx.{number}", tls=unmet("no"))
            results.record("b.example", verdict, sessions=1)
        results.record("other.example", GOOD, sessions=1)
        results.flush()

        found = self.read("a.example")
        self.assertEqual(len(found), DOMAIN_LIMIT + 1)
        self.assertEqual(sum(r.sessions for r in found), DOMAIN_LIMIT + 50)
        reduced = TLSVerdict(tls=unmet(""))
        self.assertIn(reduced.having(host="mx.example"), [r.verdict for r in found])
        found = self.read("b.example")
        self.assertEqual(len(found), 2 * DOMAIN_LIMIT + 1)
        self.assertEqual(sum(r.sessions for r in found), 2 * DOMAIN_LIMIT + 50)
        self.assertIn(reduced, [r.verdict for r in found])
        self.assertEqual(self.read("other.example")[0].verdict, GOOD)

    def test_many_domains(self) -> None:
        """A day has so many rows and no more."""
        self.patch(tls_results, "DAY_LIMIT", 5)
        results = self.results()
        for number in range(10):
            results.record(f"{number}.example", GOOD, sessions=1)
            results.flush()

        self.assertEqual(len(self.read()), 5)

    def test_memory(self) -> None:
        """While nothing can be written, only so much is remembered."""
        self.patch(tls_results, "PENDING_LIMIT", 5)
        results = self.results()
        for number in range(10):
            results.record(f"{number}.example", GOOD, sessions=1)
        results.flush()

        self.assertEqual(len(self.read()), 5)

    def test_old_results_go(self) -> None:
        """What is older than the days asked for is forgotten."""
        results = self.results(keep_days=2)
        for _ in range(5):
            results.record("a.example", GOOD, sessions=1)
            results.flush()
            self.now += DAY_SECONDS

        self.assertEqual([r.day for r in self.read()], [DAY + 2, DAY + 3, DAY + 4])


class TroubleTests(ResultsCase):
    """Files that cannot be used."""

    def test_not_a_database(self) -> None:
        """A file that is no database is begun anew, and that is told."""
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(b"no database " * 1000)
        results = self.results()
        results.record("a.example", GOOD, sessions=1)
        results.flush()

        self.assertEqual(len(self.read()), 1)
        self.assertIn("begun anew", self.faults[0])

    def test_reading_what_is_no_database(self) -> None:
        """Who only looks is told, and the file stays as it is."""
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(b"no database " * 1000)

        self.assertRaises(SpoolError, self.read)
        self.assertGreater(os.path.getsize(self.path), 10_000)

    def test_unwritable(self) -> None:
        """What could not be written is written once that is possible; told once."""
        parent = os.path.dirname(self.path)
        os.makedirs(os.path.dirname(parent))
        with open(parent, "wb"):
            pass
        results = self.results()
        results.record("a.example", GOOD, sessions=1)
        results.flush()
        results.record("a.example", GOOD, sessions=1)
        results.flush()
        self.assertEqual(len(self.faults), 1)
        self.assertIn("cannot write TLS results", self.faults[0])
        os.unlink(parent)
        results.flush()

        self.assertEqual([r.sessions for r in self.read()], [2])

    def test_unreadable_rows(self) -> None:
        """Rows that no version of ours wrote are left out."""
        results = self.results()
        results.record("a.example", GOOD, sessions=1)
        results.flush()
        connection = sqlite3.connect(self.path)
        for text in ("{", "[]", '{"tls": 3}', '{"host": 1}'):
            connection.execute(
                "INSERT INTO result VALUES (?, 'b', ?, 1, 1, 0)", (DAY, text)
            )
        connection.commit()
        connection.close()

        self.assertEqual([r.domain for r in self.read()], ["a.example"])


class DayTests(SynchronousTestCase):
    """Days of UTC."""

    def test_midnight(self) -> None:
        """A day begins at midnight."""
        self.assertEqual(day_of(DAY_SECONDS - 0.1), 0)
        self.assertEqual(day_of(DAY_SECONDS), 1)
