"""One session under way: its client, its message, and what all sessions share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mta.connection import Connection
from mta.expand.context import Site
from mta.interfaces import ILogs
from mta.message import Message
from mta.reception.acceptance import Acceptance, ContentSink
from mta.reception.authentication import Authenticator, Exchange
from mta.reception.connections import Connections
from mta.reception.extensions import ExtensionOffer, Numbers
from mta.reception.options import SMTPOptions
from mta.reception.policy import Policy
from mta.reception.session_log import SessionLog
from mta.reception.standing import Standing
from mta.reception.tls import ServerCertificates
from mta.reception.transaction import Decision, Transaction
from mta.smtp.reply import Reply
from mta.smtp.server_replies import OwnReply
from mta.smtp.server_session import ServerSession
from mta.taint import Tainted


@dataclass(slots=True, kw_only=True)
class Shared:
    """What all sessions of one server share.

    ``greeting`` is the beginning of the default greeting.  ``constant_numbers`` are
    the limits, ``standing`` the treatment where they are the same for all.  ``clock`` gives seconds since the
    epoch, ``date_text`` a time as greetings show it.  ``within`` waits for something,
    but only so many seconds.
    """

    site: Site
    options: SMTPOptions
    policy: Policy
    acceptance: Acceptance
    tls: ServerCertificates | None
    logs: ILogs
    log: SessionLog
    offer: ExtensionOffer
    authenticators: Sequence[Authenticator]
    greeting: str
    constant_numbers: Numbers | None
    standing: Standing | None
    date_text: Callable[[float], str]
    clock: Callable[[], float]
    connections: Connections
    within: Callable[[float, Awaitable[Any]], Awaitable[Any]]

    def reason_to_queue(self, connection: Connection) -> str:
        """Return why a message is not delivered at once; empty where it is."""
        options = self.options
        count, limit = self.connections.count, options.smtp_accept_queue
        if 0 < limit < count:
            return f"too many connections ({count}, max {limit})"
        limit = options.smtp_accept_queue_per_connection
        if 0 < limit < connection.message_count:
            return f"more than {limit} messages received in one connection"
        return ""


class Wire(Protocol):
    """What a conversation needs of the connection under it."""

    def flush(self) -> None:
        """Send what the session has to say."""

    def begin_tls(self, tls: Any) -> None:
        """Begin a handshake as its server."""


class Conversation:
    """What is known of one session; the answers to its events change it.

    ``close_cause`` says how the session ended, for the log.  ``failure`` is the
    reply to content that could not be kept; ``queue_reason`` why the message in hand
    will not be delivered at once.  ``timeout`` is how long the client may say nothing, 0 for
    any time.
    """

    __slots__ = (
        "close_cause",
        "exchange",
        "failure",
        "is_logged",
        "numbers",
        "queue_reason",
        "session",
        "shared",
        "sink",
        "timeout",
        "transaction",
        "wire",
    )

    def __init__(
        self, shared: Shared, session: ServerSession, connection: Connection, wire: Wire
    ) -> None:
        self.shared = shared
        self.session = session
        self.wire = wire
        self.transaction = Transaction(shared.site, connection, flush=wire.flush)
        self.numbers = Numbers()
        self.sink: ContentSink | None = None
        self.close_cause = ""
        self.is_logged = True
        self.timeout = 300
        self.exchange: tuple[Authenticator, Exchange] | None = None
        self.failure: Reply | OwnReply | None = None
        self.queue_reason = ""

    @property
    def connection(self) -> Connection:
        """The client."""
        return self.transaction.connection

    @property
    def message(self) -> Message | None:
        """The message in hand."""
        return self.transaction.message

    def note_command(self) -> None:
        """Let ACLs and logs see the command that is being answered."""
        line = self.session.last_command.decode("utf-8", "surrogateescape")
        connection = self.transaction.connection
        connection.command = Tainted(line)
        connection.command_argument = Tainted(line.partition(" ")[2].strip(" \t"))

    def heed_controls(self) -> None:
        """Let the session follow what ACLs switched on or off."""
        controls = self.transaction.controls
        if controls.enforce_sync is not None:
            self.session.enforces_synchronization = controls.enforce_sync

    def refuse(self, decision: Decision) -> None:
        """Tell the session that policy refuses."""
        if decision.close:
            self.close_cause = "closed by DROP in ACL"
        self.session.refuse(decision.reply, close=decision.close)

    def give_up_message(self, why: str = "") -> None:
        """Forget the message in hand; ``why`` names the command that asked for it."""
        sink, self.sink = self.sink, None
        if sink is not None:
            sink.abandon()
        if why and self.message is not None:
            self.shared.log.incomplete(self.connection, self.message, why)
        self.transaction.reset()
