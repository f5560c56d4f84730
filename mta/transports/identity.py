"""Whom a local delivery runs as, and how one thread becomes that user.

One thread writes the mailboxes of many users.  It takes the user's *file system*
identity (``setfsuid`` and ``setfsgid``, and the supplementary groups), which Linux
keeps for each thread: files are opened, created and renamed with the user's rights
and belong to the user.  The real and effective uid stay ours, so a user can neither
signal nor trace the thread, as he could one that had become him wholly.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mta.errors import TemporaryFailure

if TYPE_CHECKING:
    from mta.expand.context import Site

# The C library's setgroups() changes all threads; only the system call itself
# changes one.
_SETGROUPS_NUMBERS = {"x86_64": 116, "aarch64": 159, "riscv64": 159}
# Exim's error number for "delivery as this user is not allowed".
NOT_PERMITTED = -29


@dataclass(frozen=True, slots=True)
class Identity:
    """A user and a group that work is done as."""

    uid: int
    gid: int


def identity_for(
    user: str | int | None, group: str | int | None, site: Site, transport: str
) -> Identity | None:
    """Return whom to deliver as; None means as the user we run as.

    Raises TemporaryFailure where that is not possible or not allowed.
    """
    own = os.geteuid()
    if user in (None, "") and group in (None, "") and own != 0:
        return None
    uid, gid = _user(user, own, site, transport)
    if group not in (None, ""):
        gid = _group(group)
    if gid is None:
        raise _refusal(f"user {user} is a number, and no group was set for {transport}")
    if own != 0:
        if uid == own and gid == os.getegid():
            return None
        raise _refusal(
            f"cannot deliver as uid={uid} gid={gid} in {transport} transport, since "
            f"this program runs as uid={own} gid={os.getegid()}"
        )
    if uid == 0 or uid in site.never_users:
        raise _refusal(
            f"User {uid} set for {transport} transport is on the never_users list"
        )
    return Identity(uid, gid)


def _refusal(text: str) -> TemporaryFailure:
    return TemporaryFailure("local delivery failed", log_text=text, error=NOT_PERMITTED)


def _user(
    user: str | int | None, own: int, site: Site, transport: str
) -> tuple[int, int | None]:
    if user in (None, ""):
        if own != 0:
            return own, os.getegid()
        if site.delivery_user is None:
            raise _refusal(
                f"no user is set for {transport} transport, and nothing is delivered "
                "as root"
            )
        return site.delivery_user
    if isinstance(user, int) or str(user).strip().isdecimal():
        return int(user or 0), None
    import pwd  # noqa: PLC0415 (start-up time)

    try:
        entry = pwd.getpwnam(str(user).strip())
    except KeyError as error:
        raise _refusal(f'there is no user "{user}"') from error
    return entry.pw_uid, entry.pw_gid


def _group(group: str | int | None) -> int:
    if isinstance(group, int) or str(group).strip().isdecimal():
        return int(group or 0)
    import grp  # noqa: PLC0415 (start-up time)

    try:
        return grp.getgrnam(str(group).strip()).gr_gid
    except KeyError as error:
        raise _refusal(f'there is no group "{group}"') from error


class ThreadIdentity:
    """Changes the file system identity of the thread that calls it."""

    def __init__(self) -> None:
        self._ctypes: Any = None
        self._library: Any = None
        self._own: tuple[int, int, list[int]] = (0, 0, [])
        self._current: Identity | None = None

    @contextmanager
    def of(self, identity: Identity | None) -> Iterator[None]:
        """Have the rights of a user within; None changes nothing.

        Raises OSError where the system does not let us.
        """
        before = self._current
        if identity is None or identity == before:
            yield
            return
        try:
            self._become(identity)
            yield
        finally:
            self._become(before)

    def _become(self, identity: Identity | None) -> None:
        if identity is None:
            self._take(*self._own)
        else:
            self._take(identity.uid, identity.gid, [])
        self._current = identity

    def _take(self, uid: int, gid: int, groups: list[int]) -> None:
        if self._library is None:
            self._load()
        ctypes, library = self._ctypes, self._library
        array = (ctypes.c_uint32 * len(groups))(*groups)
        number = _SETGROUPS_NUMBERS[platform.machine()]
        if library.syscall(number, len(groups), array) != 0:
            raise OSError(ctypes.get_errno(), "setgroups")
        library.setfsgid(gid)
        library.setfsuid(uid)
        # Both calls return the identity before them and no error; an impossible
        # argument changes nothing, so that this asks what came of it.
        unchanged = ctypes.c_uint32(-1)
        if library.setfsgid(unchanged) != gid or library.setfsuid(unchanged) != uid:
            raise PermissionError(f"cannot act as uid={uid} gid={gid}")

    def _load(self) -> None:
        import ctypes  # noqa: PLC0415 (start-up time)

        if platform.machine() not in _SETGROUPS_NUMBERS:
            raise PermissionError(
                f"cannot act as another user on {platform.machine()} machines"
            )
        self._own = os.geteuid(), os.getegid(), os.getgroups()
        self._ctypes = ctypes
        self._library = ctypes.CDLL(None, use_errno=True)
