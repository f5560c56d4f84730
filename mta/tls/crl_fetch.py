"""Fetch revocation lists by HTTP, within limits of size and time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from mta.tls.crl import SIZE_LIMIT

TIME_LIMIT = 60.0
CONNECT_LIMIT = 15.0
HEADER_LIMIT = 64 * 1024


class CRLFetchError(Exception):
    """A list could not be had; the text says why."""


class CRLFetcher:
    """Gets what is at a URL; redirections are not followed.

    The certificates that name the URLs must have been verified: nobody else may say
    what this host connects to.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def fetch(self, url: str) -> bytes:
        """Return the octets at a URL; raise CRLFetchError."""
        place = _Place(self._reactor)
        getting = Deferred.fromCoroutine(self._get(url, place))

        def end() -> None:
            place.problem = f"no answer within {TIME_LIMIT:g} s"
            getting.cancel()

        timer = self._reactor.callLater(TIME_LIMIT, end)
        try:
            octets = await getting
        except CancelledError:
            if not place.problem:
                raise
        finally:
            if timer.active():
                timer.cancel()
            place.close()
        if place.problem:
            raise CRLFetchError(place.problem)
        return octets

    async def _get(self, url: str, place: _Place) -> bytes:
        agent: Any = Agent.usingEndpointFactory(  # type: ignore[no-untyped-call]
            self._reactor, place
        )
        fields = Headers({"User-Agent": ["mta"], "Accept": ["*/*"]})
        try:
            response = await agent.request(b"GET", url.encode("ascii"), fields)
            if response.code != 200:
                raise CRLFetchError(f"HTTP status {response.code}")
            body = _Body()
            response.deliverBody(body)
            return await body.whole
        except (DNSLookupError, ConnectError) as error:
            raise CRLFetchError(str(error)) from error
        except (ResponseFailed, ConnectionClosed, ValueError) as error:
            text = "no whole answer of HTTP came"
            raise CRLFetchError(place.problem or text) from error


class _Body(Protocol):
    """Gathers what comes."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """Twisted calls this with what comes."""
        self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted calls this when no more comes."""
        if self.whole.called:
            return
        if isinstance(reason.value, (ResponseDone, PotentialDataLoss)):
            # Of those without a length: what was cut off is no list, as its form shows.
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)


@implementer(IAgentEndpointFactory)
class _Place:
    """The server that is asked, and the connection to it."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._connection: _Measured | None = None
        self.problem = ""

    def endpointForURI(self, uri: Any) -> Any:
        """Twisted calls this for what to connect to."""
        self._endpoint = HostnameEndpoint(
            self._reactor, uri.host, uri.port, timeout=CONNECT_LIMIT
        )
        return self

    def connect(self, factory: Any) -> Any:
        """Twisted calls this to connect."""
        wrapping = WrappingFactory(factory)  # type: ignore[no-untyped-call]
        wrapping.noisy = False
        wrapping.protocol = self._protocol
        connecting: Any = self._endpoint.connect(wrapping)
        return connecting.addCallback(lambda made: made.wrappedProtocol)

    def _protocol(self, factory: Any, wrapped: Any) -> _Measured:
        connection = self._connection = _Measured(factory, wrapped, self)
        return connection

    def close(self) -> None:
        """End the connection, if it has not ended."""
        connection = self._connection
        if connection is not None and connection.connected:
            transport: Any = connection.transport
            transport.abortConnection()


class _Measured(ProtocolWrapper):
    """Ends a connection by which too much comes, of whatever it is."""

    def __init__(self, factory: Any, wrapped: Any, place: _Place) -> None:
        super().__init__(factory, wrapped)
        self._place = place
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        """Twisted calls this with what comes."""
        self._size += len(data)
        if self._size <= SIZE_LIMIT + HEADER_LIMIT:
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        elif not self._place.problem:
            self._place.problem = f"it sends more than {SIZE_LIMIT} octets"
            self._place.close()
