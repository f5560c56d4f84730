"""SMTP with a local program, on its standard input and output (Exim's -bs and -bS)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IReadDescriptor
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mta.address import Address
from mta.connection import Connection
from mta.reception.conversation import Conversation
from mta.reception.dialogue import ANSWERS
from mta.reception.protocol import ESMTPProtocol
from mta.reception.server import ESMTPFactory
from mta.reception.transaction import Decision, Transaction
from mta.smtp.reply import Reply
from mta.smtp.server_states import Event, MailReceived, RecipientReceived, State


@implementer(IHalfCloseableProtocol)
class LocalSMTPProtocol(ESMTPProtocol):
    """A session with a local program, which may close its side first."""

    _is_at_end = False

    def readConnectionLost(self) -> None:
        """Answer what came before the end of the input, then close."""
        self._is_at_end = True
        if not self._is_busy:
            self._close_at_end()

    def writeConnectionLost(self) -> None:
        """The program does not listen any more."""
        self.transport.loseConnection()

    def _pause(self) -> None:
        super()._pause()
        if self._is_at_end and not self._is_busy:
            self._close_at_end()

    def _close_at_end(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self.ignore_buffer()
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the factory that its only session is over."""
        super().connectionLost(reason)
        if not self._is_busy:
            self.factory.session_ended()

    async def _end(self, conversation: Conversation) -> None:
        try:
            await super()._end(conversation)
        finally:
            self.factory.session_ended()

    async def _converse(self, conversation: Conversation) -> None:
        next_event = conversation.session.next_event
        while (event := next_event()) is not None:
            event = self.factory.seen_as(event)
            await ANSWERS[event.__class__](conversation, event)


class BatchProtocol(LocalSMTPProtocol):
    """A batch: nobody reads the replies, and the first refusal ends it."""

    async def _converse(self, conversation: Conversation) -> None:
        session = conversation.session
        while (event := session.next_event()) is not None:
            if self._found_refusal(conversation):
                return
            event = self.factory.seen_as(event)
            await ANSWERS[event.__class__](conversation, event)
            if self._found_refusal(conversation):
                return

    def _found_refusal(self, conversation: Conversation) -> bool:
        """Take the replies; end the session where one is a refusal."""
        session = conversation.session
        for line in session.take_output().splitlines():
            if line[:1] in (b"4", b"5"):
                self.factory.refusals.append(
                    f"{line.decode('utf-8', 'replace')}\n"
                    f"after: {session.last_command.decode('utf-8', 'replace')}"
                )
        if self.factory.refusals and session.state is not State.CLOSED:
            session.close()
            conversation.close_cause = "closed after SMTP error"
        return bool(self.factory.refusals)

    def _flush_and_close(self, conversation: Conversation) -> None:
        self._found_refusal(conversation)
        super()._flush_and_close(conversation)


class LocalSMTPFactory(ESMTPFactory):
    """Serves one local program.

    ``seen_sender`` gives the sender that stands for the one that MAIL names: a
    caller who is not trusted sends as himself.  Where it ``qualifies``, addresses of a
    program of this host need no domain.  ``ended`` is called once, when the session and
    all that it decided is over.
    """

    protocol = LocalSMTPProtocol
    connection = Connection()
    refusals: list[str]

    def serve(
        self,
        connection: Connection,
        *,
        waits_for_replies: bool,
        seen_sender: Callable[[Address], Address],
        ended: Callable[[], None],
        qualifies: bool = True,
    ) -> None:
        """Say who the program is, before its protocol is built."""
        self.connection = connection
        self.refusals = []
        # A program at the other end of a pipe writes all it has to say.
        self.rules = self.rules._replace(enforce_synchronization=waits_for_replies)
        self._seen_sender = seen_sender
        self._qualifies = qualifies and not connection.peer_address
        self._ended = ended
        self._has_ended = False

    def describe(self, transport: Any) -> Connection:
        """Return what is known of the program."""
        return self.connection

    def seen_as(self, event: Event) -> Event:
        """Return an event as it counts for the caller."""
        if isinstance(event, MailReceived):
            parameters = event.parameters
            sender = self._seen_sender(parameters.sender)
            return MailReceived(replace(parameters, sender=sender))
        if isinstance(event, RecipientReceived) and self._qualifies:
            address = event.parameters.address
            if not address.domain:
                address = address._replace(domain=self.shared.site.qualify_recipient)
                return RecipientReceived(replace(event.parameters, address=address))
        return event

    def session_ended(self) -> None:
        """The session is over."""
        if not self._has_ended:
            self._has_ended = True
            self._ended()


class BatchPolicy:
    """Lets every command of a batch pass; the message itself is judged.

    As with other messages that come by no dialogue, that is ``acl_not_smtp``.
    """

    def __init__(self, policy: Any) -> None:
        self._policy = policy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    async def connected(self, transaction: Transaction) -> Decision:
        """Begin: ``acl_not_smtp_start`` is run at each message instead."""
        return Decision(True)

    async def _pass(self, transaction: Transaction, *arguments: Any) -> Decision:
        return Decision(True)

    helo = starttls = mailauth = rcpt = predata = quit = not_quit = _pass

    async def mail(self, transaction: Transaction) -> Decision:
        """Begin a message."""
        await self._policy.not_smtp_start(transaction)
        return Decision(True)

    async def vrfy(self, transaction: Transaction, argument: str) -> Decision:
        """Disregard a question that nobody hears the answer to."""
        return Decision(True, Reply(252, ("Ignored",)))

    expn = etrn = vrfy


class SilentTransport:
    """The client's side of a batch: nothing is sent, and there is no peer."""

    disconnecting = False

    def __init__(self, protocol: BatchProtocol) -> None:
        self._protocol = protocol
        self.is_open = True
        self._wanted: Deferred[None] | None = None

    def getPeer(self) -> IPv4Address:
        """Return an address that stands for none."""
        return IPv4Address("TCP", "", 0)

    getHost = getPeer

    def write(self, octets: bytes) -> None:
        """Nobody reads."""

    def pauseProducing(self) -> None:
        """Ask for no further input."""
        if self._wanted is None:
            self._wanted = Deferred()

    def resumeProducing(self) -> None:
        """Ask for input."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted.callback(None)

    async def when_wanted(self) -> None:
        """Wait until input is asked for, or the session is over."""
        while self._wanted is not None and self.is_open:
            turn: Deferred[None] = Deferred()
            self._wanted.addCallback(turn.callback)
            await turn

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Nothing is ever held back."""

    def unregisterProducer(self) -> None:
        """Nothing is ever held back."""

    def loseConnection(self) -> None:
        """End the session."""
        if self.is_open:
            self.is_open = False
            self.resumeProducing()
            self._protocol.connectionLost(connectionDone)

    abortConnection = loseConnection


@implementer(IReadDescriptor)
class StandardInput:
    """Tells when standard input can be read, so that the reactor need not stand still."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._readable: Deferred[None] = Deferred()

    async def when_readable(self) -> None:
        """Wait until there is input, or its end."""
        self._readable = Deferred()
        self._reactor.addReader(self)
        await self._readable

    def fileno(self) -> int:
        """Return the number of standard input."""
        return 0

    def logPrefix(self) -> str:
        """Return a name for what goes wrong."""
        return "standard input"

    def doRead(self) -> None:
        """There is input."""
        self._reactor.removeReader(self)
        self._readable.callback(None)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor cannot watch it any more: reading will tell why."""
        if not self._readable.called:
            self._readable.callback(None)
