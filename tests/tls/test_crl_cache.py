"""Which lists are fetched, kept, and relied upon."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mta.tls import crl_cache
from mta.tls.crl import Finding, Verdict
from mta.tls.crl_cache import RETRY, WAIT_LIMIT, RevocationLists
from mta.tls.crl_fetch import CRLFetchError
from tests.tls.lists import URL, issue, point, revocation_list
from tests.tls.proofs import DAY, HOUR, NOW, Authority

AUTHORITY = Authority()
HOST = issue(AUTHORITY, point(URL))
START = NOW.timestamp()
T = TypeVar("T")


class Web:
    """Servers that answer when the test says so, or at once with ``content``."""

    def __init__(self) -> None:
        self.content: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []
        self.awaited: list[Deferred[bytes]] = []

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        answer = self.content.get(url)
        if answer is None:
            self.awaited.append(Deferred())
            return await self.awaited[-1]
        if isinstance(answer, Exception):
            raise answer
        return answer


class CacheCase(SynchronousTestCase):
    """Lists in a directory of their own, and a web that is a dictionary."""

    def setUp(self) -> None:
        self.web = Web()
        self.clock = Clock()
        self.directory = os.path.join(self.mktemp(), "crl")
        Path(self.directory).parent.mkdir()
        self.warnings: list[str] = []
        self.threads = 0
        self.lists = self.cache()

    def cache(self) -> RevocationLists:
        """Return a cache as it is after a start."""
        return RevocationLists(
            directory=self.directory,
            fetch=self.web.fetch,
            clock=self.clock,
            now=self.now,
            in_thread=self.in_thread,
            warn=self.warnings.append,
        )

    def now(self) -> float:
        """Return the time of day."""
        return START + self.clock.seconds()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do something now."""
        self.threads += 1
        return work()

    def ask(
        self, certificate: x509.Certificate = HOST.certificate
    ) -> Deferred[Verdict]:
        """Ask for a certificate."""
        asked = self.lists.verdict(certificate, AUTHORITY.certificate)
        return Deferred.fromCoroutine(asked)

    def finding(self, certificate: x509.Certificate = HOST.certificate) -> Finding:
        """Return what is known of a certificate without waiting."""
        return self.successResultOf(self.ask(certificate)).finding

    def serve(self, *revoked: x509.Certificate, url: str = URL, **facts: Any) -> None:
        """Let the web have a list, good for a day from now on."""
        now = NOW + self.clock.seconds() * (DAY / 86400)
        facts = {"begin": now - HOUR, "end": now + DAY, **facts}
        self.web.content[url] = revocation_list(AUTHORITY, *revoked, **facts)


class FetchingTests(CacheCase):
    """Lists that are not there yet."""

    def test_waits(self) -> None:
        """The first question waits for the list; the next ones have it."""
        first, second = self.ask(), self.ask()
        self.assertNoResult(first)

        self.web.awaited[0].callback(revocation_list(AUTHORITY, HOST.certificate))

        self.assertIs(Finding.REVOKED, self.successResultOf(first).finding)
        self.assertIs(Finding.REVOKED, self.successResultOf(second).finding)
        self.assertIs(Finding.REVOKED, self.finding())
        self.assertEqual([URL], self.web.asked)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_slow(self) -> None:
        """Nobody waits for long, but the list is there when it has come."""
        asked = self.ask()

        self.clock.advance(WAIT_LIMIT)
        verdict = self.successResultOf(asked)
        self.web.awaited[0].callback(revocation_list(AUTHORITY))

        self.assertIs(Finding.UNAVAILABLE, verdict.finding)
        self.assertEqual("it is still being fetched", verdict.detail)
        self.assertIs(Finding.GOOD, self.finding())
        self.assertEqual(1, len(self.web.asked))

    def test_fails(self) -> None:
        """A list that is not to be had is asked for again after a while only."""
        self.web.content[URL] = CRLFetchError("HTTP status 404")

        verdict = self.successResultOf(self.ask())
        self.assertIs(Finding.UNAVAILABLE, self.finding())
        self.assertEqual(1, len(self.web.asked))
        self.serve()
        self.clock.advance(RETRY)

        self.assertEqual("there is no list: HTTP status 404", verdict.reason)
        self.assertIs(Finding.GOOD, self.finding())

    def test_unusable(self) -> None:
        """What is fetched may be no list, or not count: the verdict says so."""
        for octets, finding in (
            (b"<html>", Finding.UNREADABLE),
            (revocation_list(AUTHORITY, key=Authority().key), Finding.UNVERIFIABLE),
            (revocation_list(AUTHORITY, end=NOW - HOUR), Finding.EXPIRED),
        ):
            self.lists = self.cache()
            self.web.content[URL] = octets

            self.assertIs(finding, self.finding())
        self.assertFalse(os.path.exists(self.directory))

    def test_unforeseen(self) -> None:
        """Whatever else goes wrong, there is no list."""
        self.web.content[URL] = RuntimeError("oops")

        self.assertIn("oops", self.successResultOf(self.ask()).detail)

    def test_next_url(self) -> None:
        """Where one place has no list, the next one is asked."""
        other = "http://other.example/list.crl"
        host = issue(AUTHORITY, point(URL), point(other)).certificate
        self.web.content[URL] = CRLFetchError("no")
        self.serve(host, url=other)

        self.assertIs(Finding.REVOKED, self.finding(host))
        self.assertEqual([URL, other], self.web.asked)

    def test_no_url(self) -> None:
        """A certificate may name no list."""
        verdict = self.successResultOf(self.ask(issue(AUTHORITY).certificate))

        self.assertIs(Finding.UNAVAILABLE, verdict.finding)
        self.assertEqual("the certificate names none", verdict.detail)

    def test_close(self) -> None:
        """Who waits when all ends is told that there is no list."""
        asked = self.ask()

        self.lists.close()

        self.assertIs(Finding.UNAVAILABLE, self.successResultOf(asked).finding)
        self.assertEqual([], self.clock.getDelayedCalls())


class RenewingTests(CacheCase):
    """Lists that are there."""

    def test_one_judgement(self) -> None:
        """A certificate is looked for in a list once."""
        self.serve()
        self.finding()
        before = self.threads

        self.finding()

        self.assertEqual(before, self.threads)

    def test_background(self) -> None:
        """A list that is half its life old is renewed, and relied upon meanwhile."""
        self.serve(end=NOW + 20 * HOUR, begin=NOW)
        self.finding()
        self.clock.advance(9 * 3600)
        self.finding()
        self.assertEqual(1, len(self.web.asked))
        del self.web.content[URL]

        self.clock.advance(2 * 3600)
        self.assertIs(Finding.GOOD, self.finding())
        self.web.awaited[0].callback(
            revocation_list(AUTHORITY, HOST.certificate, begin=NOW + HOUR)
        )

        self.assertIs(Finding.REVOKED, self.finding())

    def test_daily(self) -> None:
        """One that is good for weeks is renewed twice a day."""
        self.serve(end=NOW + 30 * DAY)
        self.finding()

        self.clock.advance(12 * 3600)
        self.finding()
        self.clock.advance(3600)
        self.finding()

        self.assertEqual(2, len(self.web.asked))

    def test_older(self) -> None:
        """A list older than the one that is there brings nothing back."""
        self.serve(HOST.certificate, end=NOW + 5 * DAY)
        self.finding()
        self.serve(begin=NOW - 2 * DAY, end=NOW + 5 * DAY)

        self.clock.advance(12 * 3600)

        self.assertIs(Finding.REVOKED, self.finding())
        self.assertEqual(2, len(self.web.asked))

    def test_outdated(self) -> None:
        """A list that has ended is not relied upon, judged before or not."""
        self.serve()
        self.finding()
        self.web.content[URL] = CRLFetchError("HTTP status 503")

        self.clock.advance(86400 + 301)
        verdict = self.successResultOf(self.ask())

        self.assertIs(Finding.UNAVAILABLE, verdict.finding)
        self.assertIn("503", verdict.detail)

    def test_many(self) -> None:
        """Only so many lists are kept in memory, by number and by size."""
        hosts = [
            issue(AUTHORITY, point(f"http://{number}.example/")).certificate
            for number in range(6)
        ]
        for number in range(6):
            self.serve(url=f"http://{number}.example/")
        for name, limit in (
            ("PLACES_LIMIT", 4),
            ("MEMORY_LIMIT", 4 * len(revocation_list(AUTHORITY)) + 20),
        ):
            self.patch(crl_cache, name, limit)
            for host in hosts:
                self.finding(host)
            self.assertLessEqual(len(self.lists._places), 5)


class DiskTests(CacheCase):
    """What is left over a restart."""

    def test_restart(self) -> None:
        """A list is read from disk, and not fetched before it is due."""
        self.serve(HOST.certificate)
        self.finding()
        [path] = Path(self.directory).iterdir()
        os.utime(path, (self.now(), self.now()))

        self.lists = self.cache()

        self.assertIs(Finding.REVOKED, self.finding())
        self.assertEqual(1, len(self.web.asked))
        self.assertEqual(0o640, stat.S_IMODE(path.stat().st_mode))

    def test_due(self) -> None:
        """One that is due is relied upon only until its end."""
        self.serve(HOST.certificate)
        self.finding()
        [path] = Path(self.directory).iterdir()
        os.utime(path, (self.now(), self.now()))
        self.lists = self.cache()

        self.clock.advance(86400 + 301)
        self.serve()

        self.assertIs(Finding.GOOD, self.finding())
        self.assertEqual(2, len(self.web.asked))

    def test_damaged(self) -> None:
        """A file that holds something else is as if it were not there."""
        self.serve()
        self.finding()
        [path] = Path(self.directory).iterdir()
        for octets in (b"", b"nothing", revocation_list(Authority())):
            path.write_bytes(octets)
            self.lists = self.cache()

            self.assertIs(Finding.GOOD, self.finding())

    def test_no_directory(self) -> None:
        """Where lists cannot be kept they are still used; it is told once."""
        Path(self.directory).write_bytes(b"a file")
        other = issue(AUTHORITY, point("http://other.example/")).certificate
        self.serve()
        self.serve(url="http://other.example/")

        self.assertIs(Finding.GOOD, self.finding())
        self.assertIs(Finding.GOOD, self.finding(other))

        [warning] = self.warnings
        self.assertIn("cannot keep revocation lists", warning)

    def test_many_files(self) -> None:
        """Old files go where there are many."""
        self.patch(crl_cache, "FILES_LIMIT", 3)
        for number in range(6):
            url = f"http://{number}.example/"
            self.serve(url=url)
            self.finding(issue(AUTHORITY, point(url)).certificate)

        self.assertEqual(3, len(list(Path(self.directory).iterdir())))
