"""Tests for ``mta.transports.identity``."""

from __future__ import annotations

import os
import pwd
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.expand.context import Site
from mta.transports.identity import Identity, ThreadIdentity, identity_for
from tests.transports.delivering import open_directory

NOBODY = 65534


class OrdinaryUserTests(SynchronousTestCase):
    """A program that does not run as root delivers as itself."""

    def setUp(self) -> None:
        self.patch(os, "geteuid", lambda: 1000)
        self.patch(os, "getegid", lambda: 1001)

    def identity(self, user: str | int | None, group: str | int | None) -> object:
        """Return whom a delivery runs as."""
        return identity_for(user, group, Site(), "local")

    def test_nobody_named(self) -> None:
        """Without a user the delivery runs as the program does."""
        self.assertIsNone(self.identity(None, None))
        self.assertIsNone(self.identity("", ""))

    def test_itself_named(self) -> None:
        """Its own user and group may be named."""
        self.assertIsNone(self.identity(1000, 1001))
        self.assertIsNone(self.identity("1000", "1001"))

    def test_other_named(self) -> None:
        """Another user or group is refused for now, with a clear text."""
        for user, group in ((1002, 1001), (1000, 1002), ("root", None), (None, 5)):
            error = self.assertRaises(TemporaryFailure, self.identity, user, group)
            self.assertIn("this program runs as uid=1000", error.log_text)

    def test_number_without_group(self) -> None:
        """A number says nothing of a group, which must then be set."""
        error = self.assertRaises(TemporaryFailure, self.identity, 1000, None)

        self.assertIn("no group was set", error.log_text)

    def test_unknown_names(self) -> None:
        """Names that do not exist are told."""
        user = self.assertRaises(TemporaryFailure, self.identity, "no such", None)
        group = self.assertRaises(TemporaryFailure, self.identity, 1000, "no such")

        self.assertIn('no user "no such"', user.log_text)
        self.assertIn('no group "no such"', group.log_text)


class RootTests(SynchronousTestCase):
    """A program that runs as root delivers as the user."""

    def setUp(self) -> None:
        self.patch(os, "geteuid", lambda: 0)
        self.site = Site(never_users=frozenset({0, 77}))

    def identity(self, user: str | int | None, group: str | int | None) -> object:
        """Return whom a delivery runs as."""
        return identity_for(user, group, self.site, "local")

    def test_user(self) -> None:
        """The user's own group is taken, unless another one is set."""
        with mock.patch.object(pwd, "getpwnam") as getpwnam:
            getpwnam.return_value.pw_uid = 5
            getpwnam.return_value.pw_gid = 6
            self.assertEqual(self.identity("joe", None), Identity(5, 6))
            self.assertEqual(self.identity("joe", 7), Identity(5, 7))

    def test_root(self) -> None:
        """Nothing is delivered as root."""
        error = self.assertRaises(TemporaryFailure, self.identity, 0, 0)

        self.assertIn("never_users", error.log_text)
        self.assertEqual(error.facts["error"], -29)

    def test_never_users(self) -> None:
        """Nor as any other of never_users."""
        self.assertRaises(TemporaryFailure, self.identity, 77, 5)

    def test_nobody_named(self) -> None:
        """Without a user the site's one is taken; without that nothing is done."""
        self.assertRaises(TemporaryFailure, self.identity, None, None)

        self.site.delivery_user = 8, 9

        self.assertEqual(self.identity(None, None), Identity(8, 9))
        self.assertEqual(self.identity(None, 10), Identity(8, 10))


class ThreadIdentityTests(SynchronousTestCase):
    """One thread gets and gives back a user's rights."""

    def setUp(self) -> None:
        self.directory = open_directory(self)
        os.chmod(self.directory, 0o777)

    def create(self, name: str) -> os.stat_result:
        """Create a file and return what it looks like."""
        path = os.path.join(self.directory, name)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return os.stat(path)

    def test_none(self) -> None:
        """No identity changes nothing."""
        with ThreadIdentity().of(None):
            self.assertEqual(self.create("a").st_uid, os.geteuid())

    def test_other(self) -> None:
        """Within, files belong to the user; afterwards to us again."""
        if os.geteuid() != 0:
            self.skipTest("only root can act as somebody else")
        with ThreadIdentity().of(Identity(NOBODY, 54321)):
            within = self.create("a")
        after = self.create("b")

        self.assertEqual((within.st_uid, within.st_gid), (NOBODY, 54321))
        self.assertEqual((after.st_uid, after.st_gid), (0, 0))

    def test_nested(self) -> None:
        """After a user within a user the outer one's rights hold again."""
        if os.geteuid() != 0:
            self.skipTest("only root can act as somebody else")
        identities = ThreadIdentity()
        with identities.of(Identity(NOBODY, 54321)):
            with identities.of(Identity(12345, 12345)):
                inner = self.create("a")
            with identities.of(None):
                outer = self.create("b")

        self.assertEqual((inner.st_uid, outer.st_uid), (12345, NOBODY))
        self.assertEqual(self.create("c").st_uid, 0)

    def test_rights(self) -> None:
        """Within, the user's rights hold and root's do not."""
        if os.geteuid() != 0:
            self.skipTest("only root can act as somebody else")
        os.chmod(self.directory, 0o700)

        with ThreadIdentity().of(Identity(NOBODY, NOBODY)):
            self.assertRaises(PermissionError, self.create, "a")
        self.create("a")

    def test_no_groups_of_ours(self) -> None:
        """Our supplementary groups give the user nothing."""
        if os.geteuid() != 0:
            self.skipTest("only root can act as somebody else")
        self.addCleanup(os.setgroups, os.getgroups())
        os.setgroups([4242])
        os.chown(self.directory, 0, 4242)
        os.chmod(self.directory, 0o770)

        with ThreadIdentity().of(Identity(NOBODY, NOBODY)):
            self.assertRaises(PermissionError, self.create, "a")
        self.assertEqual(os.getgroups(), [4242])

    def test_after_error(self) -> None:
        """An error within does not keep the user's rights."""
        if os.geteuid() != 0:
            self.skipTest("only root can act as somebody else")
        with (
            self.assertRaises(ZeroDivisionError),
            ThreadIdentity().of(Identity(NOBODY, NOBODY)),
        ):
            raise ZeroDivisionError

        self.assertEqual(self.create("a").st_uid, 0)

    def test_not_allowed(self) -> None:
        """Where the system refuses, nothing within is done."""
        if os.geteuid() == 0:
            self.skipTest("root may do it")
        with self.assertRaises(OSError), ThreadIdentity().of(Identity(0, 0)):
            raise AssertionError("this must not be reached")
