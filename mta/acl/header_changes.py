"""Header fields that ACLs add and remove (Exim chapter 43, "add_header")."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from mta.errors import ExpansionError
from mta.message import HeaderField, HeaderSection
from mta.options import split_list

# A line feed ends a field unless the next line continues it.
_FIELD_END = re.compile(r"\r?\n(?![ \t])")
_NAMED = re.compile(r"[!-9;-~]+:")


class FieldPosition(Enum):
    """Where an added field goes."""

    AT_START = "at_start"
    AFTER_RECEIVED = "after_received"
    AT_START_RFC = "at_start_rfc"
    AT_END = "at_end"


class AddedField(NamedTuple):
    """A field that waits to be added, in octets with CRLF."""

    position: FieldPosition
    content: bytes


class HeaderChanges:
    """The changes that wait to be made to the header section of one message.

    They are gathered before the content comes and again while it is judged; each
    time ``apply`` makes those that wait.
    """

    __slots__ = ("added", "removed")

    def __init__(self) -> None:
        self.added: list[AddedField] = []
        self.removed: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def add(self, text: str) -> None:
        """Gather the fields of ``add_header``'s text; one that waits is not doubled."""
        for field_text in _FIELD_END.split(text.strip("\r\n")):
            if field_text.strip():
                field = _added_field(field_text)
                if field not in self.added:
                    self.added.append(field)

    def remove(self, text: str) -> None:
        """Gather names, or patterns that begin with ``^``, of fields to take out.

        Raises ExpansionError for a pattern that cannot be used.
        """
        for item in split_list(text):
            if item.startswith("^"):
                _pattern(item)
            self.removed.append(item)

    @property
    def added_text(self) -> str:
        """The waiting fields, as ``$headers_added`` shows them."""
        return "".join(
            field.content.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
            for field in self.added
        ).removesuffix("\n")

    def apply(self, section: HeaderSection) -> None:
        """Make the waiting changes; removals first, so that added fields stay."""
        if self.removed:
            unwanted = [_matcher(item) for item in self.removed]
            section.keep(lambda field: not any(test(field) for test in unwanted))
        for position, content in self.added:
            section.insert(content, _place(section.fields, position))
        self.clear()

    def clear(self) -> None:
        """Forget the waiting changes."""
        if self.added:
            self.added = []
        if self.removed:
            self.removed = []


def _added_field(text: str) -> AddedField:
    position = FieldPosition.AT_END
    for candidate in FieldPosition:
        prefix = f":{candidate.value}:"
        if text.startswith(prefix):
            position, text = candidate, text[len(prefix) :].lstrip()
            break
    if not _NAMED.match(text):
        text = f"X-ACL-Warn: {text}"
    lines = str(text).replace("\r\n", "\n").replace("\r", " ").split("\n")
    content = "".join(f"{line}\r\n" for line in lines)
    return AddedField(position, content.encode("utf-8", "surrogateescape"))


def _pattern(item: str) -> re.Pattern[str]:
    try:
        return re.compile(str(item), re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise ExpansionError(
            f'remove_header: cannot use the pattern "{item}": {error}'
        ) from error


def _matcher(item: str) -> Callable[[HeaderField], bool]:
    if item.startswith("^"):
        pattern = _pattern(item)
        return lambda field: (
            pattern.search(field.content.decode("utf-8", "surrogateescape")) is not None
        )
    name = item.lower()
    if name.endswith("*"):
        start = name[:-1]
        return lambda field: field.name.lower().startswith(start)
    return lambda field: field.name.lower() == name


def _place(fields: list[HeaderField], position: FieldPosition) -> int:
    """Return the index at which a field is to be inserted."""
    if position is FieldPosition.AT_START:
        return 0
    if position is FieldPosition.AT_END:
        return len(fields)
    names = [field.name.lower() for field in fields]
    if position is FieldPosition.AFTER_RECEIVED:
        index = names.index("received") if "received" in names else 0
        while index < len(names) and names[index] == "received":
            index += 1
        return index
    for index, name in enumerate(names):
        if name != "received" and not name.startswith("resent-"):
            return index
    return len(names)
