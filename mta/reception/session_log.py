"""What the main log says of connections and of sessions that go wrong."""

from __future__ import annotations

from twisted.python.failure import Failure

from mta.acl.log_text import host_and_ident, tls_fields
from mta.address import Address, from_wire
from mta.connection import Connection
from mta.expand.variables.connection import sender_fullhost
from mta.interfaces import ILogs
from mta.message import Message
from mta.smtp.server_replies import BAD_HELO
from mta.smtp.server_states import Dropped, ErrorNoted


class SessionLog:
    """Writes the lines of one listener's sessions, in Exim's words."""

    def __init__(self, logs: ILogs) -> None:
        self.logs = logs
        self._connections = logs.selects("smtp_connection")
        self._no_mail = logs.selects("smtp_no_mail")
        self._lost = logs.selects("lost_incoming_connection")
        self._incomplete = logs.selects("smtp_incomplete_transaction")

    def connected(self, connection: Connection, count: int) -> None:
        """A connection was accepted."""
        if self._connections:
            self.logs.main(
                f"SMTP connection from [{connection.peer_address}] "
                f"(TCP/IP connection count = {count})"
            )

    def refused(self, ip_address: str, reason: str) -> None:
        """A connection was sent away before anything else was looked at."""
        self.logs.main(f"Connection from [{ip_address}] refused: {reason}")

    def host_rejected(self, connection: Connection) -> None:
        """A connection was sent away for its host's name or address."""
        if self.logs.selects("connection_reject"):
            name = _name(connection)
            self.logs.reject(f"refused connection from {name} (host_reject_connection)")

    def not_reserved(self, connection: Connection, reason: str) -> None:
        """A connection was sent away since the last slots are for others."""
        name = _name(connection)
        self.logs.reject(f"temporarily refused connection from {name}: {reason}")

    def helo_refused(self, connection: Connection, *, temporarily: bool) -> None:
        """The name in HELO is not the client's own."""
        word = "temporarily rejected" if temporarily else "rejected"
        self.logs.reject(
            f"{host_and_ident(connection, self.logs)} {word} "
            f'"{connection.command}": EHLO argument does not match calling host'
        )

    def too_many_messages(self, connection: Connection) -> None:
        """One more message was wanted than a connection may bring."""
        self.logs.reject(
            f"rejected MAIL command {host_and_ident(connection, self.logs)}: "
            "too many messages in one connection"
        )

    def unqualified(self, connection: Connection, name: str, local_part: str) -> None:
        """An address without a domain came from a host that may not give one."""
        self.logs.reject(
            f"unqualified {name} rejected: <{local_part}> "
            f"{host_and_ident(connection, self.logs)}"
        )

    def too_big(
        self, connection: Connection, sender: Address, size: int, limit: int
    ) -> None:
        """MAIL declared more octets than a message may have."""
        if self.logs.selects("size_reject"):
            self.logs.reject(
                f"{host_and_ident(connection, self.logs)} rejected MAIL "
                f"<{sender.text}>: message too big: size={size} max={limit}"
            )

    def too_big_message(self, message: Message, limit: int) -> None:
        """More octets came than a message may have."""
        if self.logs.selects("size_reject"):
            client = host_and_ident(message.connection, self.logs)
            self.logs.reject(
                f"rejected from <{message.sender.text}> {client}: "
                f"message too big: max={limit}",
                message.message_id,
            )

    def mail_auth_ignored(self, connection: Connection, claimed: str) -> None:
        """The AUTH parameter of MAIL is not believed."""
        self.logs.main(
            f"ignoring AUTH={claimed} from {_name(connection)} "
            "(client not authenticated)"
        )

    def authentication_failed(
        self, connection: Connection, name: str, reply: str, identity: str
    ) -> None:
        """An exchange of AUTH ended without success."""
        who = f" (set_id={identity})" if identity else ""
        client = host_and_ident(connection, self.logs)
        self.logs.reject(f"{name} authenticator failed for {client}: {reply}{who}")

    def ended(
        self,
        connection: Connection,
        cause: str,
        now: float,
        *,
        is_logged: bool,
        history: tuple[str, ...] = (),
    ) -> None:
        """A session is over; ``cause`` is ``closed by QUIT`` and the like."""
        if self._connections and is_logged:
            text = f"SMTP connection from {_name(connection)} {cause}"
            self.logs.main(f"{text} {_duration(connection, now)}".rstrip())
        if self._no_mail and not connection.message_count and is_logged:
            self._without_mail(connection, now, history)

    def _without_mail(
        self, connection: Connection, now: float, history: tuple[str, ...]
    ) -> None:
        text = f"no MAIL in SMTP connection from {_name(connection)}"
        text += f" {_duration(connection, now)}"
        if connection.authenticator:
            text += f" A={connection.authenticator}"
        text += tls_fields(connection, self.logs)
        if history:
            text += f" C={','.join(history)}"
        self.logs.main(text)

    def lost(
        self, connection: Connection, message: Message, now: float, *, in_content: bool
    ) -> None:
        """The client vanished in the middle of a transaction."""
        if not self._lost:
            return
        name, took = _name(connection), _duration(connection, now)
        if in_content:
            text = f"SMTP connection from {name} lost while reading message data"
        else:
            text = f"unexpected disconnection while reading SMTP command from {name}"
        self.logs.main(f"{text} F=<{message.sender.text}> {took}")

    def timed_out(
        self,
        connection: Connection,
        message: Message | None,
        now: float,
        *,
        in_content: bool,
    ) -> None:
        """The client said nothing for too long."""
        name = _name(connection)
        took = _duration(connection, now)
        if in_content and message is not None:
            self.logs.main(
                "SMTP data timeout (message abandoned) on connection from "
                f"{name} F=<{message.sender.text}> {took}"
            )
        else:
            tls = " TLS" if connection.tls is not None else ""
            text = f"SMTP command timeout on{tls} connection from {name} {took}"
            self.logs.main(text)

    def dropped(self, connection: Connection, drop: Dropped) -> None:
        """The session was ended for what the client did."""
        client = host_and_ident(connection, self.logs)
        if drop.reason == "synchronization-error":
            command = _text(drop.command)
            self.logs.reject(
                f"SMTP protocol synchronization error ({drop.text}): rejected "
                f'"{command}" {client} next input="{_text(drop.pending)}"'
            )
        else:
            name = client.removeprefix("H=")
            self.logs.reject(f"SMTP call from {name} dropped: {drop.text}")

    def talked_early(self, connection: Connection, pending: bytes) -> None:
        """The client did not wait for the greeting."""
        self.logs.reject(
            "SMTP protocol synchronization error (input sent without waiting for "
            f"greeting): rejected connection from "
            f'{host_and_ident(connection, self.logs)} input="{_text(pending)}"'
        )

    def erred(self, connection: Connection, error: ErrorNoted) -> None:
        """The client broke syntax or sequence."""
        verb, _, argument = _text(error.command).partition(" ")
        if error.text == BAD_HELO.format(verb=verb.upper()):
            argument = argument.strip() or "(no argument given)"
            self.logs.reject(
                f"rejected {verb.upper()} from {_name(connection)}: "
                f"syntactically invalid argument(s): {argument}"
            )
        elif self.logs.selects(error.selector):
            name = error.selector.removeprefix("smtp_").replace("_", " ")
            text = error.text.replace("\n", " ")
            self.logs.main(
                f'SMTP {name} in "{_text(error.command)}" '
                f"{host_and_ident(connection, self.logs)} {text}"
            )

    def incomplete(
        self, connection: Connection, message: Message | None, why: str
    ) -> None:
        """A transaction was given up before its content came."""
        if not self._incomplete or message is None:
            return
        text = (
            f"{host_and_ident(connection, self.logs)} incomplete transaction ({why}) "
            f"from <{message.sender.text}>"
        )
        if message.recipients:
            names = " ".join(r.address.text for r in message.recipients)
            text += f" for {names}"
        self.logs.main(text)

    def tls_failed(self, connection: Connection, where: str, reason: str) -> None:
        """TLS could not be set up, or its handshake failed."""
        self.logs.main(
            f"TLS error on connection from {_name(connection)} ({where}): {reason}"
        )

    def unverified(self, connection: Connection, problem: str) -> None:
        """The client's certificate could not be verified."""
        self.logs.main(f"[{connection.peer_address}] SSL verify error: {problem}")


def _name(connection: Connection) -> str:
    return sender_fullhost(connection) or "local caller"


def _duration(connection: Connection, now: float) -> str:
    return f"D={max(0.0, now - connection.started_at):.3f}s"


def _text(octets: bytes) -> str:
    return from_wire(octets[:150])


def handshake_failure(reason: Failure) -> str:
    """Return what OpenSSL says of a handshake that failed."""
    queue = (
        reason.value.args[0] if reason.value is not None and reason.value.args else ""
    )
    if isinstance(queue, list) and queue:
        return str(queue[-1][-1])
    return "the connection was lost in the handshake"
