"""The passwd look-up: the accounts of this system."""

from __future__ import annotations

import pwd
from collections.abc import Mapping

from mta.lookups.base import Lookup, Style, lookup


@lookup("passwd", style=Style.QUERY)
class Accounts(Lookup):
    """Finds a user; the result is a line of a password file without the name."""

    async def find(
        self, source: str, key: str, options: Mapping[str, str]
    ) -> str | None:
        """Return ``*:uid:gid:name:home:shell``."""
        try:
            user = pwd.getpwnam(key.strip())
        except (KeyError, ValueError):
            return None
        return ":".join(
            (
                "*",
                str(user.pw_uid),
                str(user.pw_gid),
                user.pw_gecos,
                user.pw_dir,
                user.pw_shell,
            )
        )
