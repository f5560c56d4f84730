"""Make missing directories so that a crash does not lose them."""

from __future__ import annotations

import os


def make_directories(path: str, mode: int) -> None:
    """Make a directory and those above it that are missing, and flush each entry."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path) or "/"
    make_directories(parent, mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return
    if mode & 0o077:  # the umask may have taken these away
        os.chmod(path, mode)
    flush_directory(parent)


def flush_directory(path: str) -> None:
    """Have what was made, renamed or removed in a directory on the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return  # a directory that its users may change but not read
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
