"""Whether the disks have room."""

from __future__ import annotations

import os
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from mta.reception.acceptance import MessageOptions
from mta.reception.space import DiskSpace
from mta.testing import MemoryLogs, PlainLanguage

MEBIBYTE = 1 << 20


class SpaceTests(SynchronousTestCase):
    """A spool and a log, on file systems of their own."""

    def setUp(self) -> None:
        self.now = 0.0
        self.looks: list[str] = []
        self.free = {"/spool": 100 * MEBIBYTE, "/log": 100 * MEBIBYTE}
        self.inodes = 1000
        self.patch(os, "statvfs", self.look)

    def look(self, directory: str) -> SimpleNamespace:
        """Stand for the system."""
        self.looks.append(directory)
        if directory not in self.free:
            raise FileNotFoundError(2, "No such file or directory")
        return SimpleNamespace(
            f_bavail=self.free[directory] // 4096,
            f_frsize=4096,
            f_files=self.inodes and 5000,
            f_favail=self.inodes,
        )

    def space(self, spool: str = "/spool", **options: str) -> DiskSpace:
        """Return what looks, by some options."""
        self.logs = MemoryLogs()
        return DiskSpace(
            spool,
            "/log",
            options=MessageOptions.with_texts(options, language=PlainLanguage()),
            logs=self.logs,
            clock=lambda: self.now,
        )

    def test_enough(self) -> None:
        """With enough of everything a message is welcome."""
        self.assertTrue(self.space().suffices(0))
        self.assertEqual([], self.logs.lines)

    def test_spool(self) -> None:
        """Less than check_spool_space is too little; the log says how little."""
        self.free["/spool"] = 9 * MEBIBYTE

        self.assertFalse(self.space().suffices(0))
        self.assertEqual(
            ["spool directory space check failed: space=9216K inodes=1000"],
            self.logs.lines,
        )
        self.assertTrue(self.space(check_spool_space="9M").suffices(0))

    def test_log(self) -> None:
        """So it is with the logs."""
        self.free["/log"] = 9 * MEBIBYTE

        self.assertFalse(self.space().suffices(0))
        self.assertTrue(self.space(check_log_space="0").suffices(0))

    def test_inodes(self) -> None:
        """Inodes can run out, too; some file systems do not count them."""
        self.inodes = 99
        self.assertFalse(self.space().suffices(0))

        self.inodes = 0
        self.assertTrue(self.space().suffices(0))

    def test_declared(self) -> None:
        """A declared size must find room besides; with an option only."""
        space = self.space()

        self.assertTrue(space.suffices(90 * MEBIBYTE - 5000))
        self.assertFalse(space.suffices(90 * MEBIBYTE))
        self.assertTrue(
            self.space(smtp_check_spool_space="false").suffices(99 * MEBIBYTE)
        )

    def test_once_a_second(self) -> None:
        """The disks are looked at once a second, however many messages come."""
        space = self.space()
        for _ in range(5):
            space.suffices(0)
        self.assertEqual(["/spool", "/log"], self.looks)

        self.now = 1.5
        space.suffices(0)

        self.assertEqual(["/spool", "/log"] * 2, self.looks)

    def test_lost(self) -> None:
        """A spool that is gone has no room, and somebody must know."""
        self.assertFalse(self.space("/gone").suffices(0))
        self.assertIn("cannot find the space in /gone", self.logs.panic_lines[0][0])
