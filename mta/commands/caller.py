"""Who called the command, and what they may do (Exim section 5.2)."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from dataclasses import dataclass

from mta.assembly import Assembly, login_name
from mta.commands.waiting import run_coroutine
from mta.expand.context import Context


@dataclass(frozen=True, slots=True)
class Caller:
    """A local user.

    Trusted callers may set the sender of what they submit; administrators may see
    and change the whole queue.  Root and the owner of the spool are both.
    """

    uid: int
    gid: int
    login: str
    full_name: str
    is_trusted: bool
    is_admin: bool


def identify_caller(assembly: Assembly) -> Caller:
    """Return who runs this process."""
    uid, gid = os.getuid(), os.getgid()
    login = login_name(uid)
    owner = uid in (0, _spool_owner(assembly.spool, uid))
    groups = {gid, *os.getgroups()}
    options = assembly.options
    trusted = (
        owner
        or login in _names(assembly, options.trusted_users)
        or _in_groups(groups, _names(assembly, options.trusted_groups))
    )
    admin = owner or _in_groups(groups, _names(assembly, options.admin_groups))
    return Caller(uid, gid, login, _full_name(uid), trusted, admin)


def may_administer(assembly: Assembly) -> bool:
    """Return whether the caller is an administrator; tell one who is not."""
    if identify_caller(assembly).is_admin:
        return True
    print("mta: permission denied", file=sys.stderr)
    return False


def may_queue(assembly: Assembly) -> bool:
    """Return whether the caller can add to the spool; tell one who cannot.

    Exim's program always can, being set-uid; a Python program cannot be that.
    """
    place = os.path.join(assembly.spool, "queue")
    while not os.path.exists(place):
        place = os.path.dirname(place)
    if os.access(place, os.W_OK | os.X_OK):
        return True
    owner = login_name(os.stat(place).st_uid)
    print(
        f"mta: only {owner} may write to the spool {assembly.spool}: send the message "
        "by SMTP to the daemon instead, or run this command as that user",
        file=sys.stderr,
    )
    return False


def _names(assembly: Assembly, option: object) -> list[str]:
    if option is None:
        return []
    context = Context(assembly.site)
    names: list[str] = run_coroutine(option.items(context))  # type: ignore[attr-defined]
    return names


def _in_groups(gids: set[int], names: list[str]) -> bool:
    for name in names:
        if name.isdecimal():
            if int(name) in gids:
                return True
            continue
        try:
            if grp.getgrnam(name).gr_gid in gids:
                return True
        except KeyError:
            continue
    return False


def _spool_owner(directory: str, otherwise: int) -> int:
    try:
        return os.stat(directory).st_uid
    except FileNotFoundError:
        # Whoever makes the spool will own it.
        return otherwise
    except OSError:
        # Who cannot even look there is not its owner.
        return -1


def _full_name(uid: int) -> str:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return ""
    name = entry.pw_gecos.partition(",")[0]
    # In the password file an ampersand stands for the login name.
    return name.replace("&", entry.pw_name.capitalize())
