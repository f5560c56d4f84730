"""Tests of bodies while they arrive."""

from __future__ import annotations

import os
import threading

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import SpoolError
from mta.message import Bytes
from mta.spool.bodies import BEHIND_LIMIT, INLINE_LIMIT, BodyThread
from mta.spool.file_body import FileBody
from tests.spool.turns import Turns


class BodyWriterTests(SynchronousTestCase):
    """Keeping a body while it arrives."""

    def setUp(self) -> None:
        """Start a thread for bodies in an empty directory."""
        self.directory = self.mktemp()
        os.makedirs(self.directory)
        self.turns = Turns()
        self.thread = BodyThread(self.directory, prefix="7", call_in_reactor=self.turns)
        self.addCleanup(self.thread.stop)

    def test_small(self) -> None:
        """A small body stays in memory, and there is no file."""
        writer = self.thread.new_body()
        writer.write(b"one")
        writer.write(b"two")

        body = self.turns.result(writer.finish())

        self.assertEqual(body, Bytes(b"onetwo"))
        self.assertEqual(os.listdir(self.directory), [])

    def test_exactly_the_limit(self) -> None:
        """The largest body that stays in memory has just the limit."""
        writer = self.thread.new_body()
        writer.write(b"x" * INLINE_LIMIT)

        self.assertIsInstance(self.turns.result(writer.finish()), Bytes)

    def test_large(self) -> None:
        """A body over the limit is in a file, every octet of it in order."""
        writer = self.thread.new_body()
        pieces = [bytes([number % 251]) * 7001 for number in range(40)]
        for piece in pieces:
            writer.write(piece)

        body = self.turns.result(writer.finish())

        self.assertIsInstance(body, FileBody)
        self.assertEqual(b"".join(body.chunks()), b"".join(pieces))
        self.assertEqual(body.size, 40 * 7001)
        self.assertEqual(os.path.basename(body.path), "7-1")

    def test_abandoned(self) -> None:
        """Nothing stays of a body that is abandoned, whether finished or not."""
        begun, finished = self.thread.new_body(), self.thread.new_body()
        for writer in (begun, finished):
            writer.write(b"x" * (INLINE_LIMIT + 1))
        self.turns.result(finished.finish())

        begun.abandon()
        finished.abandon()
        self.thread.stop()

        self.assertEqual(os.listdir(self.directory), [])

    def test_behind(self) -> None:
        """Who writes faster than the disk is told to wait, and when to go on."""
        writer = self.thread.new_body()
        gate = threading.Event()
        self.thread.put(lambda: gate.wait(20) and None)
        chunk = b"x" * 65536
        while not writer.is_behind:
            writer.write(chunk)
            self.assertLess(writer.size, 2 * BEHIND_LIMIT)

        ready = writer.when_ready()
        gate.set()
        self.turns.result(ready)

        self.assertFalse(writer.is_behind)
        body = self.turns.result(writer.finish())
        self.assertEqual(body.size, writer.size)

    def test_ready_at_once(self) -> None:
        """Who is not behind does not wait."""
        writer = self.thread.new_body()
        writer.write(b"x")

        with self.assertRaises(StopIteration):
            writer.when_ready().send(None)

    def test_no_directory(self) -> None:
        """A file that cannot be made is an error at the end, and no wait before."""
        self.thread.directory = os.path.join(self.directory, "missing")
        writer = self.thread.new_body()
        for _ in range(20):
            writer.write(b"x" * 65536)
        self.turns.result(writer.when_ready())

        with self.assertRaises(SpoolError):
            self.turns.result(writer.finish())

    def test_disk_full(self) -> None:
        """A write that fails is an error at the end, and the next body is fine."""
        writer = self.thread.new_body()
        writer.write(b"x" * (INLINE_LIMIT + 1))
        file = writer._file
        assert file is not None
        full = os.open("/dev/full", os.O_WRONLY)
        self.thread.put(lambda: os.dup2(full, file.descriptor) and None)
        writer.write(b"y")

        with self.assertRaises(SpoolError):
            self.turns.result(writer.finish())
        writer.abandon()
        other = self.thread.new_body()
        other.write(b"x" * (INLINE_LIMIT + 1))

        self.assertEqual(self.turns.result(other.finish()).size, INLINE_LIMIT + 1)
        os.close(full)

    def test_mode(self) -> None:
        """Only the owner and the group may read a body."""
        writer = self.thread.new_body()
        writer.write(b"x" * (INLINE_LIMIT + 1))

        body = self.turns.result(writer.finish())

        self.assertEqual(os.stat(body.path).st_mode & 0o007, 0)
