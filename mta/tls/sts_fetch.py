"""Fetch the MTA-STS policy of a domain over HTTPS (RFC 8461, section 3.3)."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.web.iweb import UNKNOWN_LENGTH

from mta.errors import TemporaryFailure
from mta.tls.sts import SIZE_LIMIT, WEBPKI_INVALID, FetchFailure
from mta.tls.web_channel import UntrustedHost, WebFailure
from mta.tls.web_client import (
    HTTPS_PORT,
    TIME_LIMIT,
    AddressResolver,
    BrokenExchange,
    HTTPSClient,
    Limits,
    WebRequest,
    content_of,
)

# The head of a response, and what chunks add to its content.
_OVERHEAD = 65536


class PolicyFetcher:
    """Fetches policy files; what waits is a coroutine, nothing blocks.

    ``certificates`` are those that may vouch for policy hosts: ``system``, a file or
    a directory.
    """

    def __init__(
        self,
        reactor: Any,
        resolver: AddressResolver,
        *,
        certificates: str = "system",
        port: int = HTTPS_PORT,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._certificates = certificates
        self._port = port
        self._client = HTTPSClient(
            reactor,
            resolver,
            certificates=certificates,
            limits=Limits(
                octets=SIZE_LIMIT + _OVERHEAD,
                excess="it sends more than a policy can have",
                late="it did not come",
                seconds=time_limit,
            ),
        )

    async def fetch(self, domain: str) -> bytes:
        """Return the octets of a domain's policy file.

        Raises FetchFailure, or TemporaryFailure where our own certificates are bad.
        The domain must be one that ``mta.tls.sts.is_domain`` says yes to.
        """
        host = f"mta-sts.{domain}"
        port = "" if self._port == HTTPS_PORT else f":{self._port}"
        url = f"https://{host}{port}/.well-known/mta-sts.txt"
        request = WebRequest("GET", url, {"Accept": "text/plain"})
        try:
            return await self._client.exchange(host, self._port, request, _policy_in)
        except UntrustedHost as error:
            raise FetchFailure(f"{host}: {error}", WEBPKI_INVALID) from error
        except BrokenExchange as error:
            reason = error.problem or _reason(error.cause)
            raise FetchFailure(f"{host}: {reason}") from error
        except WebFailure as error:
            raise FetchFailure(str(error)) from error
        except TemporaryFailure as error:
            # Our own fault: there may be a policy that is to be enforced.
            option = f"mta_sts_certificates = {self._certificates}"
            text = f"{option} cannot be used: {error.log_text}"
            raise TemporaryFailure("local problem", log_text=text) from error


async def _policy_in(response: Any) -> bytes:
    """Return a policy file; raise WebFailure where a response has none."""
    code = response.code
    if 300 <= code < 400:
        targets = response.headers.getRawHeaders("Location", ["nowhere"])
        raise WebFailure(f"it redirects, to {targets[0]}")
    if code != 200:
        raise WebFailure(f"HTTP status {code}")
    media_types = response.headers.getRawHeaders("Content-Type", [""])
    media_type = media_types[0].partition(";")[0].strip().lower()
    if media_type != "text/plain":
        raise WebFailure(f'it is "{media_type}", not text/plain')
    codings = response.headers.getRawHeaders("Content-Encoding", ["identity"])
    if codings != ["identity"]:
        raise WebFailure("it is compressed")
    if response.length is not UNKNOWN_LENGTH and response.length > SIZE_LIMIT:
        raise WebFailure(f"it has more than {SIZE_LIMIT} octets")
    # A file that was cut would be kept for weeks: its end must be marked.
    return await content_of(response, SIZE_LIMIT)


def _reason(cause: BaseException) -> str:
    if isinstance(cause, ConnectionLost | ConnectionDone):
        return "the connection was closed"
    if isinstance(cause, SSL.Error):
        return f"TLS failed: {cause}"
    return f"it does not speak HTTP as it should ({type(cause).__name__}: {cause})"
