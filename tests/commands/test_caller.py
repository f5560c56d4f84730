"""Who calls, as the system says."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from unittest import SkipTest

from mta.assembly import Assembly, assemble
from mta.commands.caller import identify_caller, may_administer, may_queue
from tests.commands.calling import STRANGER, CommandCase


class CallerCase(CommandCase):
    """A caller of a configuration."""

    def assembly(self) -> Assembly:
        """Return the configuration, read."""
        assembly = assemble([self.configuration], {}, reactor=lambda: None)
        self.addCleanup(assembly.logs.close)
        return assembly


class IdentityTests(CallerCase):
    """What is known of a caller."""

    def test_name(self) -> None:
        """Login and full name are those of the password file."""
        entry = pwd.struct_passwd(("ann", "x", 7, 7, "& Example,Room 1", "/", "/x"))
        self.patch(pwd, "getpwuid", lambda uid: entry)

        caller = identify_caller(self.assembly())

        self.assertEqual(("ann", "Ann Example"), (caller.login, caller.full_name))

    def test_no_name(self) -> None:
        """A user without an entry is a number."""
        self.become_stranger()

        caller = identify_caller(self.assembly())

        self.assertEqual((str(STRANGER), ""), (caller.login, caller.full_name))
        self.assertFalse(caller.is_trusted or caller.is_admin)

    def test_root(self) -> None:
        """Root may do everything."""
        self.patch(os, "getuid", lambda: 0)

        caller = identify_caller(self.assembly())

        self.assertTrue(caller.is_trusted and caller.is_admin)


class RealStrangerTests(CallerCase):
    """Another user, by a process that really is his."""

    def as_stranger(self, question: object) -> int:
        """Return 1 where the answer is yes, 0 where it is no, for that user."""
        assert callable(question)
        assembly = self.assembly()
        child = os.fork()
        if not child:
            answer = 99
            try:
                os.setgroups([])
                os.setgid(STRANGER)
                os.setuid(STRANGER)
                answer = int(question(assembly))
            finally:
                os._exit(answer)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def setUp(self) -> None:
        super().setUp()
        if os.getuid() != 0:
            raise SkipTest("only root can become somebody else")
        self.directory = tempfile.mkdtemp(prefix="mta-tests-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.configure()
        self.spool = os.path.join(self.directory, "spool")
        os.mkdir(self.spool)

    def test_nothing_allowed(self) -> None:
        """The spool of another is neither his to write nor to administer."""
        os.chmod(self.directory, 0o755)

        self.assertEqual(0, self.as_stranger(may_queue))
        self.assertEqual(0, self.as_stranger(may_administer))

    def test_not_even_a_look(self) -> None:
        """Where he cannot get he is no administrator either."""
        self.assertEqual(0, os.stat(self.directory).st_mode & stat.S_IXOTH)

        self.assertEqual(0, self.as_stranger(may_queue))
        self.assertEqual(0, self.as_stranger(may_administer))

    def test_own_spool(self) -> None:
        """A spool of his own is."""
        os.chmod(self.directory, 0o755)
        os.chown(self.spool, STRANGER, STRANGER)

        self.assertEqual(1, self.as_stranger(may_administer))
        self.assertEqual(1, self.as_stranger(may_queue))
