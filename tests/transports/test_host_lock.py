"""A lock on a host, held by one process at a time."""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from mta.transports.host_lock import HostLock


class HostLockTests(SynchronousTestCase):
    def test_held(self) -> None:
        """Who holds it keeps others out until it is released."""
        directory = self.mktemp()
        first = HostLock.take(directory, "smtp-192.0.2.1")
        assert first is not None

        self.assertIsNone(HostLock.take(directory, "smtp-192.0.2.1"))
        self.assertIsNotNone(HostLock.take(directory, "smtp-192.0.2.2"))
        first.release()
        first.release()
        self.assertIsNotNone(HostLock.take(directory, "smtp-192.0.2.1"))

    def test_private(self) -> None:
        """Others can neither read the lock nor lead it elsewhere."""
        directory = self.mktemp()
        HostLock.take(directory, "a")
        mode = stat.S_IMODE(os.stat(os.path.join(directory, "a")).st_mode)
        self.assertEqual(mode & 0o007, 0)

        os.symlink("/dev/null", os.path.join(directory, "b"))
        self.assertRaises(OSError, HostLock.take, directory, "b")
