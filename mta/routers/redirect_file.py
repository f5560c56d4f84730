"""Files with redirection data: whether they may be trusted, and what is in them."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from mta.errors import TemporaryFailure
from mta.taint import untainted

SIZE_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True)
class FileRules:
    """What a file must be like; None where owner or group do not matter."""

    forbidden_mode: int = 0o022
    owners: frozenset[int] | None = None
    groups: frozenset[int] | None = None
    ignore_eacces: bool = False
    ignore_enotdir: bool = False


def read_list(path: str, rules: FileRules) -> str | None:
    """Return a file's content, None where it does not exist.

    Raises TemporaryFailure where that cannot be known now or the file is not as it
    must be.
    """
    path = untainted(path, "file name for redirection data")
    if not path.startswith("/"):
        raise _failure(f'"{path}" is not an absolute path')
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if _means_absent(error, path, rules):
            return None
        raise _failure(f"failed to open {path}: {error.strerror}") from error
    try:
        # Before it becomes a Python file, which refuses folders by another error.
        _check(path, os.fstat(descriptor), rules)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise _failure(f"failed to read {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(content) > SIZE_LIMIT:
        raise _failure(f"{path} is too long")
    return content.decode("utf-8", "surrogateescape")


def _means_absent(error: OSError, path: str, rules: FileRules) -> bool:
    if error.errno == errno.EACCES:
        return rules.ignore_eacces
    if error.errno == errno.ENOTDIR:
        return rules.ignore_enotdir
    if error.errno != errno.ENOENT:
        return False
    if not rules.ignore_enotdir and not os.path.isdir(os.path.dirname(path)):
        # Exim chapter 22: the directory may be on a file system that is not mounted.
        raise _failure(f"failed to stat {os.path.dirname(path)}")
    return True


def _check(path: str, status: os.stat_result, rules: FileRules) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _failure(f"{path} is not a regular file")
    excess = status.st_mode & rules.forbidden_mode
    if excess:
        mode = stat.S_IMODE(status.st_mode)
        raise _failure(
            f"bad mode (0{mode:o}) for {path}: 0{excess:o} bit(s) unexpected"
        )
    if rules.owners is not None and status.st_uid not in rules.owners:
        raise _failure(f"bad owner ({status.st_uid}) for {path}")
    if rules.groups is not None and status.st_gid not in rules.groups:
        raise _failure(f"bad group ({status.st_gid}) for {path}")


def _failure(text: str) -> TemporaryFailure:
    return TemporaryFailure("Temporary local problem", log_text=text)


def user_numbers(names: Iterable[str]) -> frozenset[int]:
    """Return the numbers of users by name or number; raise ValueError."""
    found = set()
    for name in names:
        try:
            found.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
        except KeyError:
            raise ValueError(f'unknown user "{name}"') from None
    return frozenset(found)


def group_numbers(names: Iterable[str]) -> frozenset[int]:
    """Return the numbers of groups by name or number; raise ValueError."""
    found = set()
    for name in names:
        try:
            found.add(int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid)
        except KeyError:
            raise ValueError(f'unknown group "{name}"') from None
    return frozenset(found)
