"""What must hold before a router is used (Exim chapter 3, "Router preconditions")."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from mta.errors import ForcedFailure, TemporaryFailure
from mta.expand.context import Context
from mta.expand.option_types import ItemsExpanded, SeparateTemplates, template_of
from mta.interfaces import ITemplate
from mta.options import Source, split_list
from mta.taint import untainted

_FALSE_WORDS = frozenset(("", "0", "no", "false"))


def is_true(text: str) -> bool:
    """Return the truth of a router's condition: all words but four are true."""
    return text.lower() not in _FALSE_WORDS


def prefix_length(local_part: str, prefixes: Sequence[str]) -> tuple[int, int]:
    """Return how long the first prefix of the list is that the local part has.

    The second number is the length of what its asterisk stands for.  Both are -1
    where no prefix fits.
    """
    lowered = local_part.lower()
    for prefix in prefixes:
        text = prefix.lower()
        if text.startswith("*"):
            # Exim chapter 15: an asterisk stands for as much as it can.
            start = lowered.rfind(text[1:])
            if start >= 0:
                return start + len(text) - 1, start
        elif lowered.startswith(text):
            return len(text), 0
    return -1, -1


def suffix_length(local_part: str, suffixes: Sequence[str]) -> tuple[int, int]:
    """Return how long the first suffix of the list is that the local part has.

    As ``prefix_length``; the asterisk is at the end.
    """
    lowered = local_part.lower()
    for suffix in suffixes:
        text = suffix.lower()
        if text.endswith("*"):
            start = lowered.find(text[:-1])
            if start >= 0:
                length = len(lowered) - start
                return length, length - len(text) + 1
        elif lowered.endswith(text):
            return len(text), 0
    return -1, -1


def local_user(local_part: str) -> pwd.struct_passwd | None:
    """Return the account of a name, None where there is none."""
    try:
        return pwd.getpwnam(local_part)
    except (KeyError, ValueError):
        return None


class _VariablesType:
    name = "string list"

    def parse(self, text: str, source: Source) -> list[tuple[str, ITemplate]]:
        """Return the variables' names and templates of ``r_name = text``."""
        found = []
        for item in split_list(text, ";"):
            name, equals, value = item.partition("=")
            name = name.strip()
            if not equals or not name.startswith("r_"):
                raise source.error(f'"{item}" is not of the form r_NAME = text')
            found.append((name, template_of(value.strip(), source)))
        return found


Variables = _VariablesType()
FileChecks = ItemsExpanded()


@dataclass(slots=True)
class _Reader:
    """Whose access to files is looked at."""

    uid: int
    gid: int


async def required_files_exist(files: SeparateTemplates, context: Context) -> bool:
    """Return whether the files of ``require_files`` are as it says.

    Raises TemporaryFailure where that cannot be known now.
    """
    reader: _Reader | None = None
    for template in files.templates:
        try:
            text = (await template.expand(context)).strip()
        except ForcedFailure:
            continue
        if not text:
            continue
        if "/" not in text:
            reader = _reader(text)
            if reader is None:
                return False
        elif not _is_as_required(text, reader):
            return False
    return True


def _reader(text: str) -> _Reader | None:
    name, comma, group = (part.strip() for part in text.partition(","))
    try:
        account = None if name.isdecimal() else pwd.getpwnam(name)
        uid = int(name) if account is None else account.pw_uid
        gid = -1 if account is None else account.pw_gid
        if comma:
            gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        return None
    return _Reader(uid, gid)


def _is_as_required(text: str, reader: _Reader | None) -> bool:
    must_exist = not text.startswith("!")
    path = text.lstrip("!").strip()
    # A plus sign: what may not be looked at counts as absent.
    lenient = path.startswith("+")
    path = untainted(path.lstrip("+").strip(), "file name for require_files")
    if not path.startswith("/"):
        raise TemporaryFailure(
            "Temporary local problem",
            log_text=f'require_files: "{path}" is not an absolute path',
        )
    return _exists(path, reader, lenient) == must_exist


def _exists(path: str, reader: _Reader | None, lenient: bool) -> bool:
    try:
        os.stat(path)
        if reader is None or reader.uid == 0:
            return True
        _check_access(path, reader)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if isinstance(error, PermissionError) and lenient:
            return False
        text = f"require_files: error for {path}: {error.strerror}"
        raise TemporaryFailure("Temporary local problem", log_text=text) from error
    return True


def _check_access(path: str, reader: _Reader) -> None:
    """Raise PermissionError where the mode bits keep the reader out."""
    parts = path.strip("/").split("/")
    for count in range(1, len(parts) + 1):
        place = "/" + "/".join(parts[:count])
        status = os.stat(place)
        wanted = 1 if stat.S_ISDIR(status.st_mode) and count < len(parts) else 4
        if status.st_uid == reader.uid:
            wanted <<= 6
        elif status.st_gid == reader.gid:
            wanted <<= 3
        if not status.st_mode & wanted:
            raise PermissionError(13, "Permission denied", place)
