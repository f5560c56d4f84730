"""The dsearch look-up: is there an entry of a name in a directory?"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from mta.errors import ExpansionError
from mta.lookups.base import Lookup, Style, absolute, lookup, unreadable

_RETURNS = frozenset(("", "key", "full"))
_FILTERS = frozenset(("", "file", "dir", "subdir"))


@lookup("dsearch", style=Style.SINGLE_KEY, options=frozenset(("ret", "filter", "key")))
class DirectorySearch(Lookup):
    """Finds a directory entry, whose name it returns."""

    async def find(
        self, source: str, key: str, options: Mapping[str, str]
    ) -> str | None:
        """Return the entry's name, or with ``ret=full`` its path."""
        wanted, filter_name = options.get("ret", ""), options.get("filter", "")
        key_form = options.get("key", "")
        is_known = wanted in _RETURNS and filter_name in _FILTERS
        if not is_known or key_form not in ("", "path"):
            raise ExpansionError("unknown value of an option of dsearch")
        if not _is_allowed(key, key_form == "path", filter_name == "dir"):
            return None
        path = os.path.join(absolute(source, "dsearch"), key)
        mode = _entry_mode(source, path)
        if mode is None:
            return None
        if filter_name == "file" and not stat.S_ISREG(mode):
            return None
        if filter_name in ("dir", "subdir") and not stat.S_ISDIR(mode):
            return None
        return path if wanted == "full" else key


def _entry_mode(directory: str, path: str) -> int | None:
    """Return the mode of a directory's entry, None where there is none."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if not os.path.isdir(directory):
            raise unreadable(directory, "directory search", error) from error
        return None
    except OSError as error:
        raise unreadable(path, "directory search", error) from error


def _is_allowed(key: str, may_be_path: bool, may_be_dots: bool) -> bool:
    """Return whether a key names something below the directory.

    An outsider may choose the key, and the result is trusted: a key that leads out
    of the directory is never found.
    """
    if "\0" in key:
        return False
    if not may_be_path:
        return "/" not in key and (may_be_dots or key not in (".", ".."))
    return not key.startswith("/") and ".." not in key.split("/")
