"""What name look-ups give: an answer, and hosts to try."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Outcome(Enum):
    """How a look-up ended; the four cases must never be mixed up."""

    FOUND = "found"
    NO_DATA = "the name exists, but has no such record"
    NO_DOMAIN = "the name does not exist"
    AGAIN = "try again later"


@dataclass(frozen=True, slots=True)
class Answer:
    """The records that a name has.

    ``records`` hold plain values by kind: A, AAAA: text of an IP address; MX:
    ``(preference, name)``; PTR, CNAME, NS: a name; TXT: bytes; SRV: ``(priority,
    weight, port, name)``; TLSA: ``(usage, selector, matching type, bytes)``.  Names
    have no final dot.  ``secure`` says that a trusted resolver set the AD bit, for
    aliases on the way as well.  ``ttl`` is in seconds.  ``text`` says why an answer
    is AGAIN.  ``name`` is what has the records where an alias was asked for.
    """

    outcome: Outcome
    records: tuple[Any, ...] = ()
    secure: bool = False
    ttl: int = 0
    text: str = ""
    name: str = ""

    def __bool__(self) -> bool:
        return self.outcome is Outcome.FOUND


@dataclass(frozen=True, slots=True)
class Host:
    """A candidate to try.

    ``port`` is None where the transport's own port applies.  ``preference`` is the
    MX preference, -1 for a host that came from no MX record.  ``mail_domain`` is the
    domain whose MX record names it: hosts are the same whoever names them.  ``secure``
    says that DNSSEC vouches for all that led to the address, ``mx_secure`` that it does
    for the MX record; ``unasked`` that nobody was asked for its opinion.
    """

    name: str
    ip_address: str
    port: int | None = None
    preference: int = -1
    secure: bool = False
    mail_domain: str = field(default="", compare=False)
    mx_secure: bool = field(default=False, compare=False)
    unasked: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.name} [{self.ip_address}]"

    @property
    def lookup_dnssec(self) -> str:
        """``$lookup_dnssec_authenticated`` for the host."""
        return "" if self.unasked else "yes" if self.secure else "no"
