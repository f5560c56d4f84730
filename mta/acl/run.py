"""One evaluation of an ACL: what it looks at, what it may change, how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from mta.acl.effects import Controls
from mta.acl.header_changes import HeaderChanges
from mta.acl.registry import Phase
from mta.connection import Connection
from mta.errors import MTAError
from mta.expand.context import Context
from mta.interfaces import IAddressVerifier, ILogs
from mta.lists.matching import Match
from mta.message import Message
from mta.recipient import RoutedAddress


class ACLOutcome(Enum):
    """How an ACL, or one of its statements, ends."""

    ACCEPT = "accept"
    DENY = "deny"
    DEFER = "defer"
    DROP = "drop"
    DISCARD = "discard"
    ERROR = "error"


class ACLError(MTAError):
    """An ACL cannot be evaluated: the client is told to try again later."""


@dataclass(frozen=True, slots=True)
class ACLVerdict:
    """What an ACL says.

    ``message`` is for the client and ``log_message`` for the log, both as the ACL
    wrote them, codes included.  ``show_details`` says that the message of a DEFER
    may be read by the client.
    """

    outcome: ACLOutcome
    message: str = ""
    log_message: str = ""
    show_details: bool = False


@dataclass(slots=True, eq=False)
class SenderFailure:
    """A sender's verification that did not succeed.

    ``told`` once the client has been given the details; ``failure`` says how far the
    verification came.
    """

    address: str
    deferred: bool
    log_text: str
    user_text: str
    told: bool = False
    failure: str = ""


class ACLSubject(Protocol):
    """What conditions see and modifiers change: a client and its message.

    ``verifications`` remembers what addresses were found to be, ``warnings`` which
    warnings were written; ``early_message`` returns the message in hand, or one that
    holds ``acl_m`` variables until there is one.  ``connection_rates`` and
    ``message_rates`` are the rates that were measured once for either, by key.
    """

    connection: Connection
    message: Message | None
    controls: Controls
    header_changes: HeaderChanges
    verifications: dict[tuple[object, ...], Any]
    warnings: set[str]
    sender_failure: SenderFailure | None
    connection_rates: dict[str, float]
    message_rates: dict[str, float]
    flush: Callable[[], None] | None

    def early_message(self) -> Message:
        """Return the message in hand, or one that stands for it until it begins."""


@dataclass(slots=True, eq=False)
class ACLRun:
    """One evaluation: conditions and modifiers are called with it.

    ``acls`` finds ACLs by name.  ``sleep`` waits for seconds.  ``message`` and
    ``log_message`` are what the last failed condition said; ``show_details`` that a
    client may read the reason of a DEFER.  ``log_targets`` are the logs that a
    rejection is written to.  ``rates`` are those measured once for this command.
    """

    phase: Phase
    subject: ACLSubject
    context: Context
    acls: Any
    logs: ILogs
    verifier: IAddressVerifier | None = None
    sleep: Callable[[float], Awaitable[object]] | None = None
    recipient: RoutedAddress | None = None
    return_error_details: bool = False
    level: int = 0
    message: str = ""
    log_message: str = ""
    show_details: bool = False
    log_targets: tuple[str, ...] = ("main", "reject")
    rates: dict[str, float] = field(default_factory=dict)
    phase_bit: int = field(init=False)

    def __post_init__(self) -> None:
        self.phase_bit = self.phase.value

    @property
    def message_id(self) -> str:
        """The identifier of the message in hand, empty before it has one."""
        message = self.subject.message
        return message.message_id if message is not None else ""

    def keep(self, match: Match, variable: str) -> None:
        """Leave what a list gave for later expansions."""
        if match.value is not None:
            self.context.values[variable] = match.value
        if match.captures:
            self.context.captures = match.captures

    def explain(self, message: str, log_message: str = "") -> None:
        """Say why a condition fails, for the client and for the log."""
        self.message = message
        self.log_message = log_message or message
