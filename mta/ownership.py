"""Whose a file is that root makes.

A daemon may have given up its privileges while root runs commands on its spool.  What
they make there must be the daemon's to read and write.
"""

from __future__ import annotations

import os


def give_away(descriptor: int, path: str) -> None:
    """Let an open file belong to the owner of its directory, where root made it."""
    if os.geteuid() != 0:
        return
    parent = os.stat(os.path.dirname(path) or ".")
    if parent.st_uid != 0 and os.fstat(descriptor).st_uid == 0:
        os.fchown(descriptor, parent.st_uid, parent.st_gid)


def make_directory(path: str, mode: int = 0o750) -> None:
    """Make a directory and those above it, each belonging to the owner of its parent."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and parent != path:
        make_directory(parent, mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return
    if os.geteuid() == 0:
        above = os.stat(parent or ".")
        if above.st_uid != 0:
            os.chown(path, above.st_uid, above.st_gid)
