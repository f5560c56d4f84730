"""Files that root makes where a daemon without privileges works."""

from __future__ import annotations

import os
import pwd
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from mta.log import Logs
from mta.ownership import give_away, make_directory
from mta.spool import database
from mta.spool.owners import Owner


class OwnershipTests(SynchronousTestCase):
    """Root works in a directory of somebody else's."""

    def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("only root can give files away")
        self.user = pwd.getpwnam("nobody")
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)

    def check_owner(self, uid: int) -> None:
        """All that is below the directory belongs to a user."""
        for folder, folders, files in os.walk(self.directory):
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                self.assertEqual(uid, os.stat(path).st_uid, path)

    def test_directories(self) -> None:
        """A directory belongs to the owner of the one above it, at every depth."""
        make_directory(os.path.join(self.directory, "a", "b", "c"))
        make_directory(os.path.join(self.directory, "a", "b"))
        self.check_owner(self.user.pw_uid)

    def test_spool(self) -> None:
        """So do the files of the queue, and the log."""
        spool = os.path.join(self.directory, "queue")
        connection = database.open_database(spool)
        owner = Owner.register(connection, os.path.join(spool, "owners"))
        logs = Logs(lambda name: os.path.join(self.directory, "log", name))
        logs.main("hello")
        self.check_owner(self.user.pw_uid)
        owner.resign(connection)
        connection.close()
        logs.close()

    def test_own(self) -> None:
        """Root's own directories stay root's, and others' files stay theirs."""
        os.chown(self.directory, 0, 0)
        path = os.path.join(self.directory, "x")
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
        give_away(descriptor, path)
        os.close(descriptor)
        self.check_owner(0)
