"""MTA-STS (RFC 8461): what a domain says of its mail hosts; pure, on bytes."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

# RFC 8461, section 3.3 suggests the size, section 3.2 has the greatest age.
SIZE_LIMIT = 65536
GREATEST_AGE = 31_557_600
# A policy that is to live for less would be fetched anew for each message.
LEAST_AGE = 60

_ALPHANUMERIC = frozenset(string.ascii_letters + string.digits)
_NAME_CHARACTERS = _ALPHANUMERIC | frozenset("_-.")
_VALUE_CHARACTERS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset("=;")
_CONTROLS = frozenset(map(chr, range(0x20))) | {"\x7f"}
_LABEL_CHARACTERS = frozenset(string.ascii_lowercase + string.digits + "-")
_START = b"v=STSv1;"
_TEXT_LIMIT = 200
# "_mta-sts." in front of it must leave a name that the DNS can hold.
_DOMAIN_LIMIT = 253 - len("_mta-sts.")


class Mode(Enum):
    """What a domain wants of hosts that do not fit its policy."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


# The words of RFC 8460, section 4.3, for policies that are not to be had.
FETCH_ERROR = "sts-policy-fetch-error"
POLICY_INVALID = "sts-policy-invalid"
WEBPKI_INVALID = "sts-webpki-invalid"


class InvalidPolicy(ValueError):
    """A policy file that is none; the text says why."""


class FetchFailure(Exception):
    """A policy that is announced cannot be had.

    ``result_type`` is the word that a TLS report has for it.
    """

    def __init__(self, text: str, result_type: str = FETCH_ERROR) -> None:
        super().__init__(text[:_TEXT_LIMIT])
        self.result_type = result_type


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it was fetched.

    ``max_age`` is in seconds and within our bounds; ``mx`` are patterns in lower
    case; ``lines`` are those of the file.
    """

    mode: Mode
    max_age: int
    mx: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        """True where hosts are held against it."""
        return self.mode is not Mode.NONE

    def allows(self, host_name: str) -> bool:
        """Return whether a mail host is among those that the domain names."""
        name = host_name.removesuffix(".").lower()
        return any(_fits(pattern, name) for pattern in self.mx)


def _fits(pattern: str, name: str) -> bool:
    """Return whether a pattern, whose ``*`` is one label, is for a name."""
    if not pattern.startswith("*."):
        return pattern == name
    label, _, rest = name.partition(".")
    return bool(label) and rest == pattern[2:]


def is_domain(text: str) -> bool:
    """Return whether a text is a domain, in ASCII and lower case, to ask about.

    Names of a single label have no policy, since nobody certifies a host below them,
    nor have IP addresses.
    """
    top = text.rpartition(".")[2]
    return (
        len(text) <= _DOMAIN_LIMIT
        and len(top) < len(text)
        and not top.isdigit()
        and _is_host_name(text)
    )


def _is_host_name(text: str) -> bool:
    labels = text.split(".")
    return len(text) <= 253 and all(
        0 < len(label) <= 63
        and _LABEL_CHARACTERS.issuperset(label)
        and label[0] != "-"
        and label[-1] != "-"
        for label in labels
    )


def record_id(records: Iterable[bytes]) -> str:
    """Return the id in the TXT records of ``_mta-sts.DOMAIN``; empty without one.

    Of several records with the version none counts, nor does one that breaks the
    grammar (RFC 8461, section 3.1).
    """
    ours = [record for record in records if record.startswith(_START)]
    if len(ours) != 1:
        return ""
    try:
        text = ours[0].decode("ascii")
    except UnicodeDecodeError:
        return ""
    found = ""
    fields = [field.strip(" \t") for field in text.split(";")[1:]]
    if not fields[-1]:
        del fields[-1]
    for field in fields:
        name, _, value = field.partition("=")
        if not (_is_name(name) and value and _VALUE_CHARACTERS.issuperset(value)):
            return ""
        # Of several the first counts, whatever the others are.
        if name == "id" and not found:
            if len(value) > 32 or not _ALPHANUMERIC.issuperset(value):
                return ""
            found = value
    return found


def parse_policy(octets: bytes) -> Policy:
    """Return the policy in a file; raise InvalidPolicy."""
    if len(octets) > SIZE_LIMIT:
        raise InvalidPolicy(f"it has more than {SIZE_LIMIT} octets")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidPolicy("it is not UTF-8") from None
    lines = tuple(_lines(text))
    values: dict[str, str] = {}
    patterns: list[str] = []
    for line in lines:
        name, value = _field(line)
        if name == "mx":
            patterns.append(_pattern(value))
        else:
            # All but the first of a name are ignored.
            values.setdefault(name, value)
    if _needed(values, "version") != "STSv1":
        raise InvalidPolicy("its version is not STSv1")
    mode = _mode(_needed(values, "mode"))
    if not patterns and mode is not Mode.NONE:
        raise InvalidPolicy("it has no mx")
    once = tuple(dict.fromkeys(patterns))
    return Policy(mode, _age(_needed(values, "max_age")), once, lines)


def _lines(text: str) -> Iterator[str]:
    """Give the lines that say something; CR alone ends none."""
    for line in text.split("\n"):
        said = line.removesuffix("\r").rstrip(" \t")
        if said:
            yield said


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _is_name(name):
        raise InvalidPolicy("a line is not like name: value")
    value = value.lstrip(" \t")
    if not value or not _CONTROLS.isdisjoint(value):
        raise InvalidPolicy(f"{name} has no value that can be one")
    return name, value


def _is_name(name: str) -> bool:
    return (
        0 < len(name) <= 32
        and name[0] in _ALPHANUMERIC
        and _NAME_CHARACTERS.issuperset(name)
    )


def _pattern(value: str) -> str:
    pattern = value.lower()
    if not _is_host_name(pattern.removeprefix("*.")):
        # A name outside ASCII must come as A-labels.
        raise InvalidPolicy("an mx is no host name, and no *. before one")
    return pattern


def _needed(values: dict[str, str], name: str) -> str:
    try:
        return values[name]
    except KeyError:
        raise InvalidPolicy(f"it has no {name}") from None


def _mode(value: str) -> Mode:
    try:
        return Mode(value)
    except ValueError:
        raise InvalidPolicy("its mode is not enforce, testing or none") from None


def _age(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 10):
        raise InvalidPolicy("its max_age is not a number of seconds")
    return min(max(int(value), LEAST_AGE), GREATEST_AGE)
