"""One client and the message in hand: what ACLs and expansions see of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mta.acl.effects import Controls
from mta.acl.header_changes import HeaderChanges
from mta.acl.run import SenderFailure
from mta.connection import Connection
from mta.expand.context import Context, Site
from mta.message import Message
from mta.recipient import RoutedAddress
from mta.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says of a command, a connection or a message.

    ``reply`` is None where the session's own text is to be sent.  ``close`` ends the
    connection after the reply.  ``discard`` comes with ``accepted``: the client is
    told yes, and the recipient (or the whole message) is forgotten; ``log_text`` is
    then what the ACL gave for the log.
    """

    accepted: bool
    reply: Reply | None = None
    close: bool = False
    discard: bool = False
    log_text: str = ""


@dataclass(slots=True, eq=False)
class Transaction:
    """A client, from its connection to its end, and the message it is sending.

    ``controls`` and ``header_changes`` hold what ACLs ask for; ``flush`` sends the
    replies that wait, before an ACL's delay.  ``values`` are what conditions leave
    for later expansions (``sender_data`` ...).  ``is_discarded`` is set where the
    MAIL ACL said that all recipients are to be forgotten, ``discard_log_text`` is what
    it said of that for the log.
    """

    site: Site
    connection: Connection
    message: Message | None = None
    controls: Controls = field(default_factory=Controls)
    header_changes: HeaderChanges = field(default_factory=HeaderChanges)
    values: dict[str, str] = field(default_factory=dict)
    verifications: dict[tuple[object, ...], Any] = field(default_factory=dict)
    warnings: set[str] = field(default_factory=set)
    sender_failure: SenderFailure | None = None
    connection_rates: dict[str, float] = field(default_factory=dict)
    message_rates: dict[str, float] = field(default_factory=dict)
    flush: Callable[[], None] | None = None
    stand_in: Message | None = None
    is_discarded: bool = False
    discard_log_text: str = ""

    def context(self, address: RoutedAddress | None = None) -> Context:
        """Return what expansions see now; ``address`` is the recipient in hand."""
        return Context(
            self.site,
            self.connection,
            self.message or self.stand_in,
            address,
            values=self.values,
        )

    def early_message(self) -> Message:
        """Return the message in hand, or one that stands for it until it begins."""
        if self.message is not None:
            return self.message
        if self.stand_in is None:
            self.stand_in = Message(connection=self.connection)
        return self.stand_in

    def reset(self) -> None:
        """Forget the message in hand: at MAIL, RSET, EHLO, STARTTLS and its end.

        The ``acl_m`` variables go with it, as do verifications and warnings (Exim
        chapter 43, section 13).
        """
        self.message = None
        self.stand_in = None
        self.is_discarded = False
        self.sender_failure = None
        self.controls.reset_message()
        self.header_changes.clear()
        if self.values:
            self.values = {}
        if self.verifications:
            self.verifications = {}
        if self.message_rates:
            self.message_rates = {}
        if self.warnings:
            self.warnings = set()
