"""The list of certificates that a CA issued: OpenSSL's ``index.txt``, or JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

# RFC 5280, section 5.3.1, in the spelling of OpenSSL, which ignores case.
REASONS = {
    "unspecified": 0,
    "keycompromise": 1,
    "cacompromise": 2,
    "affiliationchanged": 3,
    "superseded": 4,
    "cessationofoperation": 5,
    "certificatehold": 6,
    "removefromcrl": 8,
    "privilegewithdrawn": 9,
    "aacompromise": 10,
    # How OpenSSL's index tells the invocation of a hold, and two kinds of leaks.
    "holdinstruction": 6,
    "keytime": 1,
    "cakeytime": 2,
}
SIZE_LIMIT = 64 * 1024 * 1024
_INDEX_FIELDS = 6


class IndexFileError(Exception):
    """The list cannot be used; the text names file and line."""


class Status(Enum):
    """What a CA says of a certificate (RFC 6960, section 2.2)."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate in the list.

    ``ends`` is when it expires, 0 where the list does not say; ``reason`` is a
    number of RFC 5280, None where none is given.
    """

    status: Status
    ends: float = 0.0
    revoked_at: float = 0.0
    reason: int | None = None


UNKNOWN = Entry(Status.UNKNOWN)


class Index:
    """The list as it stands in its file now: read anew whenever that has changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._state: tuple[int, ...] | None = None
        self._entries: Mapping[int, Entry] = {}
        self._error: IndexFileError | None = None
        self.generation = 0

    def refresh(self) -> None:
        """Read the file if it is another than before.

        Raises IndexFileError, at each call, while it cannot be used: nothing is
        said of certificates by a list that may lack a revocation.
        """
        try:
            status = os.stat(self._path)
            state = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
            if state != self._state:
                self._state = state
                self._read()
        except OSError as error:
            self._state = None
            self._error = IndexFileError(f"{self._path}: {error.strerror}")
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        self.generation += 1
        try:
            with open(self._path, "rb") as file:
                octets = file.read(SIZE_LIMIT + 1)
            if len(octets) > SIZE_LIMIT:
                raise ValueError("the file is too large")
            self._entries = read_entries(octets.decode("utf-8", "surrogateescape"))
        except ValueError as error:
            self._error = IndexFileError(f"{self._path}: {error}")
        else:
            self._error = None

    def entry(self, serial: int, now: float) -> Entry:
        """Return what is said of a serial number."""
        found = self._entries.get(serial, UNKNOWN)
        if found.status is Status.GOOD and 0 < found.ends <= now:
            # Nobody revokes what has expired: nothing more is known of it.
            return UNKNOWN
        return found

    def serials(self) -> Iterator[int]:
        """Give the serial numbers of all certificates in the list."""
        yield from self._entries


def read_entries(text: str) -> dict[int, Entry]:
    """Return the certificates of a list, by serial number; raise ValueError."""
    if text.lstrip()[:1] == "{":
        return _read_json(text)
    entries: dict[int, Entry] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        try:
            serial, entry = _read_line(line.split("\t"))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if serial in entries:
            raise ValueError(f"line {number}: {serial:X} is there already")
        entries[serial] = entry
    return entries


def _read_line(fields: list[str]) -> tuple[int, Entry]:
    if len(fields) != _INDEX_FIELDS:
        raise ValueError(f"{len(fields)} fields where {_INDEX_FIELDS} are wanted")
    letter, ends, revoked, serial, *_ = fields
    if letter == "R":
        moment, _, rest = revoked.partition(",")
        name = rest.partition(",")[0]
        return _serial(serial), Entry(
            Status.REVOKED, _index_time(ends), _index_time(moment), _reason(name)
        )
    if letter == "V":
        return _serial(serial), Entry(Status.GOOD, _index_time(ends))
    if letter == "E":
        return _serial(serial), UNKNOWN
    raise ValueError(f"the first field is {letter!r}, not V, R or E")


def _serial(text: str) -> int:
    digits = text.replace(":", "")
    if not digits or digits.strip("0123456789abcdefABCDEF"):
        raise ValueError(f"{text!r} is no serial number")
    return int(digits, 16)


def _reason(name: str) -> int | None:
    if not name:
        return None
    reason = REASONS.get(name.lower())
    if reason is None:
        raise ValueError(f"{name!r} is no reason for a revocation")
    return reason


def _index_time(text: str) -> float:
    """Return the seconds of a UTCTime or GeneralizedTime."""
    form = "%y%m%d%H%M%SZ" if len(text) == 13 else "%Y%m%d%H%M%SZ"
    try:
        moment = datetime.strptime(text, form)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time") from error
    if form[1] == "y" and moment.year >= 2050:
        moment = moment.replace(year=moment.year - 100)
    return moment.replace(tzinfo=UTC).timestamp()


def _read_json(text: str) -> dict[int, Entry]:
    """Return the entries of ``{"certificates": {"0A": "good", ...}}``."""
    try:
        content = json.loads(text, object_pairs_hook=_only_once)
    except RecursionError as error:
        raise ValueError("too deep") from error
    certificates = content.get("certificates")
    if not isinstance(certificates, dict) or len(content) != 1:
        raise ValueError('an object with the one name "certificates" is wanted')
    entries: dict[int, Entry] = {}
    for serial, stated in certificates.items():
        try:
            number = _serial(serial)
            if number in entries:
                raise ValueError("it is there already")
            entries[number] = _json_entry(stated)
        except ValueError as error:
            raise ValueError(f"certificate {serial}: {error}") from error
    return entries


def _only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raise ValueError where it has a name twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a name twice")
    return found


def _json_entry(stated: Any) -> Entry:
    if isinstance(stated, str):
        stated = {"status": stated}
    names = {"status", "expires", "revoked", "reason"}
    if not isinstance(stated, dict) or not stated.keys() <= names:
        raise ValueError(f"an object of {', '.join(sorted(names))} is wanted")
    if not all(isinstance(value, str) for value in stated.values()):
        raise ValueError("all values are strings")
    status = Status(stated.get("status", ""))
    ends = _json_time(stated["expires"]) if "expires" in stated else 0.0
    if status is not Status.REVOKED:
        if "revoked" in stated or "reason" in stated:
            raise ValueError(f"{status.value}, and yet revoked")
        return Entry(status, ends)
    if "revoked" not in stated:
        raise ValueError('"revoked" is wanted: when it was')
    moment = _json_time(stated["revoked"])
    return Entry(status, ends, moment, _reason(stated.get("reason", "")))


def _json_time(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone (write Z for UTC)")
    return moment.timestamp()
