"""What a callout is to ask of the hosts that take mail for an address."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mta.address import NULL_PATH, Address


class CalloutSender(Enum):
    """Whose address the MAIL command of a callout has."""

    NULL = "the null reverse-path"
    GIVEN = "an address of the configuration"
    MESSAGE = "the sender of the message in hand"
    POSTMASTER = "the postmaster of the qualifying domain"


@dataclass(frozen=True, slots=True)
class Callout:
    """The parameters of a callout (Exim chapter 43, "Callout verification").

    The limits are in seconds: for a reply, for a connection (None: as for a reply),
    and for all hosts together (None: four times as for a reply).  ``defers_ok`` takes
    hosts that cannot be asked for a success.  ``uses_cache`` reads and keeps what
    was found.  ``random`` asks for a local part that cannot exist before,
    ``postmaster`` for the domain's postmaster after, with ``full_postmaster`` also
    without a domain, from ``postmaster_sender``.  ``given_sender`` belongs to
    ``CalloutSender.GIVEN``.
    """

    response_limit: float = 30.0
    connect_limit: float | None = None
    total_limit: float | None = None
    defers_ok: bool = False
    uses_cache: bool = True
    random: bool = False
    postmaster: bool = False
    full_postmaster: bool = False
    postmaster_sender: Address = NULL_PATH
    sender: CalloutSender = CalloutSender.NULL
    given_sender: Address = NULL_PATH


@dataclass(frozen=True, slots=True)
class CalloutAnswer:
    """What a host said to the command that decided a callout.

    ``command`` is empty for what it said when the connection began, ``reply`` is as
    it came, code included, its lines joined by line feeds, and empty where there was
    none.  An answer that was remembered may have neither address nor reply.
    """

    ip_address: str = ""
    port: int = 0
    command: str = ""
    reply: str = ""
    is_remembered: bool = False
