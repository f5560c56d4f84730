"""One connection of the ESMTP server: octets to a session, replies to the client.

One write goes out for each piece of input.  Reading stops while a decision is
pending and much input waits, or while the client does not take its replies.
"""

from __future__ import annotations

import traceback
from collections.abc import Coroutine
from typing import Any
from typing import Protocol as Interface

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from mta.connection import Connection
from mta.reception.conversation import Conversation, Shared
from mta.reception.dialogue import ANSWERS
from mta.reception.opening import greet, open_session
from mta.reception.session_log import handshake_failure
from mta.reception.wire import Wire
from mta.smtp.refused_session import RefusedSession
from mta.smtp.reply import Reply
from mta.smtp.server_replies import LOCAL_PROBLEM
from mta.smtp.server_session import ServerSession
from mta.smtp.server_states import State
from mta.smtp.server_verbs import SessionRules
from mta.tls_remains import release_tls

BACKLOG = 65536
TURN_LENGTH = 50  # events of one client, before others are heard
CLOSING_LIMIT = 30.0
TOO_MANY = Reply(
    421, ("Too many concurrent SMTP connections; please try again later.",)
)
LOST_IN_HANDSHAKE = "lost in TLS handshake"
# What $smtp_notquit_reason is for the causes that are not told where they arise.
NOT_QUIT_REASONS = {
    "": "connection-lost",
    "closed by DROP in ACL": "acl-drop",
    LOST_IN_HANDSHAKE: "tls-failed",
}


class Server(Interface):
    """What a connection needs of the factory that made it."""

    shared: Shared
    rules: SessionRules
    clock: Any
    tls_on_connect: bool

    def describe(self, transport: Any) -> Connection:
        """Return what a transport tells of a client."""

    def enter(self, protocol: ESMTPProtocol, connection: Connection) -> bool:
        """Count a connection; return whether there is room for it."""

    def leave(self, protocol: ESMTPProtocol) -> None:
        """Count a connection that has ended."""


@implementer(IHandshakeListener)
class ESMTPProtocol(Wire):
    """One client's connection.

    ``heard_at`` is the reactor's time of the last octets.
    """

    factory: Any
    server: Server
    conversation: Conversation | None = None
    heard_at = 0.0
    ip_address = ""
    _tls: Any = None
    _is_busy = False
    _is_closing = False
    _is_lost = False
    _is_handshaking = False
    _awaits_greeting = False
    _is_dismissed = False

    # Called by Twisted.

    def connectionMade(self) -> None:
        """Greet the client, or send it away."""
        server, transport = self.server, self.transport
        connection = server.describe(transport)
        self.ip_address = connection.peer_address
        self.attach()
        self.heard_at = server.clock.seconds()
        if not server.enter(self, connection):
            self.send(b"" if server.tls_on_connect else TOO_MANY.encode())
            self._is_closing = True
            transport.loseConnection()
            return
        kind = ServerSession
        if connection.proxy is not None and connection.proxy.has_failed:
            kind = RefusedSession
        session = kind(server.rules)
        self.conversation = Conversation(server.shared, session, connection, self)
        if server.tls_on_connect:
            # What the client sends first is the handshake's.
            transport.pauseProducing()
        opening = open_session(self.conversation, on_connect=server.tls_on_connect)
        self._proceed(self._begin(self.conversation, opening))

    def dataReceived(self, data: bytes) -> None:
        """Answer what the client sent, unless an answer is still pending."""
        conversation = self.conversation
        if conversation is None or self._is_closing:
            return
        self.heard_at = self.server.clock.seconds()
        conversation.session.feed(data)
        if not self._is_busy:
            self._proceed(self._converse(conversation))
        elif len(conversation.session.input) > BACKLOG and not self._is_backlogged:
            self._is_backlogged = True
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the session; what waits for a decision ends after it."""
        self.server.leave(self)
        self._is_lost = True
        if self._tls is not None:
            release_tls(self.transport)
        conversation = self.conversation
        if conversation is None:
            return
        if self._is_handshaking:
            self._tell_failed_handshake(conversation.connection, reason)
            conversation.close_cause = LOST_IN_HANDSHAKE
        if not self._is_busy:
            self._proceed(self._end(conversation))

    def _tell_failed_handshake(self, connection: Connection, reason: Failure) -> None:
        log, tls = self.server.shared.log, self._tls
        if tls.problem:
            log.unverified(connection, tls.problem)
        if connection.proxy is None or not connection.proxy.is_local:
            # A balancer's health check ends before it begins with TLS.
            text = tls.refusal or handshake_failure(reason)
            log.tls_failed(connection, "SSL_accept", text)

    def handshakeCompleted(self) -> None:
        """Go on inside TLS."""
        conversation, tls = self.conversation, self._tls
        if conversation is None or tls is None or self._is_closing:
            return
        handle = self.transport.getHandle()
        if tls.lacks_protocol(handle):
            self._refuse_handshake("ALPN required but not negotiated")
            return
        self._is_handshaking = False
        self.heard_at = self.server.clock.seconds()
        try:
            conversation.connection.tls = tls.facts(
                handle, on_connect=self._awaits_greeting
            )
        except Exception as error:
            self._fail(error)
            self._flush_and_close(conversation)
            return
        if tls.problem:
            self.server.shared.log.unverified(conversation.connection, tls.problem)
        self.watch_buffer()
        if self._awaits_greeting:
            self._awaits_greeting = False
            self._proceed(self._begin(conversation, greet(conversation)))

    # Called by the conversation and the factory.

    def flush(self) -> None:
        """Send what the session has to say."""
        conversation = self.conversation
        if conversation is not None and conversation.session.output:
            octets = conversation.session.take_output()
            if not self._is_lost:
                self.send(octets)

    def begin_tls(self, tls: Any) -> None:
        """Begin a handshake as its server."""
        self._is_direct = False
        self._is_handshaking = True
        self._tls = tls
        self.ignore_buffer()
        self.transport.startTLS(tls)
        if self.server.tls_on_connect:
            self._awaits_greeting = True
            self.transport.resumeProducing()

    def check_time(self, now: float) -> None:
        """End the session where the client has said nothing for too long."""
        conversation = self.conversation
        if conversation is None or self._is_closing:
            if now - self.heard_at > CLOSING_LIMIT:
                self.transport.abortConnection()
        elif not self._is_busy and 0 < conversation.timeout < now - self.heard_at:
            self.heard_at = now
            if self._is_handshaking:
                self._refuse_handshake("timed out")
            else:
                self._proceed(self._time_out(conversation))

    def _refuse_handshake(self, reason: str) -> None:
        self._tls.refusal = self._tls.refusal or reason
        self._is_closing = True
        self.transport.abortConnection()

    def dismiss(self) -> None:
        """End the session, since the process ends; what is being decided comes first."""
        self._is_dismissed = True
        conversation = self.conversation
        if self._is_handshaking:
            self.transport.abortConnection()
        elif conversation is not None and not self._is_busy and not self._is_closing:
            self._proceed(self._dismiss(conversation))

    # Coroutines; one runs at a time.

    async def _dismiss(self, conversation: Conversation) -> None:
        session = conversation.session
        host = session.rules.host_name
        session.close(
            Reply(421, (f"{host}: Service not available - closing connection",))
        )
        conversation.give_up_message("SIGTERM")
        conversation.close_cause = "closed after SIGTERM"
        policy = self.server.shared.policy
        await policy.not_quit(conversation.transaction, "signal-exit")

    async def _begin(
        self, conversation: Conversation, opening: Coroutine[Any, Any, None]
    ) -> None:
        """Open the session, and answer what came meanwhile."""
        await opening
        await self._converse(conversation)

    async def _converse(self, conversation: Conversation) -> None:
        """Answer events until there is none; now and then it is others' turn."""
        session, answered = conversation.session, 0
        next_event = session.next_event
        while (event := next_event()) is not None:
            await ANSWERS[event.__class__](conversation, event)
            if not session.has_more:
                return
            if (answered := answered + 1) % TURN_LENGTH == 0:
                await deferLater(self.server.clock, 0)

    async def _time_out(self, conversation: Conversation) -> None:
        shared, session = self.server.shared, conversation.session
        in_content = session.state is State.CONTENT
        shared.log.timed_out(
            conversation.connection,
            conversation.message,
            shared.clock(),
            in_content=in_content,
        )
        host = session.rules.host_name
        text = (
            f"{host} SMTP incoming data timeout"
            if in_content
            else f"{host}: SMTP command timeout - closing connection"
        )
        session.close(Reply(421, (text,)))
        conversation.give_up_message("command timeout")
        conversation.close_cause = "closed after timeout"
        reason = "data-timeout" if in_content else "command-timeout"
        await shared.policy.not_quit(conversation.transaction, reason)

    async def _end(self, conversation: Conversation) -> None:
        """Say how the session ended, once the connection is gone."""
        self.conversation = None
        shared = self.server.shared
        now = shared.clock()
        connection, message = conversation.connection, conversation.message
        cause = conversation.close_cause
        if not cause and message is not None:
            in_content = conversation.session.state is State.CONTENT
            shared.log.lost(connection, message, now, in_content=in_content)
        conversation.give_up_message("connection lost")
        reason = NOT_QUIT_REASONS.get(cause)
        if reason is not None:
            await shared.policy.not_quit(conversation.transaction, reason)
        shared.log.ended(
            connection,
            cause or "lost",
            now,
            is_logged=conversation.is_logged,
            history=conversation.session.history,
        )

    def _proceed(
        self,
        coroutine: Coroutine[Any, Any, None],
        failure: BaseException | None = None,
    ) -> None:
        """Run a coroutine; where it waits, send what can be sent, and go on later.

        ``Deferred.fromCoroutine`` would do the same at twice the cost, and each message
        waits at least once.
        """
        self._is_busy = True
        try:
            if failure is None:
                waited = coroutine.send(None)
            else:
                waited = coroutine.throw(failure)
        except StopIteration:
            self._pause()
        except Exception as error:
            self._fail(error)
            self._pause()
        else:
            self.flush()
            waited.addBoth(self._go_on, coroutine)

    def _go_on(self, result: object, coroutine: Coroutine[Any, Any, None]) -> None:
        # The Deferred itself hands its result over where it is awaited.
        self.heard_at = self.server.clock.seconds()
        failure = result.value if isinstance(result, Failure) else None
        self._proceed(coroutine, failure)

    def _pause(self) -> None:
        """Nothing more can be answered now: send replies, and read on or close."""
        self._is_busy = False
        conversation = self.conversation
        if conversation is None:
            return
        if self._is_lost:
            self._proceed(self._end(conversation))
            return
        session = conversation.session
        if session.state is State.CLOSED:
            self._flush_and_close(conversation)
        elif self._is_dismissed:
            self._proceed(self._dismiss(conversation))
            return
        elif session.output:
            octets, session.output = session.output, b""
            self.send(octets)
        if self._is_backlogged:
            self._is_backlogged = False
            if not self._is_choked and not self._is_closing:
                self.transport.resumeProducing()

    def _flush_and_close(self, conversation: Conversation) -> None:
        self.flush()
        if conversation.session.state is State.CLOSED and not self._is_closing:
            self._is_closing = True
            self.hang_up(self.server.clock.callLater)

    def _fail(self, error: BaseException | None) -> None:
        """Tell the panic log what nobody foresaw, and the client that it is over."""
        assert error is not None
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        self.server.shared.logs.panic(
            f"error in an SMTP session: {type(error).__name__}: {error}{place}"
        )
        if self.conversation is not None:
            self.conversation.close_cause = "closed after internal error"
            self.conversation.session.close(LOCAL_PROBLEM.reply)
