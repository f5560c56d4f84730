"""Tests for ``mta.transports.mbox``."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.message import Bytes
from mta.transports.base import Prepared
from mta.transports.content import Content
from mta.transports.identity import Identity
from mta.transports.mailbox_locks import Locked, LockFile, Locking
from mta.transports.mbox import MailboxJob, MailboxWriter
from tests.transports.delivering import open_directory

CONTENT = Content(Prepared(b"A: b\r\n", Bytes(b"c\r\n")), prefix=b"From x\n")
WRITTEN = b"From x\nA: b\n\nc\n"


class MailboxWriterTests(SynchronousTestCase):
    """Messages are appended to files."""

    def setUp(self) -> None:
        self.directory = open_directory(self)
        self.path = f"{self.directory}/box"
        self.writer = MailboxWriter("mx")

    def job(self, **facts: Any) -> MailboxJob:
        """Return a job for the mailbox."""
        standard = {"path": self.path, "content": CONTENT, "locking": Locking()}
        return MailboxJob(**{**standard, **facts})

    def append(self, **facts: Any) -> None:
        """Do a job that must go well."""
        self.assertEqual(self.writer.work([self.job(**facts)]), [None])

    def failure(self, **facts: Any) -> str:
        """Do a job that must fail, and return why."""
        (self.error,) = self.writer.work([self.job(**facts)])
        assert self.error is not None
        return self.error.log_text

    def content(self) -> bytes:
        """Return what is in the mailbox."""
        with open(self.path, "rb") as file:
            return file.read()

    def existing(self, content: bytes = b"old\n", mode: int = 0o600) -> None:
        """Make the mailbox."""
        with open(self.path, "wb") as file:
            file.write(content)
        os.chmod(self.path, mode)

    def test_created(self) -> None:
        """A mailbox that is missing is made, with its mode."""
        self.addCleanup(os.umask, os.umask(0o077))

        self.append(mode=0o660)

        self.assertEqual(self.content(), WRITTEN)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o660)
        self.assertEqual(os.listdir(self.directory), ["box"])

    def test_appended(self) -> None:
        """Messages follow what is there."""
        self.existing()

        self.assertEqual(self.writer.work([self.job(), self.job()]), [None, None])

        self.assertEqual(self.content(), b"old\n" + WRITTEN * 2)

    def test_directories(self) -> None:
        """Missing directories are made, unless that is forbidden."""
        path = f"{self.directory}/a/b"

        self.assertIn("No such file", self.failure(path=path, create_directory=False))
        self.append(path=path)

    def test_must_exist(self) -> None:
        """file_must_exist makes nothing."""
        self.assertIn("does not exist", self.failure(must_exist=True))
        self.assertEqual(os.listdir(self.directory), [])

    def test_may_not_create(self) -> None:
        """create_file keeps a mailbox from being made, not from being used."""
        self.assertIn("create_file", self.failure(may_create=False))

        self.existing()
        self.append(may_create=False)

    def test_locked(self) -> None:
        """A mailbox that is in use is told at once."""
        LockFile(self.path, Locking(), "other").take()

        self.failure()

        self.assertIsInstance(self.error, Locked)
        self.assertEqual(self.error.facts["error"], -9)
        self.assertEqual(os.listdir(self.directory), ["box.lock"])

    def test_symbolic_link(self) -> None:
        """A link is refused, or by option followed."""
        os.symlink("target", self.path)
        with open(f"{self.directory}/target", "w"):
            pass
        os.chmod(f"{self.directory}/target", 0o600)

        self.assertIn("symbolic link", self.failure())
        self.append(allow_symlink=True)

        self.assertEqual(self.content(), WRITTEN)

    def test_not_a_file(self) -> None:
        """A directory or a pipe is no mailbox."""
        os.mkdir(self.path)
        self.assertIn("not a regular file", self.failure())
        os.rmdir(self.path)
        os.mkfifo(self.path, 0o600)

        self.assertIn("not a regular file", self.failure())

    def test_wider_mode(self) -> None:
        """A mailbox that allows more is narrowed."""
        self.existing(mode=0o666)

        self.append()

        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_narrower_mode(self) -> None:
        """One that allows less defers, or by option is used as it is."""
        self.existing(mode=0o600)

        self.assertIn("wrong mode 600 (660 expected)", self.failure(mode=0o660))
        self.assertEqual(self.error.facts["error"], -7)
        self.append(mode=0o660, fail_narrower=False)

    def test_owner(self) -> None:
        """Somebody else's mailbox is refused, unless nobody asks."""
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        self.existing()
        os.chown(self.path, 12345, 0)

        self.assertIn("belongs to uid=12345", self.failure())
        self.append(check_owner=False)

    def test_group(self) -> None:
        """The group counts by option only."""
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        self.existing()
        os.chown(self.path, 0, 12345)

        self.append()
        self.assertIn("gid=12345", self.failure(check_group=True))

    def test_disk_full(self) -> None:
        """What was written of a message that does not fit is taken back."""
        self.existing()
        os.utime(self.path, (5, 5))
        real_write = os.write

        def write(descriptor: int, octets: bytes) -> int:
            if len(octets) < 8:
                raise OSError(errno.ENOSPC, "full")
            return real_write(descriptor, octets[:8])

        self.patch(os, "write", write)

        self.assertIn("No space left", self.failure())
        self.assertEqual(self.content(), b"old\n")
        self.assertEqual(os.stat(self.path).st_mtime, 5)

    def test_flushed(self) -> None:
        """A message that cannot be flushed is taken back."""
        self.existing()

        def broken(descriptor: int) -> None:
            raise OSError(errno.EIO, "broken")

        self.patch(os, "fsync", broken)

        self.failure()

        self.assertEqual(self.content(), b"old\n")
        self.assertEqual(os.listdir(self.directory), ["box"])

    def test_changed_while_opened(self) -> None:
        """A mailbox that is exchanged under our hands freezes the message."""
        self.existing()
        real_open = os.open

        def exchange(path: str, flags: int, mode: int = 0o777) -> int:
            if path == self.path:
                os.rename(self.path, f"{self.path}.old")
                self.existing()
            return real_open(path, flags, mode)

        self.patch(os, "open", exchange)

        self.assertIn("changed while it was opened", self.failure())
        self.assertTrue(self.error.facts["freeze"])

    def test_no_descriptor_is_left(self) -> None:
        """Neither success nor failure leaves a file open."""
        before = len(os.listdir("/proc/self/fd"))
        self.append()
        self.failure(mode=0o666)
        self.failure(path=self.directory)

        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_as_user(self) -> None:
        """The mailbox is the user's when root delivers."""
        if os.geteuid() != 0:
            self.skipTest("only root can deliver as somebody else")

        self.append(identity=Identity(65534, 54321))
        self.append(identity=Identity(65534, 54321))

        status = os.stat(self.path)
        self.assertEqual((status.st_uid, status.st_gid), (65534, 54321))
        self.assertIn("belongs to", self.failure(identity=Identity(65533, 54321)))
