"""One question to a web server, within limits of time and size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer

from mta.host import Answer, Outcome
from mta.tls.client import ClientTLS
from mta.tls.policy import ClientTLSPolicy, Start, Verify
from mta.tls.web_channel import SecureWebChannel, UntrustedHost, WebChannel, WebFailure

HTTPS_PORT = 443
TIME_LIMIT = 60.0
CONNECT_LIMIT = 20.0
ADDRESSES_LIMIT = 4

T = TypeVar("T")


class BrokenExchange(WebFailure):
    """An exchange that ended before its end.

    ``cause`` is what ended it; ``problem`` says why we did, where we did.
    """

    def __init__(self, cause: BaseException, problem: str) -> None:
        super().__init__(problem or f"{type(cause).__name__}: {cause}")
        self.cause = cause
        self.problem = problem


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What is asked; ``content`` is sent with it unless it is None."""

    method: str
    url: str
    fields: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an exchange may last, and how many octets may come of it.

    ``late`` and ``excess`` say that it was longer, and that more came.
    """

    octets: int
    excess: str
    late: str
    seconds: float = TIME_LIMIT


class AddressResolver(Protocol):
    """What finds the addresses of a host (``mta.dns``)."""

    async def addresses(self, name: str) -> Answer: ...


class HTTPSClient:
    """Asks web servers that prove their name; what waits is a coroutine.

    ``certificates`` are those that may vouch for web servers: ``system``, a file or a
    directory.  Only addresses are connected to that ``is_allowed`` says yes to.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: AddressResolver,
        *,
        certificates: str,
        limits: Limits,
        is_allowed: Callable[[str], bool] = lambda ip_address: True,
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._certificates = certificates
        self._limits = limits
        self._is_allowed = is_allowed
        self._tls = ClientTLS()

    async def exchange(
        self,
        host: str,
        port: int,
        request: WebRequest,
        take: Callable[[Any], Awaitable[T]],
    ) -> T:
        """Return what ``take`` makes of the response; redirections are not followed.

        Raises WebFailure, or TemporaryFailure where our own certificates are bad.
        """
        asked = Deferred.fromCoroutine(self._exchange(host, port, request, take))
        asked.addTimeout(self._limits.seconds, self._reactor, self._too_late)
        return await asked

    def _too_late(self, _result: object, limit: float) -> Any:
        raise WebFailure(f"{self._limits.late} within {limit:g} s")

    async def _exchange(
        self,
        host: str,
        port: int,
        request: WebRequest,
        take: Callable[[Any], Awaitable[T]],
    ) -> T:
        answer = await self._resolver.addresses(host)
        if not answer:
            again = answer.outcome is Outcome.AGAIN
            raise WebFailure(f"{host}: {answer.text if again else 'no IP address'}")
        problem = f"{host}: its address is none of the Internet"
        allowed = [str(a) for a in answer.records if self._is_allowed(str(a))]
        for ip_address in allowed[:ADDRESSES_LIMIT]:
            channel = self._channel(host)
            form = TCP6ClientEndpoint if ":" in ip_address else TCP4ClientEndpoint
            address = form(self._reactor, ip_address, port, timeout=CONNECT_LIMIT)
            endpoint = wrapClientTLS(channel.session, address, self._reactor)
            try:
                response = await ask(self._reactor, endpoint, channel, request)
                return await take(response)
            except ConnectError as error:
                problem = f"{host} [{ip_address}]: {error}"
            except (CancelledError, WebFailure):
                raise
            # Whatever else a web server may do to the web client.
            except Exception as error:
                cause = _cause_of(error)
                if isinstance(cause, CancelledError | UntrustedHost):
                    raise cause from error
                raise BrokenExchange(cause, channel.problem) from error
            finally:
                channel.abort()
        raise WebFailure(problem)

    def _channel(self, host: str) -> SecureWebChannel:
        session = self._tls.session(
            ClientTLSPolicy(
                Start.ON_CONNECT, Verify.REQUIRE, host, host, self._certificates
            )
        )
        limits = self._limits
        return SecureWebChannel(session, host, limits.octets, limits.excess)


def _cause_of(error: Exception) -> BaseException:
    """Return what stands behind the errors that Twisted's web client gathers."""
    reasons = getattr(error, "reasons", None)
    cause = (reasons[0].value or error) if reasons else error
    # Twisted has a word of its own for who gives up while the connection is made.
    return CancelledError() if isinstance(cause, ConnectingCancelledError) else cause


async def ask(
    reactor: Any, endpoint: Any, channel: WebChannel, request: WebRequest
) -> Any:
    """Return the response that comes through a channel, its content still to come."""
    agent: Any = Agent.usingEndpointFactory(  # type: ignore[no-untyped-call]
        reactor, _Server(endpoint, channel)
    )
    fields = {"User-Agent": "mta", **request.fields}
    return await agent.request(
        request.method.encode("ascii"),
        request.url.encode("ascii"),
        Headers({name: [value] for name, value in fields.items()}),
        None if request.content is None else _Octets(request.content),
    )


@implementer(IStreamClientEndpoint, IAgentEndpointFactory)
class _Server:
    """Where a web server is; connected once it is trusted."""

    def __init__(self, endpoint: Any, channel: WebChannel) -> None:
        self._endpoint = endpoint
        self._channel = channel

    def endpointForURI(self, uri: Any) -> _Server:
        """Twisted's web client asks this for each request."""
        return self

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Twisted's web client calls this; its protocol is made in the end."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> Any:
        await self._endpoint.connect(self._channel.factory)
        await self._channel.trusted
        return self._channel.carry(factory)


@implementer(IBodyProducer)
class _Octets:
    """Content that is sent at once."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.length = len(octets)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        """Twisted's web client calls this when the head is sent."""
        consumer.write(self._octets)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Twisted calls this; all is written already."""

    def resumeProducing(self) -> None:
        """Twisted calls this; all is written already."""

    def stopProducing(self) -> None:
        """Twisted calls this; all is written already."""


async def content_of(
    response: Any, limit: int, *, takes_unmarked_end: bool = False
) -> bytes:
    """Return the content of a response; raise WebFailure where it is not whole."""
    gathering = _Gathering(limit, takes_unmarked_end)
    response.deliverBody(gathering)
    return await gathering.whole


class _Gathering(StreamProtocol):
    """Gathers the content of a response up to a limit."""

    def __init__(self, limit: int, takes_unmarked_end: bool) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._octets = bytearray()
        self._limit = limit
        self._ends = (
            (ResponseDone, PotentialDataLoss) if takes_unmarked_end else (ResponseDone,)
        )

    def dataReceived(self, data: bytes) -> None:
        """Twisted calls this for each part."""
        self._octets += data
        if len(self._octets) > self._limit and not self.whole.called:
            self.whole.errback(WebFailure(f"it has more than {self._limit} octets"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted calls this at the end.

        An end that only the loss of the connection marks may be anybody's.
        """
        if self.whole.called:
            return
        if isinstance(reason.value, self._ends):
            self.whole.callback(bytes(self._octets))
        else:
            self.whole.errback(WebFailure("its end did not come"))
