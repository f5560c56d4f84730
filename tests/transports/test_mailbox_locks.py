"""Tests for ``mta.transports.mailbox_locks``."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from mta.transports.mailbox_locks import Locked, LockFile, Locking, lock_descriptor
from tests.transports.delivering import open_directory

_HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


class LockFileTests(SynchronousTestCase):
    """A lock file beside the mailbox."""

    def setUp(self) -> None:
        self.directory = open_directory(self)
        self.path = f"{self.directory}/box"

    def lock(self, **facts: int) -> LockFile:
        """Return a lock for the mailbox."""
        return LockFile(self.path, Locking(**facts), "mx/1")

    def test_taken_and_released(self) -> None:
        """The lock is one file, which goes with the lock."""
        lock = self.lock()

        lock.take()
        self.assertEqual(os.listdir(self.directory), ["box.lock"])
        lock.release()
        self.assertEqual(os.listdir(self.directory), [])

    def test_held(self) -> None:
        """A second taker fails at once and leaves nothing behind."""
        self.lock().take()

        error = self.assertRaises(Locked, self.lock().take)

        self.assertIn("lock file", error.log_text)
        self.assertEqual(os.listdir(self.directory), ["box.lock"])

    def test_old(self) -> None:
        """An old lock is removed, so that the next try gets it."""
        self.lock().take()
        os.utime(f"{self.path}.lock", (1, 1))

        self.assertRaises(Locked, self.lock().take)
        self.lock().take()

    def test_not_wanted(self) -> None:
        """Without use_lockfile there is no file."""
        lock = self.lock(use_lockfile=False)
        lock.take()

        self.assertEqual(os.listdir(self.directory), [])
        lock.release()

    def test_removed_by_others(self) -> None:
        """Somebody may have taken the lock for an old one."""
        lock = self.lock()
        lock.take()
        os.unlink(f"{self.path}.lock")

        lock.release()


class DescriptorLockTests(SynchronousTestCase):
    """Locks on an open mailbox."""

    def setUp(self) -> None:
        self.path = f"{open_directory(self)}/box"
        self.first, self.second = self.open(), self.open()

    def open(self) -> int:
        """Open the mailbox once more."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def test_threads_of_one_process(self) -> None:
        """The fcntl lock also keeps out others in the same process."""
        lock_descriptor(self.first, self.path, Locking())

        error = self.assertRaises(
            Locked, lock_descriptor, self.second, self.path, Locking()
        )
        self.assertIn("(fcntl)", error.log_text)

    def test_other_programs(self) -> None:
        """It respects the lock of a program that uses fcntl as all do."""
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(holder.communicate)
        assert holder.stdout is not None
        holder.stdout.readline()

        self.assertRaises(Locked, lock_descriptor, self.first, self.path, Locking())

    def test_respected_by_other_programs(self) -> None:
        """And such programs respect it."""
        lock_descriptor(self.first, self.path, Locking())
        code = (
            "import fcntl, sys\n"
            "fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        )

        ended = subprocess.run(
            [sys.executable, "-c", code, self.path],
            check=False,
            stderr=subprocess.PIPE,
        )

        self.assertIn(b"BlockingIOError", ended.stderr)

    def test_flock(self) -> None:
        """The flock lock is another one."""
        locking = Locking(use_fcntl=False, use_flock=True)
        fcntl.flock(self.second, fcntl.LOCK_EX)

        error = self.assertRaises(
            Locked, lock_descriptor, self.first, self.path, locking
        )

        self.assertIn("(flock)", error.log_text)
        lock_descriptor(self.first, self.path, Locking())
