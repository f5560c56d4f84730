"""Fetch the MTA-STS policy of a domain over HTTPS (RFC 8461, section 3.3)."""

from __future__ import annotations

from typing import Any, Protocol

from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgentEndpointFactory
from zope.interface import implementer

from mta.errors import TemporaryFailure
from mta.host import Answer, Outcome
from mta.tls.client import ClientTLS, ClientTLSSession
from mta.tls.policy import ClientTLSPolicy, Start, Verify
from mta.tls.sts import SIZE_LIMIT, WEBPKI_INVALID, FetchFailure
from mta.tls.sts_channel import PolicyHostChannel, UntrustedHost

HTTPS_PORT = 443
TIME_LIMIT = 60.0
CONNECT_LIMIT = 20.0
ADDRESSES_LIMIT = 4


class _Addresses(Protocol):
    async def addresses(self, name: str) -> Answer: ...


class PolicyFetcher:
    """Fetches policy files; what waits is a coroutine, nothing blocks.

    ``certificates`` are those that may vouch for policy hosts: ``system``, a file or
    a directory.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: _Addresses,
        *,
        certificates: str = "system",
        port: int = HTTPS_PORT,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._certificates = certificates
        self._port = port
        self._time_limit = time_limit
        self._tls = ClientTLS()

    async def fetch(self, domain: str) -> bytes:
        """Return the octets of a domain's policy file.

        Raises FetchFailure, or TemporaryFailure where our own certificates are bad.  The domain must be one that ``mta.tls.sts.is_domain`` says yes to.
        """
        fetched = Deferred.fromCoroutine(self._fetch(f"mta-sts.{domain}"))
        fetched.addTimeout(self._time_limit, self._reactor, self._too_late)
        return await fetched

    def _too_late(self, _result: object, limit: float) -> bytes:
        raise FetchFailure(f"it did not come within {limit:g} s")

    async def _fetch(self, host: str) -> bytes:
        answer = await self._resolver.addresses(host)
        if not answer:
            again = answer.outcome is Outcome.AGAIN
            reason = answer.text if again else "no IP address"
            raise FetchFailure(f"{host}: {reason}")
        problem = ""
        for ip_address in answer.records[:ADDRESSES_LIMIT]:
            try:
                return await self._ask(host, str(ip_address))
            except ConnectError as error:
                problem = f"{host} [{ip_address}]: {error}"
        raise FetchFailure(problem)

    async def _ask(self, host: str, ip_address: str) -> bytes:
        """Return what a policy host serves; raise ConnectError or FetchFailure."""
        place = _PolicyHost(
            self._reactor,
            ip_address,
            self._port,
            PolicyHostChannel(self._session(host), host),
        )
        agent: Any = Agent.usingEndpointFactory(  # type: ignore[no-untyped-call]
            self._reactor, place
        )
        port = "" if self._port == HTTPS_PORT else f":{self._port}"
        url = f"https://{host}{port}/.well-known/mta-sts.txt"
        fields = {"User-Agent": ["mta"], "Accept": ["text/plain"]}
        try:
            response = await agent.request(b"GET", url.encode("ascii"), Headers(fields))
            _check_head(response)
            content = _Content()
            response.deliverBody(content)
            return await content.whole
        except (ConnectError, CancelledError, FetchFailure):
            raise
        except UntrustedHost as error:
            raise FetchFailure(f"{host}: {error}", WEBPKI_INVALID) from error
        # Whatever else a web server may do to the web client.
        except Exception as error:
            cause = _cause_of(error)
            if isinstance(cause, CancelledError):
                raise cause from error
            reason = place.channel.problem or _reason(cause)
            raise FetchFailure(f"{host}: {reason}") from error
        finally:
            place.channel.abort()

    def _session(self, host: str) -> ClientTLSSession:
        trusted = self._certificates
        policy = ClientTLSPolicy(Start.ON_CONNECT, Verify.REQUIRE, host, host, trusted)
        try:
            return self._tls.session(policy)
        except TemporaryFailure as error:
            # Our own fault: there may be a policy that is to be enforced.
            text = f"mta_sts_certificates = {trusted} cannot be used: {error.log_text}"
            raise TemporaryFailure("local problem", log_text=text) from error


@implementer(IStreamClientEndpoint, IAgentEndpointFactory)
class _PolicyHost:
    """Where one policy host is; connected once its certificate is known to be good."""

    def __init__(
        self, reactor: Any, ip_address: str, port: int, channel: PolicyHostChannel
    ) -> None:
        kind = TCP6ClientEndpoint if ":" in ip_address else TCP4ClientEndpoint
        self._endpoint = wrapClientTLS(
            channel.session,
            kind(reactor, ip_address, port, timeout=CONNECT_LIMIT),
            reactor,
        )
        self.channel = channel

    def endpointForURI(self, uri: Any) -> _PolicyHost:
        """Twisted's web client asks this for each request."""
        return self

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Twisted's web client calls this; its protocol is made in the end."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> Any:
        await self._endpoint.connect(self.channel.factory)
        await self.channel.trusted
        return self.channel.carry(factory)


def _check_head(response: Any) -> None:
    """Raise FetchFailure unless a response has a policy file as its content."""
    code = response.code
    if 300 <= code < 400:
        targets = response.headers.getRawHeaders("Location", ["nowhere"])
        raise FetchFailure(f"it redirects, to {targets[0]}")
    if code != 200:
        raise FetchFailure(f"HTTP status {code}")
    media_types = response.headers.getRawHeaders("Content-Type", [""])
    media_type = media_types[0].partition(";")[0].strip().lower()
    if media_type != "text/plain":
        raise FetchFailure(f'it is "{media_type}", not text/plain')
    codings = response.headers.getRawHeaders("Content-Encoding", ["identity"])
    if codings != ["identity"]:
        raise FetchFailure("it is compressed")
    if response.length is not UNKNOWN_LENGTH and response.length > SIZE_LIMIT:
        raise FetchFailure(_TOO_LARGE)


_TOO_LARGE = f"it has more than {SIZE_LIMIT} octets"


class _Content(StreamProtocol):
    """Gathers the content of a response up to the limit."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._octets = bytearray()

    def dataReceived(self, data: bytes) -> None:
        """Twisted calls this for each part."""
        self._octets += data
        if len(self._octets) > SIZE_LIMIT and not self.whole.called:
            self.whole.errback(FetchFailure(_TOO_LARGE))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted calls this at the end.

        An end that only the loss of the connection marks may be anybody's: a file
        that was cut would be kept for weeks.
        """
        if self.whole.called:
            return
        if isinstance(reason.value, ResponseDone):
            self.whole.callback(bytes(self._octets))
        else:
            self.whole.errback(FetchFailure("its end did not come"))


def _cause_of(error: Exception) -> BaseException:
    """Return what stands behind the errors that Twisted's web client gathers."""
    reasons = getattr(error, "reasons", None)
    return (reasons[0].value or error) if reasons else error


def _reason(cause: BaseException) -> str:
    if isinstance(cause, ConnectionLost | ConnectionDone):
        return "the connection was closed"
    if isinstance(cause, SSL.Error):
        return f"TLS failed: {cause}"
    return f"it does not speak HTTP as it should ({type(cause).__name__}: {cause})"
