"""Operators on times, and on files, whose times one asks for."""

from __future__ import annotations

import os
import stat as modes

from mta.errors import ExpansionError
from mta.expand.registry import operator
from mta.options import format_interval, parse_interval
from mta.taint import untainted


@operator("time_eval", taints=False)
def time_eval(text: str) -> str:
    """The seconds of an interval such as ``1h30m``."""
    try:
        return str(parse_interval(text))
    except ValueError as error:
        raise ExpansionError(str(error)) from error


@operator("time_interval", taints=False)
def time_interval(text: str) -> str:
    """A number of seconds as ``1w2d3h4m5s``."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise ExpansionError(f'"{text}" is not a positive number of seconds')
    return format_interval(int(text))


@operator("stat")
def stat(path: str) -> str:
    """What is known of a file: ``mode=0644 smode=-rw-r--r-- inode=...``."""
    path = untainted(path, "filename")
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise ExpansionError(f"stat({path}) failed: {error}") from error
    facts = {
        "mode": f"{status.st_mode & 0o7777:04o}",
        "smode": modes.filemode(status.st_mode),
        "inode": status.st_ino,
        "device": status.st_dev,
        "links": status.st_nlink,
        "uid": status.st_uid,
        "gid": status.st_gid,
        "size": status.st_size,
        "atime": int(status.st_atime),
        "mtime": int(status.st_mtime),
        "ctime": int(status.st_ctime),
    }
    return " ".join(f"{name}={value}" for name, value in facts.items())
