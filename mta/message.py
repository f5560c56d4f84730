"""A message: envelope, recipients, header section and body."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from mta.address import NULL_PATH, Address
from mta.connection import Connection

# The next try of a message that waits for a queue run, or until it is thawed.
PARKED = 4102444800.0

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*")


@dataclass(slots=True)
class HeaderField:
    """One field of a header section.

    ``content`` is the whole field as on the wire, name and line ends (CRLF)
    included.
    """

    name: str
    content: bytes

    @property
    def value(self) -> bytes:
        """What follows the colon, unfolded lines kept, outer white space gone."""
        return self.content.partition(b":")[2].strip()


class HeaderSection:
    """The fields of a message, in order (RFC 5322, section 2.2).

    Made from octets with CRLF line ends, without the empty line that ends the
    section.  The fields are found when first asked for.
    """

    __slots__ = ("_content", "_fields")

    def __init__(self, content: bytes = b"") -> None:
        self._content: bytes | None = content
        self._fields: list[HeaderField] | None = None

    @property
    def content(self) -> bytes:
        """The whole section in octets, without the empty line."""
        if self._content is None:
            assert self._fields is not None
            self._content = b"".join(field.content for field in self._fields)
        return self._content

    @property
    def fields(self) -> list[HeaderField]:
        """The fields; change the list only through the methods of this class."""
        if self._fields is None:
            assert self._content is not None
            self._fields = [
                HeaderField(match[1].decode("ascii"), match[0])
                for match in _FIELD.finditer(self._content)
            ]
        return self._fields

    def named(self, name: str) -> list[HeaderField]:
        """Return every field of a name, without regard to case."""
        wanted = name.lower()
        return [field for field in self.fields if field.name.lower() == wanted]

    def insert(self, content: bytes, position: int = 0) -> None:
        """Put one field (octets with CRLF) at a position, the top by default."""
        name = content.partition(b":")[0].strip().decode("ascii", "replace")
        self.fields.insert(position, HeaderField(name, content))
        self._content = None

    def append(self, content: bytes) -> None:
        """Put one field at the end of the section."""
        self.insert(content, len(self.fields))

    def remove(self, name: str) -> None:
        """Take every field of a name out of the section."""
        wanted = name.lower()
        self._fields = [f for f in self.fields if f.name.lower() != wanted]
        self._content = None

    def keep(self, wanted: Callable[[HeaderField], bool]) -> None:
        """Take every field that is not wanted out of the section."""
        self._fields = [field for field in self.fields if wanted(field)]
        self._content = None


class IBody(Protocol):
    """The content after the header section, in CRLF lines, however it is kept."""

    @property
    def size(self) -> int:
        """Octets in all."""

    @property
    def inline(self) -> bytes | None:
        """The octets, where they are kept in memory; else None."""

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Give the octets in order, in pieces of at most ``size``."""


@dataclass(slots=True)
class Bytes:
    """A body that is wholly in memory."""

    inline: bytes = b""

    @property
    def size(self) -> int:
        """Octets in all."""
        return len(self.inline)

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Give the octets in order, in pieces of at most ``size``."""
        for start in range(0, len(self.inline), size):
            yield self.inline[start : start + size]


@dataclass(slots=True)
class Recipient:
    """One recipient of an envelope and how far its delivery has come.

    ``notify`` holds RFC 3461 words (NEVER, or SUCCESS, FAILURE, DELAY), empty where
    none were given.  ``done`` means delivered, failed and reported, or discarded:
    no more is owed to it.  ``done_children`` are the keys of child addresses
    (aliases' targets) that are done while others are not.  ``reason`` says why it was
    not delivered when that was last tried.
    """

    address: Address
    notify: tuple[str, ...] = ()
    original: str = ""
    errors_to: str | None = None
    done: bool = False
    done_children: list[str] = field(default_factory=list)
    reason: str = ""


@dataclass(slots=True)
class Message:
    """A message from the moment its envelope begins to its completion.

    ``received_at`` is in seconds since the epoch, ``size`` in octets as on the wire
    (header section, empty line and body).  ``connection`` is what was known of the
    client.  ``body_type`` is 7BIT, 8BITMIME or empty.  ``warnings`` counts the
    delay warnings sent.  ``acl_variables`` are the ``acl_m`` ones, by the text
    after ``acl_``.  ``requiretls`` lets it go over verified TLS alone, ``tls_optional``
    however little TLS comes about (RFC 8689).
    """

    message_id: str = ""
    sender: Address = NULL_PATH
    recipients: list[Recipient] = field(default_factory=list)
    header: HeaderSection = field(default_factory=HeaderSection)
    body: IBody = field(default_factory=Bytes)
    connection: Connection = field(default_factory=Connection)
    received_at: float = 0.0
    declared_size: int = 0
    body_type: str = ""
    smtputf8: bool = False
    dsn_return: str = ""
    envelope_id: str = ""
    acl_variables: dict[str, str] = field(default_factory=dict)
    frozen: bool = False
    frozen_at: float = 0.0
    manually_thawed: bool = False
    queue_only: bool = False
    local_error: bool = False
    warnings: int = 0
    original_message_id: str = ""
    sender_verified: bool = False
    authenticated_sender: str = ""
    bounce_recipient: str = ""
    line_count: int = 0
    max_line_length: int = 0
    requiretls: bool = False
    tls_optional: bool = False

    @property
    def size(self) -> int:
        """Octets of the whole content."""
        return len(self.header.content) + 2 + self.body.size
