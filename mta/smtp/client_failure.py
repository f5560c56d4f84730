"""What a client is given, and how its session can end before its time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mta.errors import MTAError
from mta.smtp.reply import Reply


class Trouble(Enum):
    """What ended a session, or kept it from beginning."""

    CONNECT = "the connection could not be made"
    TIMEOUT = "the server did not answer in time"
    LOST = "the connection was lost"
    MALFORMED = "the server sent what is no reply"
    REFUSED = "the server refused the session"
    TLS = "TLS could not be negotiated"


class SessionFailure(MTAError):
    """The session with a server is over.

    ``command`` is what awaited a reply.  ``number`` is an errno, ``reply`` what the
    server said where it refused, ``text`` the malformed line or TLS's reason.
    """

    def __init__(
        self,
        trouble: Trouble,
        text: str = "",
        *,
        verb: str = "",
        command: str = "",
        number: int = 0,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(text or trouble.value)
        self.trouble = trouble
        self.text = text
        self.verb = verb
        self.command = command
        self.number = number
        self.reply = reply


class IContent(Protocol):
    """The whole content of a message, in CRLF lines."""

    @property
    def size(self) -> int:
        """Octets in all."""

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Give the octets in order, in pieces."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long a client waits, in seconds; 0 is without end (RFC 5321, 4.5.3.2)."""

    connect: float = 300
    command: float = 300
    data: float = 300
    final: float = 600
