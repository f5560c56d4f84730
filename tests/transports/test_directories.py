"""Tests for ``mta.transports.directories``."""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from mta.transports.directories import flush_directory, make_directories


class MakeDirectoriesTests(SynchronousTestCase):
    """Missing directories are made."""

    def test_all_levels(self) -> None:
        """All levels are made with the mode, whatever the umask is."""
        base = os.path.abspath(self.mktemp())

        self.addCleanup(os.umask, os.umask(0o077))
        make_directories(f"{base}/a/b", 0o755)

        for path in (base, f"{base}/a", f"{base}/a/b"):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o755)

    def test_existing(self) -> None:
        """A directory that is there keeps its mode."""
        base = self.mktemp()
        os.mkdir(base, 0o700)

        make_directories(base, 0o755)

        self.assertEqual(stat.S_IMODE(os.stat(base).st_mode), 0o700)

    def test_file_in_the_way(self) -> None:
        """A file in the path is an error of the system."""
        base = os.path.abspath(self.mktemp())
        with open(base, "w"):
            pass

        self.assertRaises(OSError, make_directories, f"{base}/a", 0o700)

    def test_flush_missing(self) -> None:
        """A directory that is not there cannot be flushed."""
        self.assertRaises(FileNotFoundError, flush_directory, self.mktemp())
