"""Tests for ``mta.transports.maildir``."""

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
from mta.transports.maildir import FileJob, FileWriter
from tests.transports.delivering import open_directory

CONTENT = Content(Prepared(b"A: b\r\n", Bytes(b"c\r\n")))


class FileWriterCase(SynchronousTestCase):
    """Writes into a directory of the test."""

    def setUp(self) -> None:
        self.base = f"{open_directory(self)}/base"
        self.directory = f"{self.base}/box"
        self.writer = FileWriter("mx:1/x", clock=lambda: 12.25)

    def job(self, **facts: Any) -> FileJob:
        """Return a job for the directory."""
        return FileJob(**{"directory": self.directory, "content": CONTENT, **facts})

    def write(self, **facts: Any) -> str:
        """Do a job that must go well, and return where the message is."""
        job = self.job(**facts)
        self.assertEqual(self.writer.work([job]), [None])
        return job.path

    def failure(self, **facts: Any) -> str:
        """Do a job that must fail, and return why."""
        (failure,) = self.writer.work([self.job(**facts)])
        assert failure is not None
        self.error = failure.facts["error"]
        return failure.log_text


class MaildirTests(FileWriterCase):
    """Delivery into Maildirs."""

    def test_written(self) -> None:
        """The message is in new/ with LF lines, and tmp/ is empty."""
        path = self.write()

        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"A: b\n\nc\n")
        self.assertEqual(os.path.dirname(path), f"{self.directory}/new")
        self.assertEqual(sorted(os.listdir(self.directory)), ["cur", "new", "tmp"])
        self.assertEqual(os.listdir(f"{self.directory}/tmp"), [])

    def test_name(self) -> None:
        """The name has time, process, a number and a host name without slashes."""
        os.makedirs(f"{self.directory}/tmp")

        name = os.path.basename(self.write())

        self.assertEqual(name, rf"12.H250000P{os.getpid()}_1.mx\0721\057x")

    def test_modes(self) -> None:
        """Files and directories get their modes, whatever the umask is."""
        self.addCleanup(os.umask, os.umask(0o077))

        path = self.write(mode=0o640, directory_mode=0o750)

        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
        self.assertEqual(stat.S_IMODE(os.stat(self.directory).st_mode), 0o750)

    def test_batch(self) -> None:
        """Messages of one batch go to their own Maildirs under their own names."""
        jobs = [self.job(directory=f"{self.base}/{n}") for n in ("a", "b", "a")]

        self.assertEqual(self.writer.work(jobs), [None] * 3)

        self.assertEqual(len(os.listdir(f"{self.base}/a/new")), 2)
        self.assertEqual(len(os.listdir(f"{self.base}/b/new")), 1)

    def test_failure_of_one(self) -> None:
        """One that cannot be written does not hinder the others."""
        os.makedirs(self.base)
        with open(f"{self.base}/file", "w"):
            pass
        jobs = [self.job(directory=f"{self.base}/file"), self.job()]

        first, second = self.writer.work(jobs)

        assert first is not None
        self.assertEqual(first.facts["error"], errno.ENOTDIR)
        self.assertIsNone(second)

    def test_tag(self) -> None:
        """A tag is added to the name in new/ alone."""
        self.assertTrue(self.write(tag=",S=8").endswith(",S=8"))

    def test_tag_too_long(self) -> None:
        """A tag for which there is no room is left out."""
        self.assertTrue(self.write(tag="," + "x" * 255).endswith(r"\057x"))

    def test_no_directory(self) -> None:
        """Without create_directory nothing is made."""
        text = self.failure(create_directory=False)

        self.assertEqual(self.error, errno.ENOENT)
        self.assertIn(self.directory, text)
        self.assertFalse(os.path.exists(self.directory))

    def test_may_not_create(self) -> None:
        """create_file keeps a Maildir from being made, but not its folders."""
        self.assertIn("create_file", self.failure(may_create=False))

        os.makedirs(self.directory)
        self.write(may_create=False)

    def test_new_is_missing(self) -> None:
        """A missing new/ is made."""
        os.makedirs(f"{self.directory}/tmp")

        self.write()

    def test_write_fails(self) -> None:
        """Where the disk is full nothing is left in tmp/."""

        def full(descriptor: int, octets: bytes) -> int:
            raise OSError(errno.EDQUOT, "full")

        self.patch(os, "write", full)

        text = self.failure()

        self.assertIn("mailbox is full", text)
        self.assertEqual(self.error, -22)
        self.assertEqual(os.listdir(f"{self.directory}/tmp"), [])
        self.assertEqual(os.listdir(f"{self.directory}/new"), [])

    def test_flushed_before_visible(self) -> None:
        """A message is flushed before it gets its name, the directory after that."""
        self.write()
        events: list[str] = []
        real_rename, real_fsync = os.rename, os.fsync

        def rename(source: str, target: str) -> None:
            events.append("rename")
            real_rename(source, target)

        def fsync(descriptor: int) -> None:
            events.append("flush directory")
            real_fsync(descriptor)

        self.patch(os, "fdatasync", lambda descriptor: events.append("flush file"))
        self.patch(os, "rename", rename)
        self.patch(os, "fsync", fsync)

        self.writer.work([self.job(), self.job()])

        expected = ["flush file"] * 2 + ["rename"] * 2 + ["flush directory"]
        self.assertEqual(events, expected)

    def test_directory_cannot_be_flushed(self) -> None:
        """A message whose name may be lost is not delivered."""
        self.write()

        def broken(descriptor: int) -> None:
            raise OSError(errno.EIO, "broken")

        self.patch(os, "fsync", broken)

        self.assertIn("flushing", self.failure())

    def test_no_descriptor_is_left(self) -> None:
        """Neither success nor failure leaves a file open."""
        self.write()
        before = len(os.listdir("/proc/self/fd"))

        self.write()
        self.patch(os, "fdatasync", lambda descriptor: 1 / 0)
        self.assertRaises(ZeroDivisionError, self.writer.work, [self.job()])
        self.patch(os, "fdatasync", self.refuse)
        self.failure()

        self.assertLessEqual(len(os.listdir("/proc/self/fd")), before + 1)

    def refuse(self, descriptor: int) -> None:
        """Fail as a broken disk does."""
        raise OSError(errno.EIO, "broken")

    def test_as_user(self) -> None:
        """The files are the user's when root delivers."""
        if os.geteuid() != 0:
            self.skipTest("only root can deliver as somebody else")
        os.makedirs(self.base)
        os.chmod(self.base, 0o777)

        path = self.write(identity=Identity(65534, 54321))

        status = os.stat(path)
        self.assertEqual((status.st_uid, status.st_gid), (65534, 54321))

    def test_as_several_users(self) -> None:
        """A batch for several users gives each of them their own files."""
        if os.geteuid() != 0:
            self.skipTest("only root can deliver as somebody else")
        os.makedirs(self.base)
        os.chmod(self.base, 0o777)
        jobs = [
            self.job(directory=f"{self.base}/{uid}", identity=Identity(uid, uid))
            for uid in (1001, 1002, 1001)
        ]
        jobs.append(self.job(directory=f"{self.base}/1001", identity=Identity(7, 7)))

        failures = self.writer.work(jobs)

        self.assertEqual(failures[:3], [None] * 3)
        owners = [os.stat(job.path).st_uid for job in jobs[:3]]
        self.assertEqual(owners, [1001, 1002, 1001])
        assert failures[3] is not None
        self.assertEqual(failures[3].facts["error"], errno.EACCES)


class PlainDirectoryTests(FileWriterCase):
    """Delivery into a directory that is no Maildir."""

    def test_written(self) -> None:
        """The file's name has time and inode; nothing else is left."""
        path = self.write(is_maildir=False)

        number = os.stat(path).st_ino
        self.assertEqual(os.listdir(self.directory), [f"q00000C-{number}"])
