"""The passwd look-up."""

from __future__ import annotations

import os
import pwd

from mta.taint import Tainted
from tests.lookups.files import LookupTestCase


class AccountsTests(LookupTestCase):
    """Accounts of this system."""

    def test_found(self) -> None:
        """The result is a line of a password file, without name and password."""
        user = pwd.getpwuid(os.getuid())
        found = self.find("passwd", "", Tainted(user.pw_name))
        self.assertEqual(
            found,
            f"*:{user.pw_uid}:{user.pw_gid}:{user.pw_gecos}:{user.pw_dir}:{user.pw_shell}",
        )
        self.assertNotIsInstance(found, Tainted)

    def test_unknown(self) -> None:
        """Other names are not found, whatever is in them."""
        for name in ("no-such-user-here", "a\0b", ":", "\udc80"):
            self.assertIsNone(self.find("passwd", "", name))
