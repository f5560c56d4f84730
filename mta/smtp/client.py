"""The client's protocol on Twisted: one connection to an SMTP or LMTP server."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet import error, interfaces, protocol
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from mta.errors import LocalProtocolError
from mta.smtp.client_failure import IContent, SessionFailure, TimeLimits, Trouble
from mta.smtp.client_session import ClientSession, State
from mta.smtp.client_transaction import ClientTransaction
from mta.smtp.content_encoder import ContentEncoder
from mta.smtp.reply import Reply
from mta.tls_remains import release_tls

JOIN_LIMIT = 65536
CHUNK = 262144
# BDAT pieces whose replies are not waited for before the next piece is sent.
CHUNKS_AHEAD = 2
QUIT_LIMIT = 5.0
SYNCH_ERROR = "synch error before connect"


@implementer(interfaces.IPushProducer, interfaces.IHandshakeListener)
class SMTPClient(protocol.Protocol):
    """One connection: ``greet``, ``ask_tls`` and ``begin_tls``, ``deliver``, ``quit``.

    Each may be called when the one before has ended.  They raise SessionFailure
    where the session is over; the connection is closed then.  ``joins_content`` says
    whether content may go out together with MAIL, before any reply.
    """

    def __init__(
        self, *, clock: Any, limits: TimeLimits, is_lmtp: bool = False
    ) -> None:
        self.session = ClientSession(is_lmtp=is_lmtp)
        self.limits = limits
        self.failure: SessionFailure | None = None
        self.joins_content = True
        self.is_closed = False
        self.made: Deferred[None] = Deferred()
        self.closed: Deferred[None] = Deferred()
        self.on_close: Callable[[SMTPClient], object] | None = None
        self._clock = clock
        self._waiter: Deferred[None] | None = None
        self._quit_timer: Any = None
        self._is_paused = False
        self._is_secure = False
        self._is_handshaking = False
        self._sends_directly = False

    @property
    def is_usable(self) -> bool:
        """True where another transaction may begin."""
        return (
            self.failure is None
            and not self._has_replies
            and not self.session.has_leftovers
            and self.session.state in (State.READY, State.ENVELOPE)
        )

    @property
    def _has_replies(self) -> bool:
        """Whether a reply is due, or came for who did not wait until its end."""
        return bool(self.session.awaited or self.session.answered)

    @property
    def tls_connection(self) -> Any:
        """The OpenSSL connection, once TLS has begun."""
        transport: Any = self.transport
        return transport.getHandle()

    async def greet(self, name: str, *, esmtp: bool = True) -> None:
        """Await the greeting, then say EHLO (HELO where that is refused)."""
        greeting = (await self._replies_to(b""))[-1]
        if not 200 <= greeting.code < 300:
            raise self._refused(greeting, "GREETING", "initial connection")
        await self.hello(name, esmtp=esmtp)

    async def hello(self, name: str, *, esmtp: bool = True) -> None:
        """Say EHLO, or HELO where that is refused or not wanted; LHLO in LMTP."""
        session = self.session
        [reply] = await self._replies_to(session.hello(name, esmtp=esmtp))
        verb = "LHLO" if session.is_lmtp else "EHLO" if esmtp else "HELO"
        if verb == "EHLO" and reply.code >= 300:
            verb = "HELO"
            [reply] = await self._replies_to(session.hello(name, esmtp=False))
        if reply.code >= 300:
            raise self._refused(reply, verb, f"{verb} {name}")

    async def ask(self, verb: str, text: str = "") -> Reply:
        """Send a command of a transaction that brings no content; return the reply."""
        [reply] = await self._replies_to(self.session.send(verb, text))
        return reply

    async def ask_tls(self) -> Reply:
        """Send STARTTLS and return the reply; on 220 ``begin_tls`` must follow."""
        [reply] = await self._replies_to(self.session.send("STARTTLS"))
        if reply.code < 300 and self.session.has_leftovers:
            # RFC 3207, section 4.2: what came in clear must not be obeyed inside.
            raise self._fail(Trouble.TLS, SYNCH_ERROR)
        if 300 <= reply.code < 400:
            raise self._fail(Trouble.MALFORMED, str(reply), "STARTTLS", "STARTTLS")
        return reply

    async def begin_tls(self, creator: Any) -> None:
        """Negotiate TLS with an IOpenSSLClientConnectionCreator.

        After STARTTLS the server's keywords are forgotten: ``hello`` must follow.
        """
        transport: Any = self.transport
        self._is_secure = self._is_handshaking = True
        self._sends_directly = False
        transport.startTLS(creator)
        while self._is_handshaking:
            await self._event(self.limits.command)
        if self.session.state is State.SECURING:
            self.session.secured()

    async def deliver(self, transaction: ClientTransaction, content: IContent) -> None:
        """Run a transaction to its end; what was answered is in it, come what may.

        Without failure the session may be used for the next transaction if
        ``is_usable`` says so.  Raises LocalProtocolError where it may not be used, or
        where the envelope has what cannot be in a command.
        """
        if self.failure is not None:
            raise self.failure
        if self._has_replies:
            raise LocalProtocolError("the reply to another command is not taken")
        whole: bytes | None = None
        if content.size <= JOIN_LIMIT and transaction.uses_chunks:
            encoder = ContentEncoder(dots=False)
            whole = encoder.encode(b"".join(content.chunks(JOIN_LIMIT)))
            whole += encoder.finish()
        try:
            octets = transaction.begin(whole if self.joins_content else None)
            while octets:
                self._write(octets)
                final = 1 if transaction.end_is_sent else 0
                await self._replies(self.limits.command, leaving=final)
                if final:
                    await self._replies(self.limits.final)
                octets = transaction.proceed()
            if transaction.wants_content:
                await self._send_content(transaction, content, whole)
        finally:
            transaction.collect()

    def quit(self) -> None:
        """Say QUIT and close; the connection is gone soon, whatever the server does."""
        if self.is_closed or self._quit_timer is not None:
            return
        try:
            octets = self.session.send("QUIT")
        except LocalProtocolError:
            self.abort()
            return
        self._write(octets)
        self._quit_timer = self._clock.callLater(QUIT_LIMIT, self.abort)

    def abort(self) -> None:
        """Close at once."""
        transport: Any = self.transport
        if transport is not None and not self.is_closed:
            transport.abortConnection()

    async def _send_content(
        self, transaction: ClientTransaction, content: IContent, whole: bytes | None
    ) -> None:
        if whole is not None:
            self._write(transaction.last_chunk(whole))
        elif transaction.uses_chunks:
            await self._stream(content, self._send_chunks(transaction, content))
        else:
            await self._stream(content, self._send_lines(transaction, content))
        await self._replies(self.limits.final)

    async def _stream(
        self, content: IContent, sending: Coroutine[Any, Any, None]
    ) -> None:
        transport: Any = self.transport
        if content.size <= JOIN_LIMIT:
            await sending
            return
        transport.registerProducer(self, True)
        try:
            await sending
        finally:
            transport.unregisterProducer()

    async def _send_lines(
        self, transaction: ClientTransaction, content: IContent
    ) -> None:
        encoder = ContentEncoder(dots=True)
        held = b""
        for piece in content.chunks(CHUNK):
            held += encoder.encode(piece)
            if len(held) >= JOIN_LIMIT:
                self._write(held)
                held = b""
                await self._drained()
        self._write(held + encoder.finish() + transaction.end())

    async def _send_chunks(
        self, transaction: ClientTransaction, content: IContent
    ) -> None:
        encoder = ContentEncoder(dots=False)
        ahead = CHUNKS_AHEAD if transaction.uses_pipelining else 0
        for piece in content.chunks(CHUNK):
            octets = encoder.encode(piece)
            if not octets:
                continue
            self._write(transaction.chunk(octets))
            await self._drained()
            await self._replies(self.limits.data, leaving=ahead)
            transaction.collect()
            if transaction.refused_chunk is not None:
                await self._replies(self.limits.data)
                return
        await self._replies(self.limits.data)
        transaction.collect()
        if transaction.refused_chunk is None:
            self._write(transaction.last_chunk(encoder.finish()))

    async def _drained(self) -> None:
        """Wait until the server has taken what was written."""
        if self.failure is not None:
            raise self.failure
        while self._is_paused:
            await self._event(self.limits.data)

    async def _replies_to(self, octets: bytes) -> list[Reply]:
        if octets:
            self._write(octets)
        await self._replies(self.limits.command)
        return self.session.take()

    async def _replies(self, limit: float, *, leaving: int = 0) -> None:
        """Wait until at most so many commands lack their reply."""
        awaited = self.session.awaited
        while len(awaited) > leaving:
            await self._event(limit)

    async def _event(self, limit: float) -> None:
        """Wait until anything happens; raise what ended the session, if that did."""
        if self.failure is None:
            waiter: Deferred[None] = Deferred()
            self._waiter = waiter
            timer = None
            if limit > 0:
                timer = self._clock.callLater(limit, self._time_out)
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None and timer.active():
                    timer.cancel()
        if self.failure is not None:
            raise self.failure

    def _time_out(self) -> None:
        self._fail(Trouble.TIMEOUT)
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            waiter.callback(None)

    def _refused(self, reply: Reply, verb: str, command: str) -> SessionFailure:
        failure = SessionFailure(
            Trouble.REFUSED, verb=verb, command=command, reply=reply
        )
        self.failure = failure
        self.session.state = State.GREETED
        self.quit()
        return failure

    def _fail(
        self, trouble: Trouble, text: str = "", verb: str = "", command: str = ""
    ) -> SessionFailure:
        """End the session; the first reason is the one that counts."""
        if self.failure is None:
            if not verb and self.session.awaited:
                verb, command = self.session.awaited[0]
            elif not verb and self.session.state is State.CONTENT:
                command = "sending data block"
            if self._is_handshaking and trouble is not Trouble.TLS:
                reason = "timed out" if trouble is Trouble.TIMEOUT else trouble.value
                trouble, text = Trouble.TLS, f"(SSL_connect): {reason}"
            self.failure = SessionFailure(trouble, text, verb=verb, command=command)
        self.abort()
        return self.failure

    def _write(self, octets: bytes) -> None:
        if self.is_closed:
            # The transport may not even refuse; whoever waits learns why.
            return
        transport: Any = self.transport
        if (
            self._sends_directly
            and not transport.dataBuffer
            and not transport._tempDataBuffer
        ):
            # Twisted would arm and disarm epoll for each write.
            sent = transport.writeSomeData(octets)
            if type(sent) is int:
                if sent == len(octets):
                    return
                octets = octets[sent:]
        transport.write(octets)

    def connectionMade(self) -> None:
        """Twisted calls this when the connection is made."""
        transport: Any = self.transport
        self._sends_directly = hasattr(transport, "writeSomeData")
        self.made.callback(None)

    def dataReceived(self, data: bytes) -> None:
        """Twisted calls this with what the server sent."""
        session = self.session
        before = len(session.awaited)
        session.receive(data)
        if session.malformed:
            if session.state is State.SECURING and not session.awaited:
                self._fail(Trouble.TLS, SYNCH_ERROR)
            self._fail(Trouble.MALFORMED, session.malformed)
        elif session.early is not None and self.failure is None:
            self.failure = SessionFailure(
                Trouble.REFUSED,
                verb=".",
                command="sending data block",
                reply=session.early,
            )
            self.abort()
        if self._quit_timer is not None and not session.awaited:
            transport: Any = self.transport
            transport.loseConnection()
        if self.failure is not None or len(session.awaited) < before:
            # Part of a reply does not begin the time for it anew.
            self._wake()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """Twisted calls this when the connection is gone."""
        self.is_closed = True
        if self._is_secure:
            release_tls(self.transport)
        if self._quit_timer is not None and self._quit_timer.active():
            self._quit_timer.cancel()
        if self._is_secure and self._is_handshaking:
            failure = self._fail(Trouble.TLS, f"(SSL_connect): {tls_reason(reason)}")
            failure.__cause__ = reason.value
        else:
            self._fail(Trouble.LOST)
        if self.on_close is not None:
            self.on_close(self)
        self._wake()
        self.closed.callback(None)

    def handshakeCompleted(self) -> None:
        """Twisted calls this when TLS is negotiated."""
        self._is_handshaking = False
        self._wake()

    def pauseProducing(self) -> None:
        """Twisted calls this when much waits to be sent."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """Twisted calls this when that has been sent."""
        self._is_paused = False
        self._wake()

    def stopProducing(self) -> None:
        """Twisted calls this when the connection is gone."""
        self._is_paused = False


def tls_reason(reason: Failure) -> str:
    """Return in words why a handshake failed."""
    value = reason.value
    assert value is not None
    if isinstance(value, (error.ConnectionDone, error.ConnectionLost)):
        return "the connection was closed during the handshake"
    parts = value.args[0] if value.args else None
    if isinstance(parts, list) and parts:
        return ": ".join(str(part) for part in parts[0] if part)
    return str(value) or type(value).__name__
