"""The connection to a web server: how much is taken, and whether the server is known."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mta.tls.client import ClientTLSSession
from mta.tls.host_names import is_for


class WebFailure(Exception):
    """A web server gives nothing of use; the text says why."""


class UntrustedHost(WebFailure):
    """A web server whose certificate is not good."""


class WebChannel(Protocol):
    """Carries the web client's protocol, and takes no more than ``limit`` octets.

    ``trusted`` fires when a request may be sent.  ``problem`` says why the channel
    was closed by us, ``excess`` that this was for too many octets.
    """

    def __init__(self, limit: int, excess: str) -> None:
        self.trusted: Deferred[None] = Deferred()
        self.problem = ""
        self._limit = limit
        self._excess = excess
        self._inner: Any = None
        self._taken = 0
        self._is_ended = False

    @property
    def factory(self) -> Factory[Any]:
        """What gives this channel to an endpoint."""
        return _Giving(self)

    def connectionMade(self) -> None:
        """Twisted calls this."""
        self.trusted.callback(None)

    def carry(self, factory: Any) -> Any:
        """Return the protocol of a factory, connected through this channel."""
        transport: Any = self.transport
        self._inner = factory.buildProtocol(transport.getPeer())
        self._inner.makeConnection(transport)
        if self._is_ended:
            self._inner.connectionLost(connectionDone)
        return self._inner

    def dataReceived(self, data: bytes) -> None:
        """Twisted calls this."""
        self._taken += len(data)
        if self._taken > self._limit:
            self.problem = self._excess
            self.abort()
        elif self._inner is not None:
            self._inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted calls this."""
        self._is_ended = True
        if self._inner is not None:
            self._inner.connectionLost(reason)

    def abort(self) -> None:
        """End the connection, if there is one."""
        transport: Any = self.transport
        if transport is not None and not self._is_ended:
            transport.abortConnection()


@implementer(IHandshakeListener)
class SecureWebChannel(WebChannel):
    """A channel that looks at the server's certificate before anything is sent."""

    def __init__(
        self, session: ClientTLSSession, host: str, limit: int, excess: str
    ) -> None:
        super().__init__(limit, excess)
        self.session = session
        self._host = host

    def connectionMade(self) -> None:
        """Twisted calls this, before the handshake."""

    def handshakeCompleted(self) -> None:
        """Twisted calls this; nothing was sent before."""
        try:
            problem = self._certificate_problem()
        except Exception as error:
            # What cannot be looked at proves nothing.
            problem = f"unreadable certificate ({type(error).__name__})"
        if problem:
            self._fail(UntrustedHost(problem))
            self.abort()
        elif not self.trusted.called:
            self.trusted.callback(None)

    def _certificate_problem(self) -> str:
        transport: Any = self.transport
        facts = self.session.facts(transport.getHandle())
        if self.session.problem:
            return self.session.problem
        if not is_for(facts.peer_certificate, self._host, by_subject=False):
            return "certificate name mismatch"
        return ""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted calls this."""
        if self.session.chain_problem:
            self._fail(UntrustedHost(self.session.chain_problem))
        else:
            self._fail(reason.value)
        super().connectionLost(reason)

    def _fail(self, error: BaseException | None) -> None:
        if not self.trusted.called:
            self.trusted.errback(error or UntrustedHost("the connection was lost"))


class _Giving(Factory[Any]):
    noisy = False

    def __init__(self, channel: WebChannel) -> None:
        self._channel = channel

    def buildProtocol(self, addr: Any) -> WebChannel:
        return self._channel
