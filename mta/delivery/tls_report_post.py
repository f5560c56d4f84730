"""Post a TLS report to a web server that proves its name (RFC 8460, section 5.4)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import Agent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer

from mta.delivery.tls_report_mail import MEDIA_TYPE
from mta.errors import TemporaryFailure
from mta.host import Answer, Outcome
from mta.log import printable
from mta.tls.client import ClientTLS
from mta.tls.policy import ClientTLSPolicy, Start, Verify
from mta.tls.sts_channel import PolicyHostChannel, UntrustedHost

HTTPS_PORT = 443
TIME_LIMIT = 60.0
CONNECT_LIMIT = 20.0
ADDRESSES_LIMIT = 4
_TEXT_LIMIT = 200


class PostFailure(Exception):
    """A report was not taken; the text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text[:_TEXT_LIMIT]))


class _Addresses(Protocol):
    async def addresses(self, name: str) -> Answer: ...


def is_public(ip_address: str) -> bool:
    """Return whether an address is one of the Internet.

    Who asks for reports names the place: it must be none within our own network.
    """
    return ipaddress.ip_address(ip_address).is_global


class ReportPoster:
    """Posts reports; what waits is a coroutine, nothing blocks.

    ``certificates`` are those that may vouch for web servers: ``system``, a file or a
    directory.  Only addresses are connected to that ``is_allowed`` says yes to.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: _Addresses,
        *,
        certificates: str = "system",
        is_allowed: Callable[[str], bool] = is_public,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._certificates = certificates
        self._is_allowed = is_allowed
        self._time_limit = time_limit
        self._tls = ClientTLS()

    async def post(self, url: str, octets: bytes) -> None:
        """Give octets to a web server; raise PostFailure unless it takes them."""
        posted = Deferred.fromCoroutine(self._post(url, octets))
        posted.addTimeout(self._time_limit, self._reactor, self._too_late)
        await posted

    def _too_late(self, _result: object, limit: float) -> None:
        raise PostFailure(f"no answer within {limit:g} s")

    async def _post(self, url: str, octets: bytes) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or HTTPS_PORT
        answer = await self._resolver.addresses(host)
        if not answer:
            again = answer.outcome is Outcome.AGAIN
            raise PostFailure(f"{host}: {answer.text if again else 'no IP address'}")
        problem = f"{host}: its address is none of the Internet"
        allowed = [str(a) for a in answer.records if self._is_allowed(str(a))]
        for ip_address in allowed[:ADDRESSES_LIMIT]:
            channel = PolicyHostChannel(self._session(host), host)
            server = _Server(self._reactor, ip_address, port, channel)
            try:
                return await self._ask(server, url, octets)
            except ConnectError as error:
                problem = f"{host} [{ip_address}]: {error}"
            finally:
                channel.abort()
        raise PostFailure(problem)

    def _session(self, host: str) -> Any:
        try:
            return self._tls.session(
                ClientTLSPolicy(
                    Start.ON_CONNECT, Verify.REQUIRE, host, host, self._certificates
                )
            )
        except TemporaryFailure as error:
            raise PostFailure(error.log_text or str(error)) from error

    async def _ask(self, server: _Server, url: str, octets: bytes) -> None:
        """Post to one address; raise ConnectError or PostFailure."""
        agent: Any = Agent.usingEndpointFactory(  # type: ignore[no-untyped-call]
            self._reactor, server
        )
        fields = Headers({"User-Agent": ["mta"], "Content-Type": [MEDIA_TYPE]})
        try:
            response = await agent.request(
                b"POST", url.encode("ascii"), fields, _Content(octets)
            )
        except (ConnectError, CancelledError):
            raise
        except UntrustedHost as error:
            raise PostFailure(f"{error}") from error
        # Whatever else a web server may do to the web client.
        except Exception as error:
            problem = server.channel.problem or _reason(error)
            raise PostFailure(problem) from error
        if not 200 <= response.code < 300:
            raise PostFailure(f"HTTP status {response.code}")


@implementer(IStreamClientEndpoint, IAgentEndpointFactory)
class _Server:
    """Where a web server is; connected once its certificate is known to be good."""

    def __init__(
        self, reactor: Any, ip_address: str, port: int, channel: PolicyHostChannel
    ) -> None:
        form = TCP6ClientEndpoint if ":" in ip_address else TCP4ClientEndpoint
        endpoint = form(reactor, ip_address, port, timeout=CONNECT_LIMIT)
        self._endpoint = wrapClientTLS(channel.session, endpoint, reactor)
        self.channel = channel

    def endpointForURI(self, uri: Any) -> _Server:
        """Twisted's web client asks this for each request."""
        return self

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Twisted's web client calls this; its protocol is made in the end."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> Any:
        await self._endpoint.connect(self.channel.factory)
        await self.channel.trusted
        return self.channel.carry(factory)


@implementer(IBodyProducer)
class _Content:
    """Octets that are sent at once."""

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


def _reason(error: Exception) -> str:
    """Return what stands behind the errors that Twisted's web client gathers."""
    reasons = getattr(error, "reasons", None)
    cause = reasons[0].value if reasons else error
    return f"{type(cause).__name__}: {cause}"
