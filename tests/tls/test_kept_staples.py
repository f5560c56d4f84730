"""Proofs that somebody renews: stapled until their end, and awaited for a moment."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mta.log import DEFAULT_SELECTORS
from mta.testing import MemoryLogs
from mta.tls.staples import Staple, StapleFile
from mta.tls.watched import LOOK_AGAIN, Awaited, Watched
from tests.tls.proofs import DAY, HOUR, NOW, REVOKED, Authority

AUTHORITY = Authority()
HOST = AUTHORITY.issue()
TIME = NOW.timestamp()


class KeptStapleTests(SynchronousTestCase):
    """A proof in a file of whoever renews it."""

    def setUp(self) -> None:
        """Choose a file."""
        os.mkdir(directory := self.mktemp())
        self.path = os.path.join(directory, "proof")
        self.logs = MemoryLogs(DEFAULT_SELECTORS)
        file = StapleFile(self.path, is_kept=True)
        self.staple = Staple(HOST.certificate, [AUTHORITY.certificate], file, self.logs)

    def write(self, octets: bytes) -> None:
        """Replace the file."""
        with open(self.path + ".next", "wb") as file:
            file.write(octets)
        os.rename(self.path + ".next", self.path)

    def test_until_end(self) -> None:
        """It is stapled until its end and not, as others are, five minutes longer."""
        response = AUTHORITY.respond(HOST.certificate)
        self.write(response)
        end = TIME + DAY.total_seconds()
        for moment, octets in ((TIME, response), (end - 1, response), (end, b"")):
            self.assertEqual(octets, self.staple.octets(moment))

    def test_signer_ends(self) -> None:
        """Its end is that of its signer's certificate, if that comes first."""
        signer = AUTHORITY.delegate(end=NOW + HOUR)
        response = AUTHORITY.respond(HOST.certificate, signer=signer)
        self.write(response)
        self.assertEqual(response, self.staple.octets(TIME + 3599))
        self.assertEqual(b"", self.staple.octets(TIME + 3600))

    def test_renewed(self) -> None:
        """After its end another is found as soon as it is there."""
        self.write(AUTHORITY.respond(HOST.certificate, end=NOW))
        self.assertEqual(b"", self.staple.octets(TIME))
        response = AUTHORITY.respond(HOST.certificate)
        self.write(response)
        self.assertEqual(response, self.staple.octets(TIME))

    def test_silent(self) -> None:
        """What is wrong with it is told by whoever renews it, not here."""
        self.assertEqual(b"", self.staple.octets(TIME))
        for octets in (b"nonsense", AUTHORITY.respond(HOST.certificate, REVOKED)):
            self.write(octets)
            self.assertEqual(b"", self.staple.octets(TIME))
        self.assertEqual(([], []), (self.logs.main_lines, self.logs.panic_lines))


class AwaitedTests(SynchronousTestCase):
    """Files that changed, and to which something belongs that is not there yet."""

    def test_awaited(self) -> None:
        """Meanwhile the earlier ones are served, in silence."""
        os.mkdir(directory := self.mktemp())
        path = os.path.join(directory, "file")
        logs = MemoryLogs(DEFAULT_SELECTORS)
        is_there = False

        def load(earlier: str | None) -> str:
            if earlier is not None and not is_there:
                raise Awaited("no proof yet")
            with open(path) as file:
                return file.read()

        with open(path, "w") as file:
            file.write("before")
        watched = Watched(load, lambda: [path], name="it", logs=logs)
        self.assertEqual("before", watched.current(0.0))
        with open(path, "w") as file:
            file.write("and after")
        now = LOOK_AGAIN
        self.assertEqual("before", watched.current(now))
        is_there = True
        self.assertEqual("before", watched.current(now + 0.5))
        self.assertEqual("and after", watched.current(now + 1.0))
        self.assertEqual(([], []), (logs.main_lines, logs.panic_lines))
